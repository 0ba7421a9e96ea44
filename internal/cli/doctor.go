package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"visionkeeper/handler"
	"visionkeeper/internal/app"
	"visionkeeper/internal/connect"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/dotnet"
	"visionkeeper/internal/holdout"
	"visionkeeper/internal/overview"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/redact"
	"visionkeeper/internal/remedy"
	"visionkeeper/internal/settings"
	"visionkeeper/internal/storage"
	"visionkeeper/internal/telemetry"
)

// examine makes all checks.
func (d *doctor) examine(ctx context.Context) {
	var s settings.Settings
	var c *dotnet.Configuration
	if !d.look("settings", func() (text string, err error) {
		if c, err = d.environment(); err != nil {
			return "", err
		}
		s, err = settings.Load(c)
		d.hide(s)
		slips, _ := settings.Strays(c)
		return settingsText(s), d.settingsProblem(errors.Join(append(append([]error{err}, settings.CheckHost(c)...), slips...)...))
	}) && (c == nil || s.Models.IsZero()) {
		d.notes(c)
		return // without settings nothing can be checked
	}
	d.notes(c)
	stored := d.storage(ctx, s)
	var rules policy.InForce
	ruled := d.ask("policy", func() (text string, err error) {
		rules, text, err = d.policy(ctx, s)
		return text, err
	}, stored.state)
	if s.Endpoint == "" || s.Key != "" || s.Identity.Credential != nil { // else the settings say why
		d.service(ctx, s, stored, func() policy.Policy { <-ruled.ended; return rules.Policy })
	}
	<-ruled.ended
	d.holdOuts(ctx, s, filepath.Dir(d.publishedPolicy(c)), rules.Policy)
}

// holdOuts looks at the pictures by which the rules' gates measure: each set once.
func (d *doctor) holdOuts(ctx context.Context, s settings.Settings, root string, rules policy.Policy) {
	archives, err := s.Archives.Blob(nil)
	if err != nil {
		return // another line says why
	}
	sets := holdout.Sets{Blobs: archives, Root: root}
	seen := map[string]bool{}
	for _, rule := range rules.Projects {
		if rule.Promote == nil || rule.Promote.HoldOut == "" || seen[rule.Promote.HoldOut] {
			continue
		}
		place := rule.Promote.HoldOut
		seen[place] = true
		d.ask("hold-out set "+place, func() (string, error) {
			set, err := sets.List(ctx, place)
			var truths holdout.Truths
			if err == nil {
				truths, err = set.Truths(ctx)
			}
			if unusable := holdout.Unusable(""); errors.As(err, &unusable) {
				return "", wrong("Mend it, or name another place in the rule's holdOut", "%s", unusable)
			}
			return fmt.Sprintf("%s, which show %s", count(len(set.Pictures), "picture"), strings.Join(truths.Labels(), ", ")), err
		})
	}
}

// stored are the checks of storage that others need.
type stored struct{ queue, models, state *line }

// policy finds the policy that counts. Where the state container can't be read,
// another line says so.
func (d *doctor) policy(ctx context.Context, s settings.Settings) (policy.InForce, string, error) {
	rules, err := d.inForce(ctx, s)
	if err != nil {
		return rules, "", errReported
	}
	if rules.Fault != nil {
		why, do := remedy.Of(rules.Fault)
		return rules, "", wrong(do+"; until then finished exports are archived, and nothing is asked for or trained", "%s", why)
	}
	text := fmt.Sprintf("mode %s, %s", rules.Mode, count(len(rules.Projects), "rule"))
	if rules.Set {
		text += ", set in " + rules.From
	}
	return rules, text, errors.Join(rules.Doubts...)
}

func settingsText(s settings.Settings) string {
	how := "with an identity"
	if s.Models.Identity().Credential == nil {
		how = "with keys"
	}
	return "complete; storage " + how
}

// notes adds what is worth knowing of the settings and of host.json, where there is
// anything.
func (d *doctor) notes(c *dotnet.Configuration) {
	if c == nil {
		return
	}
	if spelled := settings.Spelled(c); len(spelled) > 0 {
		d.look("other spellings", func() (string, error) {
			return strings.Join(spelled, "; ") + ": the app finds them so, a Functions host on Linux may not", nil
		})
	}
	if _, others := settings.Strays(c); len(others) > 0 {
		d.look("not settings", func() (string, error) { return "nothing reads " + strings.Join(others, ", "), nil })
	}
	if faults := handler.CheckHostJSON(c.Get, d.appRoot(c)); len(faults) > 0 {
		d.look("host.json", func() (string, error) { return "", errors.Join(faults...) })
	}
	if watched, err := telemetry.Open(c.Get, d.version, redact.String); watched != nil || err != nil {
		d.look("OpenTelemetry", func() (string, error) { return "its settings can be used; nothing was sent to try it", err })
	}
}

// storage checks queue, containers and rights.
func (d *doctor) storage(ctx context.Context, s settings.Settings) stored {
	retries := &app.FewRetries().ClientOptions
	queue := d.ask("queue", func() (string, error) {
		if s.Queue == "" {
			return "", errReported
		}
		queues, err := s.Models.Queue(retries)
		if err != nil {
			return "", err
		}
		length, err := overview.QueueLength(ctx, queues, s.Queue)
		if err != nil {
			return "", endsHost(err)
		}
		if err := storage.MayTake(ctx, queues, s.Queue); err != nil {
			return "", endsHost(err)
		}
		return fmt.Sprintf("%s: may read, change and delete; %s, %d in %s%s", s.Queue, count(length.Messages, "message"), length.Poison, s.Queue, storage.PoisonSuffix), nil
	})
	models := d.ask("model container", func() (string, error) {
		return s.ModelContainer + ": may read", s.Models.May(ctx, retries, s.ModelContainer, storage.MayList, storage.MayRead)
	})
	d.ask("copy signature", func() (string, error) {
		delegated, err := storage.MaySign(ctx, s.Models, s.ModelContainer)
		if delegated {
			return "sources are signed by a user delegation key", err
		}
		return "sources are signed by the account key", err
	}, models)
	container := func(name, may string, rights ...storage.Right) func() (string, error) {
		return func() (string, error) {
			if s.Archives.IsZero() { // the settings say why
				return "", errReported
			}
			return name + ": may " + may, s.Archives.May(ctx, retries, name, rights...)
		}
	}
	archive := d.ask("archive", container(s.ArchiveContainer, "read and write", storage.MayList, storage.MayRead, storage.MayWrite))
	state := d.ask("state", container(s.StateContainer, "read, write and delete", storage.MayList, storage.MayRead, storage.MayWrite, storage.MayDelete))
	d.ask("archive's safety", func() (string, error) { return apart(ctx, s) }, archive)
	d.ask("clock", func() (string, error) { return clock(ctx, s) }, archive)
	if s.Host.BlobURL != "" {
		d.ask("host's storage", func() (string, error) { return "may write", storage.HostMayWork(ctx, s.Host, retries) })
	}
	d.destinations(ctx, s)
	return stored{queue, models, state}
}

// destinations checks where others are told what happens, if anybody is. Nothing is sent.
func (d *doctor) destinations(ctx context.Context, s settings.Settings) {
	postman, err := app.OpenEvents(s, nil, nil)
	if err != nil {
		return // the settings say why
	}
	for _, to := range postman.Destinations {
		d.ask("events to "+to.Name(), func() (string, error) {
			ctx, cancel := context.WithTimeout(ctx, reachTime)
			defer cancel()
			return to.Place() + " can be reached", to.Check(ctx)
		})
	}
}

// reachTime is how long a destination of events may take to be reached.
const reachTime = 20 * time.Second

// endsHost adds to a refusal of the queue what it does to the whole app: the Functions
// host takes it for an unhandled exception (QueueListener.ExecuteAsync).
func endsHost(err error) error {
	if !refuses(err) {
		return err
	}
	_, do := remedy.Of(err)
	return &remedy.Error{Cause: err, Do: do + "; until then every Functions host that looks at the queue ends, and with it the sweeps that it would run, unless the app's setting AzureWebJobs.notifications.Disabled is true"}
}

// apart checks who else can overwrite or delete what is in the archive: Custom
// Vision's own identity, which may write to the model container's account, and the
// Functions host, which owns the account of its own things. They can't where the
// archive is in another account, or immutable.
func apart(ctx context.Context, s settings.Settings) (string, error) {
	ofModels, ofHost := s.Archives.Same(s.Models), s.Archives.Same(s.Host)
	if s.ArchiveContainer == s.ModelContainer && ofModels {
		return "", wrong("Give the archive a container of its own in ARCHIVE_CONTAINER, best in another account", "the archive is the model container, where Custom Vision overwrites blobs")
	}
	if !ofModels && !ofHost {
		return "in an account of its own", nil
	}
	archives, err := s.Archives.Blob(nil)
	if err != nil {
		return "", errReported
	}
	immutable, err := storage.Immutable(ctx, archives, s.ArchiveContainer)
	if err != nil {
		return "", errReported
	}
	if immutable {
		return "immutable", nil
	}
	if ofHost {
		return "", wrong("Put it in another account with ArchiveStorage, or give its container an immutability policy",
			"it shares an account with the Functions host, whose key or role lets whoever takes over the function app delete it")
	}
	return "", wrong("Put it in another account with ArchiveStorage, or give its container an immutability policy; scope Custom Vision's roles to the one container and the one queue",
		"it shares an account with the model container, so a role on the account lets Custom Vision's identity overwrite it")
}

// maxSkew is a third of what storage tolerates in signed requests.
const maxSkew = 5 * time.Minute

// clock compares this machine's clock with the storage service's.
func clock(ctx context.Context, s settings.Settings) (string, error) {
	archives, err := s.Archives.Blob(nil)
	if err != nil {
		return "", errReported
	}
	skew, err := storage.ClockSkew(ctx, archives, s.ArchiveContainer)
	if err != nil {
		return "", errReported
	}
	if skew > maxSkew {
		return "", wrong("Set it by the network's time", "this machine's clock differs from the storage service's by %s", skew.Round(time.Second))
	}
	return "right", nil
}

// service checks Custom Vision and each project that the policy names.
func (d *doctor) service(ctx context.Context, s settings.Settings, stored stored, policyInForce func() policy.Policy) {
	var client *customvision.Client
	var projects []customvision.Project
	service := d.ask("Custom Vision", func() (text string, err error) {
		if client, err = app.OpenService(s, app.FewRetries()); err != nil {
			return "", err
		}
		if err = requireService(client); err != nil {
			return "", err
		}
		projects, err = findProjects(ctx, client, "")
		return fmt.Sprintf("answers v3.3; %s", count(len(projects), "project")), err
	})
	domains := map[string]customvision.Domain{}
	exportable := d.ask("domains", func() (string, error) {
		list, err := client.Domains(ctx)
		exportable := 0
		for _, domain := range list {
			domains[domain.ID] = domain
			if domain.Exportable {
				exportable++
			}
		}
		return fmt.Sprintf("%d, models of %d can be exported", len(list), exportable), err
	}, service)
	rules := policyInForce()
	if !exportable.ok() {
		return
	}
	d.rules(rules, projects)
	if s.Key == "" && asksFor(rules) { // a key may do everything
		d.ask("train and export", func() (string, error) {
			return "not refused, as far as a project that isn't there can show", client.Refusal(ctx)
		})
	}
	for _, project := range projects {
		rule, ok := rules.For(project.ID, project.Name)
		if !ok || rule.OfTwin { // sweeps look after a twin, which needs no connection
			continue
		}
		d.ask(aboutProject+project.Name, func() (string, error) {
			if text, err := exportsText(ctx, client, project, rule, domains[customvision.Canonical(project.Settings.DomainID)]); err != nil || !stored.queue.ok() || !stored.models.ok() {
				return text, err // what a project should be connected to, other lines doubt
			}
			return projectText(ctx, client, s, project, domains[customvision.Canonical(project.Settings.DomainID)])
		})
	}
}

// asksFor reports whether a policy may lead to a training or an export.
func asksFor(rules policy.Policy) bool {
	return rules.Mode == policy.Act && slices.ContainsFunc(rules.Projects, func(r policy.Rule) bool { return len(r.Exports) > 0 || r.Retrain != nil })
}

// rules compares the policy's rules with the projects that are there.
func (d *doctor) rules(rules policy.Policy, projects []customvision.Project) {
	names := map[string]string{}
	for _, p := range projects {
		names[p.ID] = p.Name
	}
	for _, rule := range rules.Projects {
		if named := func(p customvision.Project) bool {
			return strings.EqualFold(rule.Project, p.ID) || strings.EqualFold(rule.Project, p.Name)
		}; rule.Project != "*" && !slices.ContainsFunc(projects, named) {
			d.look("policy", func() (string, error) {
				return "", wrong("Name an existing project by name or id, or take the rule out", "a rule names the project %q, and there is none", rule.Project)
			})
		}
	}
	for _, doubt := range policy.DoubledRules(rules, names) {
		d.look("policy", func() (string, error) { return "", doubt })
	}
}

// exportsText is an error if the policy asks for exports that the project doesn't offer.
func exportsText(ctx context.Context, client *customvision.Client, p customvision.Project, rule policy.Rule, domain customvision.Domain) (string, error) {
	if len(rule.Exports) > 0 && !domain.Exportable {
		return "", wrong("Choose a compact domain in the project's settings and train it again, or take it out of the policy",
			"the policy asks for exports, but models of its domain %s can't be exported", domain.Name)
	}
	iterations, err := client.Iterations(ctx, p.ID)
	if err != nil {
		return "", err
	}
	for _, it := range iterations {
		for _, export := range rule.Exports {
			platform, _, _ := strings.Cut(export, ".")
			offered := func(o string) bool { return customvision.SamePlatform(o, platform) }
			if platform != policy.All && it.Status == customvision.StatusCompleted && len(it.ExportableTo) > 0 && !slices.ContainsFunc(it.ExportableTo, offered) {
				return "", wrong("Take it out of the policy, or choose another domain",
					"the policy asks for %s, but its domain %s offers only %s", platform, domain.Name, strings.Join(it.ExportableTo, ", "))
			}
		}
	}
	return "domain " + domain.Name, nil
}

// projectText says how a project is connected. It is an error if it isn't.
func projectText(ctx context.Context, client *customvision.Client, s settings.Settings, p customvision.Project, domain customvision.Domain) (string, error) {
	p, err := connect.ReadBack(ctx, client, p.ID)
	if err != nil {
		return "", err
	}
	want := connect.URIsOf(s)
	do := fmt.Sprintf("Run `%s`; until then the timer finds its models", connectCommand(p.Name, p.ID))
	switch {
	case p.Settings.NotificationQueueURI == "":
		return "", wrong(do, "it is not connected to a queue")
	case !connect.SameURI(p.Settings.NotificationQueueURI, want.Queue):
		return "", wrong(do, "it is connected to another queue: %s", p.Settings.NotificationQueueURI)
	case p.Settings.ExportModelContainerURI == "":
		return "", wrong(do, "it is not connected to a model container")
	case !connect.SameURI(p.Settings.ExportModelContainerURI, want.Container):
		return "", wrong(do, "it is connected to another container: %s", p.Settings.ExportModelContainerURI)
	}
	return "domain " + domain.Name + ", connected", nil
}

// connectCommand is what a person types to connect a project: by its id where its name
// can't be shown as it is.
func connectCommand(name, id string) string {
	if strings.ContainsFunc(name, steers) {
		name = id
	}
	return "visionkeeper connect --project " + quoted(name)
}

// quoted is a text as one word of a shell.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
