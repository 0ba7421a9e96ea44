package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/overview"
)

func (p *program) timelineCommand() *cobra.Command {
	var project string
	c := p.verb("timeline", "Tell what the app saw and did lately", `
The latest first, 200 events at most. They are told by the dates that archive and
state keep anyway, so what passed without a trace, such as a condition that is
gone, isn't there. Custom Vision isn't asked. If the state can't be read, the
archive tells what it can, and the exit code is 3.`,
		func(ctx context.Context, _ []string) error {
			return failedTo("tell what happened", p.timeline(ctx, project))
		})
	c.Flags().StringVar(&project, "project", "", "`name` or id of a project; all where it is left out")
	return c
}

func (p *program) timeline(ctx context.Context, project string) error {
	v, err := p.openVault()
	if err != nil {
		return err
	}
	status, err := overview.New(overview.Sources{Archive: v.archive, State: v.state}).Gather(ctx)
	if err != nil {
		return err
	}
	id := ""
	if project != "" {
		if id, err = knownProject(status, project); err != nil {
			return err
		}
	}
	told := status.Timeline(id)
	if err := p.out.result(told, func() { p.sayTimeline(told) }); err != nil || status.Complete {
		return err
	}
	for _, n := range status.Notes {
		p.out.warn("%s", sentence(n)+".")
	}
	return exitCode(exitFound)
}

// knownProject is the id of the project that is named, by its name or id, of those that
// archive and state know.
func knownProject(status overview.Status, which string) (string, error) {
	id, notID := customvision.ParseID(which)
	found := slices.DeleteFunc(slices.Clone(status.Projects), func(p overview.Project) bool {
		return !strings.EqualFold(p.Name, which) && (notID != nil || p.ID != id)
	})
	err := one("project", which, names(found, func(p overview.Project) string { return p.ID }), names(status.Projects, func(p overview.Project) string { return p.Name }))
	if err != nil {
		return "", err
	}
	return found[0].ID, nil
}

func (p *program) sayTimeline(t overview.Timeline) {
	if len(t.Events) == 0 {
		p.out.say("Nothing has happened yet.")
		return
	}
	rows := [][]string{{"WHEN", "WHAT", "PROJECT", ""}}
	for _, e := range t.Events {
		rows = append(rows, []string{e.At.Format("2006-01-02 15:04:05"), e.Kind.Word(), e.Project, sentence(e.Text) + "."})
	}
	p.out.table(rows)
}
