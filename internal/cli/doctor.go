package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/settings"
	"visionkeeper/internal/storage"
)

// examine looks at everything, the lowest things first.
func (d *doctor) examine(ctx context.Context) {
	var s settings.Settings
	var getenv func(string) string
	if !d.look("settings", func() (text string, err error) {
		if s, getenv, err = d.settings(); getenv == nil {
			return "", err
		}
		return settingsText(s), errors.Join(err, missing(getenv))
	}) && s.Models.IsZero() {
		return // nothing to look with
	}
	var rules policy.Policy
	d.look("policy", func() (text string, err error) {
		rules, err = policy.Load(filepath.Join(d.appRoot(getenv), policyName))
		if err != nil {
			return "", wrong("Mend it; until then finished exports are archived, and nothing is asked for or trained", "%s", err)
		}
		return fmt.Sprintf("mode %s, %s", rules.Mode, count(len(rules.Projects), "rule")), nil
	})
	d.storage(ctx, s)
	d.service(ctx, s, rules)
}

func settingsText(s settings.Settings) string {
	how := "with keys"
	if len(s.Models.Secrets()) == 0 {
		how = "with an identity"
	}
	return "complete; storage " + how
}

// missing says which settings the Functions host needs that aren't set.
func missing(getenv func(string) string) error {
	var errs []error
	for _, name := range settings.Unset(getenv) {
		errs = append(errs, wrong("Set it, as local.settings.json.example does", "%s is not set, and the Functions host needs it", name))
	}
	return errors.Join(errs...)
}

// storage looks at queue, containers and rights.
func (d *doctor) storage(ctx context.Context, s settings.Settings) {
	d.look("queue", func() (string, error) {
		if s.Queue == "" {
			return "", errTold
		}
		queues, err := s.Models.Queue(nil)
		if err != nil {
			return "", err
		}
		depth, err := queueDepth(ctx, s)
		if err != nil {
			return "", err
		}
		if err := storage.MayTake(ctx, queues.NewQueueClient(s.Queue), s.Queue); err != nil {
			return "", err
		}
		return fmt.Sprintf("%s: may read and delete; %s, %d in %s%s", s.Queue, count(depth.Messages, "message"), depth.Poison, s.Queue, poisonSuffix), nil
	})
	d.look("model container", func() (string, error) {
		blobs, err := s.Models.Blob(nil)
		if err != nil {
			return "", err
		}
		if err := mayList(ctx, blobs, s.ModelContainer); err != nil {
			return "", err
		}
		return s.ModelContainer + ": may read", nil
	})
	d.look("copy signature", func() (string, error) { return signature(ctx, s) })
	archives, err := s.Archives.Blob(nil)
	for _, name := range []string{s.ArchiveContainer, s.StateContainer} {
		part := map[bool]string{true: "archive", false: "state"}[name == s.ArchiveContainer]
		d.look(part, func() (string, error) {
			if err != nil {
				return "", err
			}
			if err := mayList(ctx, archives, name); err != nil {
				return "", err
			}
			return name + ": may read and write", storage.MayWrite(ctx, archives.NewContainerClient(name), name)
		})
	}
	if err == nil {
		d.look("archive's safety", func() (string, error) { return apart(ctx, s, archives) })
		d.look("clock", func() (string, error) { return clock(ctx, archives.NewContainerClient(s.ArchiveContainer)) })
	}
}

func mayList(ctx context.Context, blobs *service.Client, name string) error {
	one := int32(1)
	_, err := blobs.NewContainerClient(name).NewListBlobsFlatPager(&container.ListBlobsFlatOptions{MaxResults: &one}).NextPage(ctx)
	return storage.Explain(fmt.Sprintf("list the container %q", name), err)
}

// signature proves that the app can sign what the storage service is to copy: by
// a link to a blob that isn't there, which is told only to whom may read.
func signature(ctx context.Context, s settings.Settings) (string, error) {
	blobs, err := s.Models.Blob(nil)
	if err != nil {
		return "", err
	}
	link, err := storage.NewSigner(s.Models, blobs).ReadURL(ctx, s.ModelContainer, "visionkeeper-check", time.Minute)
	if err != nil {
		if storage.Status(err) == http.StatusForbidden {
			return "", wrong("Give the identity the role Storage Blob Delegator on the storage account of the model container", "%s", "it may not ask for a user delegation key")
		}
		return "", err
	}
	client, err := blob.NewClientWithNoCredential(link, nil)
	if err != nil {
		return "", err
	}
	if _, err = client.GetProperties(ctx, nil); err != nil && storage.Status(err) != http.StatusNotFound {
		return "", storage.Explain("read by a signed link", err)
	}
	if u, _ := url.Parse(link); u.Query().Has("skoid") {
		return "sources are signed by a user delegation key", nil
	}
	return "sources are signed by the account key", nil
}

// apart proves that Custom Vision's own identity, which may write to the model
// container's account, can't overwrite the archive: it is in another account, or
// immutable.
func apart(ctx context.Context, s settings.Settings, archives *service.Client) (string, error) {
	if s.ArchiveContainer == s.ModelContainer && s.Archives.BlobURL == s.Models.BlobURL {
		return "", wrong("Give the archive a container of its own in ARCHIVE_CONTAINER, best in another account", "the archive is the model container, where Custom Vision overwrites blobs")
	}
	if s.Archives.BlobURL != s.Models.BlobURL {
		return "in an account of its own", nil
	}
	got, err := archives.NewContainerClient(s.ArchiveContainer).GetProperties(ctx, nil)
	if err != nil {
		return "", errTold
	}
	if yes(got.HasImmutabilityPolicy) || yes(got.HasLegalHold) {
		return "immutable", nil
	}
	return "", wrong("Put it in another account with ArchiveStorage, or give its container an immutability policy; scope Custom Vision's roles to the one container and the one queue",
		"it shares an account with the model container, so a role on the account lets Custom Vision's identity overwrite it")
}

func yes(b *bool) bool { return b != nil && *b }

// maxSkew is a third of what storage tolerates in signed requests.
const maxSkew = 5 * time.Minute

// clock compares this machine's clock with the storage service's.
func clock(ctx context.Context, c *container.Client) (string, error) {
	got, err := c.GetProperties(ctx, nil)
	if err != nil || got.Date == nil {
		return "", errTold
	}
	skew := time.Since(*got.Date).Abs()
	if skew > maxSkew {
		return "", wrong("Set it by the network's time", "this machine's clock differs from the storage service's by %s", skew.Round(time.Second))
	}
	return "right", nil
}

// service looks at Custom Vision and at each project that the policy names.
func (d *doctor) service(ctx context.Context, s settings.Settings, rules policy.Policy) {
	var client *customvision.Client
	var projects []customvision.Project
	if !d.look("Custom Vision", func() (text string, err error) {
		if client, err = openService(s, impatient()); err != nil {
			return "", err
		}
		if err = needs(client); err != nil {
			return "", err
		}
		projects, err = findProjects(ctx, client, "")
		return fmt.Sprintf("answers v3.3; %s", count(len(projects), "project")), err
	}) {
		return
	}
	domains := map[string]customvision.Domain{}
	if !d.look("domains", func() (string, error) {
		list, err := client.Domains(ctx)
		exportable := 0
		for _, domain := range list {
			domains[domain.ID] = domain
			if domain.Exportable {
				exportable++
			}
		}
		return fmt.Sprintf("%d, models of %d can be exported", len(list), exportable), err
	}) {
		return
	}
	for _, rule := range rules.Projects {
		if named := func(p customvision.Project) bool {
			return rule.Project == "*" || strings.EqualFold(rule.Project, p.ID) || strings.EqualFold(rule.Project, p.Name)
		}; rule.Project != "*" && !slices.ContainsFunc(projects, named) {
			d.look("policy", func() (string, error) {
				return "", wrong("Name an existing project by name or id, or take the rule out", "a rule names the project %q, and there is none", rule.Project)
			})
		}
	}
	for _, project := range projects {
		rule, ok := rules.For(project.ID, project.Name)
		if !ok {
			continue
		}
		d.look("project "+project.Name, func() (string, error) {
			return projectText(ctx, client, s, project, rule, domains[project.Settings.DomainID])
		})
	}
}

// projectText says what is connected, or what the policy asks that the project
// can't give.
func projectText(ctx context.Context, client *customvision.Client, s settings.Settings, p customvision.Project, rule policy.Rule, domain customvision.Domain) (string, error) {
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
			if it.Status == customvision.StatusCompleted && len(it.ExportableTo) > 0 && !slices.ContainsFunc(it.ExportableTo, offered) {
				return "", wrong("Take it out of the policy, or choose another domain",
					"the policy asks for %s, but its domain %s offers only %s", platform, domain.Name, strings.Join(it.ExportableTo, ", "))
			}
		}
	}
	if p, err = readBack(ctx, client, p.ID); err != nil {
		return "", err
	}
	want := wantedURIs(s)
	connect := fmt.Sprintf("Run `visionkeeper connect --project '%s'`; until then the timer finds its models", p.Name)
	switch {
	case p.Settings.NotificationQueueURI == "":
		return "", wrong(connect, "it is not connected to a queue")
	case !sameURI(p.Settings.NotificationQueueURI, want.queue):
		return "", wrong(connect, "it is connected to another queue: %s", p.Settings.NotificationQueueURI)
	case p.Settings.ExportModelContainerURI == "":
		return "", wrong(connect, "it is not connected to a model container")
	case !sameURI(p.Settings.ExportModelContainerURI, want.container):
		return "", wrong(connect, "it is connected to another container: %s", p.Settings.ExportModelContainerURI)
	}
	return "domain " + domain.Name + ", connected", nil
}
