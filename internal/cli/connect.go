package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/settings"
	"visionkeeper/internal/state"
)

type connectResult struct {
	Project      connectedProject `json:"project"`
	Created      bool             `json:"created"`
	Form         string           `json:"form"` // the request form that worked
	QueueURI     string           `json:"queueUri"`
	ContainerURI string           `json:"containerUri"`
	// SeenIn is where Custom Vision's test message was seen: "queue", or "state"
	// where the running app had taken it. Empty: not seen.
	SeenIn string `json:"seenIn"`
}

type connectedProject struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Domain     string `json:"domain"`
	Exportable bool   `json:"exportable"`
}

// connection is one connecting.
type connection struct {
	*program
	projectName, domainName, kind string
	create, createStorage         bool
	patience                      time.Duration

	settings settings.Settings
	want     uris
	client   *customvision.Client
	domains  []customvision.Domain
	state    *state.Store
	watch    *watch
	result   connectResult
}

func (p *program) connectCommand() *cobra.Command {
	c := &connection{program: p}
	cmd := p.verb("connect", "Connect a project to the app's queue and model container", `
Creates a project or takes one that is there, has Custom Vision keep the queue and
the container, reads that back, and waits for Custom Vision's test message. All
other settings of the project stay as they were. A role that was just given takes
some minutes to work, so a refusal is tried again while there is time.

The exit code is 4 if the URIs are kept but no test message was seen in time.`,
		func(ctx context.Context, _ []string) error { return could("connect the project", c.run(ctx)) })
	f := cmd.Flags()
	f.StringVar(&c.projectName, "project", "", "`name` or id of the project")
	f.BoolVar(&c.create, "create", false, "create the project")
	f.StringVar(&c.domainName, "domain", "General (compact)", "`name` or id of the domain of a new project")
	f.StringVar(&c.kind, "type", "Classification", "Classification or ObjectDetection, where a domain's name is that of both")
	f.BoolVar(&c.createStorage, "create-storage", false, "create queue, poison queue and containers where they are missing")
	f.DurationVar(&c.patience, "timeout", 2*time.Minute, "how long roles and the test message are waited for")
	cmd.MarkFlagRequired("project")
	return cmd
}

func (c *connection) run(ctx context.Context) error {
	var err error
	if c.settings, _, err = c.program.settings(); err != nil {
		return err
	}
	if c.client, err = openService(c.settings, nil); err != nil {
		return err
	}
	if err := needs(c.client); err != nil {
		return err
	}
	c.want = wantedURIs(c.settings)
	if err := c.prepareStorage(ctx); err != nil {
		return err
	}
	if c.domains, err = c.client.Domains(ctx); err != nil {
		return err
	}
	if c.watch, err = c.newWatch(ctx); err != nil {
		return err
	}
	deadline := time.Now().Add(c.patience)
	project, err := c.integrate(ctx, deadline)
	if err != nil {
		return err
	}
	c.result.Project = connectedProject{ID: project.ID, Name: project.Name}
	for _, d := range c.domains {
		if d.ID == project.Settings.DomainID {
			c.result.Project.Domain, c.result.Project.Exportable = d.Name, d.Exportable
		}
	}
	c.result.QueueURI, c.result.ContainerURI = project.Settings.NotificationQueueURI, project.Settings.ExportModelContainerURI
	c.done("URIs", "kept, by "+c.result.Form)
	c.result.SeenIn, err = c.watch.until(ctx, project.ID, deadline)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		c.out.warn("The URIs are kept; whether the test message comes was not waited for.")
		return err
	}
	return c.report()
}

func (c *connection) report() error {
	seen := c.result.SeenIn != ""
	if seen {
		c.done("test message", map[string]string{"queue": "on the queue", "state": "already taken by the running app"}[c.result.SeenIn])
	}
	if err := c.out.result(c.result, func() {
		if seen {
			c.out.say("\n%s", c.out.green(fmt.Sprintf("The project %q is connected.", c.result.Project.Name)))
		}
		if !c.result.Project.Exportable {
			c.out.say("%s", c.out.yellow(fmt.Sprintf("Models of its domain %s can't be exported: choose a compact domain in the project's settings, and train it again.", c.result.Project.Domain)))
		}
	}); err != nil {
		return err
	}
	if !seen {
		c.out.warn("%s\nEither Custom Vision doesn't test URIs that it had already, or its identity may not write to the queue.\nTrain the project, or look for messages with `visionkeeper status`; if none comes, give the training resource's identity the role Storage Queue Data Contributor on the queue.",
			c.out.yellow("URIs are kept, no test message seen."))
		return exitCode(exitUntested)
	}
	return nil
}

// done tells of a step that succeeded.
func (c *connection) done(step, text string) {
	c.out.say("%s %-13s %s", c.out.green("✓"), step, text)
}

// domain finds the domain for a new project, whose models must be exportable.
func (c *connection) domain() (customvision.Domain, error) {
	why := "There is no such domain for " + c.kind
	var compact []string
	for _, d := range c.domains {
		if named := d.ID == c.domainName || d.Name == c.domainName && d.Type == c.kind; named && d.Exportable {
			return d, nil
		} else if named {
			why = "Models of that domain can't be exported, because it is no compact one"
		}
		if d.Exportable && d.Type == c.kind {
			compact = append(compact, d.Name)
		}
	}
	return customvision.Domain{}, problem{
		What: fmt.Sprintf("Could not create a project on the domain %q", c.domainName), Why: why,
		Do: "Choose with --domain one of " + orNone(compact),
	}
}
