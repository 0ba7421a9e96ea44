package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"visionkeeper/internal/app"
	"visionkeeper/internal/connect"
)

type disconnectResult struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func (p *program) disconnectCommand() *cobra.Command {
	var project string
	c := p.verb("disconnect", "Have Custom Vision forget a project's queue and model container", `
The project's messages and exports go nowhere from then on, and all its other
settings stay. Queue, containers and the archive stay too. The app's timer still
finds the project's models as long as a rule of the policy names it.`,
		func(ctx context.Context, _ []string) error {
			return failedTo("disconnect the project", p.disconnect(ctx, project))
		})
	c.Flags().StringVar(&project, "project", "", "`name` or id of the project")
	c.PreRunE = func(*cobra.Command, []string) error { return needProject(project) }
	return c
}

func (p *program) disconnect(ctx context.Context, which string) error {
	s, _, err := p.settings()
	if err != nil {
		return err
	}
	service, err := app.OpenService(s, nil)
	if err != nil {
		return err
	}
	if err := requireService(service); err != nil {
		return err
	}
	found, err := findProjects(ctx, service, which)
	if err != nil {
		return err
	}
	project, err := connect.Disconnect(ctx, service, found[0].ID)
	if err != nil {
		return err
	}
	return p.out.result(disconnectResult{ID: found[0].ID, Name: project.Name}, func() {
		p.out.say("%s", p.out.green(fmt.Sprintf("The project %q is not connected any more.", project.Name)))
	})
}
