package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"visionkeeper/internal/app"
	"visionkeeper/internal/connect"
	"visionkeeper/internal/customvision"
)

type connectResult struct {
	Project      connectedProject `json:"project"`
	Created      bool             `json:"created"`
	Form         string           `json:"form"` // the request form that worked
	QueueURI     string           `json:"queueUri"`
	ContainerURI string           `json:"containerUri"`
	// SeenIn is where Custom Vision's test message was seen: "queue", or "state"
	// where the running app had taken it. Empty: not seen.
	SeenIn connect.Seen `json:"seenIn"`
	// TestBlob is "seen", "not-seen", or "gone" where it can't be told.
	TestBlob connect.TestBlob `json:"testBlob"`
}

type connectedProject struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Domain     string `json:"domain"`
	Exportable bool   `json:"exportable"`
}

// connectFlags are what a person asks for.
type connectFlags struct {
	project, domain, kind string
	create, createStorage bool
	patience              time.Duration
}

func (p *program) connectCommand() *cobra.Command {
	var flags connectFlags
	cmd := p.verb("connect", "Connect a project to the app's queue and model container", `
Creates a project or takes one that is there, has Custom Vision keep the queue and
the container, reads that back, and waits for Custom Vision's test message. All
other settings of the project stay as they were. A role that was just given takes
some minutes to work, so a refusal is tried again while there is time. With
--create-storage and no project it creates queue and containers alone.

The exit code is 4 if the URIs are kept but no test message was seen in time.`,
		func(ctx context.Context, _ []string) error {
			return failedTo("connect the project", p.connect(ctx, flags))
		})
	f := cmd.Flags()
	f.StringVar(&flags.project, "project", "", "`name` or id of the project")
	f.BoolVar(&flags.create, "create", false, "create the project")
	f.StringVar(&flags.domain, "domain", "General (compact)", "`name` or id of the domain of a new project")
	f.StringVar(&flags.kind, "type", "Classification", "Classification or ObjectDetection, where a domain's name is that of both")
	f.BoolVar(&flags.createStorage, "create-storage", false, "create queues and containers where they are missing")
	f.DurationVar(&flags.patience, "timeout", 2*time.Minute, "how long roles and the test message are waited for")
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if flags.createStorage && !flags.create {
			return nil
		}
		return needProject(flags.project)
	}
	return cmd
}

func (p *program) connect(ctx context.Context, flags connectFlags) error {
	s, _, err := p.settings()
	if err != nil {
		return err
	}
	progress := &connectProgress{out: &p.out, patience: flags.patience}
	if flags.project == "" {
		return connect.Storage(ctx, s, true, progress)
	}
	service, err := app.OpenService(s, nil)
	if err != nil {
		return err
	}
	if err := requireService(service); err != nil {
		return err
	}
	_, states, err := app.OpenArchive(s, p.version)
	if err != nil {
		return err
	}
	if err := connect.Storage(ctx, s, flags.createStorage, progress); err != nil {
		return err
	}
	domains, err := service.Domains(ctx)
	if err != nil {
		return err
	}
	project, err := projectToConnect(ctx, service, domains, flags)
	if err != nil {
		return err
	}
	if flags.create {
		progress.domain = domainOf(project, domains).Name
	}
	made, err := connect.Project(ctx, connect.Options{Settings: s, Service: service, State: states, Patience: flags.patience, Progress: progress}, project)
	if err != nil {
		return err
	}
	progress.done("URIs", "kept, by "+made.Form)
	seen, blob, err := made.AwaitTest(ctx)
	if err != nil {
		p.out.warn("The URIs are kept; whether the test message comes was not waited for.")
		return err
	}
	domain := domainOf(made.Project, domains)
	return p.sayConnected(connectResult{
		Project:  connectedProject{ID: made.Project.ID, Name: made.Project.Name, Domain: domain.Name, Exportable: domain.Exportable},
		Created:  made.Created,
		Form:     made.Form,
		QueueURI: made.Project.Settings.NotificationQueueURI, ContainerURI: made.Project.Settings.ExportModelContainerURI,
		SeenIn: seen, TestBlob: blob,
	}, progress)
}

// projectToConnect is the project that is meant; with --create it has a name and a
// domain, and no id yet.
func projectToConnect(ctx context.Context, service *customvision.Client, domains []customvision.Domain, flags connectFlags) (customvision.Project, error) {
	if !flags.create {
		found, err := findProjects(ctx, service, flags.project)
		if err != nil {
			return customvision.Project{}, err
		}
		return found[0], nil
	}
	all, err := findProjects(ctx, service, "")
	if err != nil {
		return customvision.Project{}, err
	}
	for _, p := range all {
		if strings.EqualFold(p.Name, flags.project) {
			return p, problem{What: fmt.Sprintf("Could not create the project %q", flags.project), Why: "There is one of that name", Do: "Leave --create out to connect that one, or choose another name"}
		}
	}
	domain, err := chooseDomain(domains, flags.domain, flags.kind)
	if err != nil {
		return customvision.Project{}, err
	}
	created := customvision.Project{Name: flags.project}
	created.Settings.DomainID = domain.ID
	return created, nil
}

// domainOf is the domain of a project; the zero one if the service doesn't list it.
func domainOf(project customvision.Project, domains []customvision.Domain) customvision.Domain {
	for _, d := range domains {
		if d.ID == customvision.Canonical(project.Settings.DomainID) {
			return d
		}
	}
	return customvision.Domain{}
}

// sayConnected prints the result. Without a test message it ends the program with
// a code of its own.
func (p *program) sayConnected(r connectResult, progress *connectProgress) error {
	switch r.SeenIn {
	case connect.SeenInQueue:
		progress.done("test message", "on the queue")
	case connect.SeenInState:
		progress.done("test message", "already taken by the running app")
	}
	switch r.TestBlob {
	case connect.BlobSeen:
		progress.done("test blob", "seen in the container")
	case connect.BlobGone:
		p.out.say("- %-13s gone too soon to tell; the first export shows whether Custom Vision may write to the container", "test blob")
	case connect.BlobNotSeen:
		p.out.say("- %-13s not seen", "test blob")
	}
	if err := p.out.result(r, func() {
		if r.SeenIn != connect.NotSeen {
			p.out.say("\n%s", p.out.green(fmt.Sprintf("The project %q is connected.", r.Project.Name)))
		}
		if !r.Project.Exportable {
			p.out.say("%s", p.out.yellow(fmt.Sprintf("Models of its domain %s can't be exported: choose a compact domain in the project's settings, and train it again.", r.Project.Domain)))
		}
	}); err != nil {
		return err
	}
	if r.SeenIn == connect.NotSeen {
		p.out.warn("%s\nEither Custom Vision doesn't test URIs that it had already, or its identity may not write to the queue.\nTrain the project, or look for messages with `visionkeeper status`; if none comes, give the training resource's identity the role Storage Queue Data Contributor on the queue.",
			p.out.yellow("URIs are kept, no test message seen."))
		return exitCode(exitUntested)
	}
	return nil
}

// connectProgress shows a person how far connecting is.
type connectProgress struct {
	out      *output
	patience time.Duration
	domain   string // of the project that is created
}

func (c *connectProgress) Done(step, name string) {
	if step == connect.StepProject && c.domain != "" {
		name += ", created on " + c.domain
	}
	c.done(step, name)
}

func (c *connectProgress) Refused() {
	c.out.warn("Custom Vision can't reach the storage yet; a new role takes some minutes. Trying again …")
}

func (c *connectProgress) Waiting(left time.Duration) {
	c.out.progress(int((c.patience-left)/time.Second), int(c.patience/time.Second), "waiting for the test message")
}

func (c *connectProgress) done(step, text string) {
	c.out.say("%s %-13s %s", c.out.green("✓"), step, text)
}

// chooseDomain finds the domain for a new project, whose models must be exportable.
func chooseDomain(domains []customvision.Domain, name, kind string) (customvision.Domain, error) {
	why := "There is no such domain for " + kind
	var compact []string
	for _, d := range domains {
		if named := d.ID == name || d.Name == name && d.Type == kind; named && d.Exportable {
			return d, nil
		} else if named {
			why = "Models of that domain can't be exported, because it is no compact one"
		}
		if d.Exportable && d.Type == kind {
			compact = append(compact, d.Name)
		}
	}
	return customvision.Domain{}, problem{
		What: fmt.Sprintf("Could not create a project on the domain %q", name), Why: why,
		Do: "Choose with --domain one of " + orNone(compact),
	}
}
