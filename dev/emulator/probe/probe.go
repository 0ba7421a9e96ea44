// Package probe asks a Custom Vision resource those of the emulator's questions that
// do no harm. It makes projects of its own, two at a time at most, and deletes them.
// It trains, exports and publishes nothing, and what else is in the resource it only
// reads. Start reading at Probe and asks.
package probe

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"visionkeeper/dev/emulator"
	"visionkeeper/internal/clouds"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/remedy"
)

// Options are what a probe needs. Endpoint and Key are required.
type Options struct {
	Endpoint string // of the training resource
	Key      string // one of its two keys

	// Limit is that of customvision.ClientOptions.
	Limit customvision.Limit

	// Notef says what was made and what was deleted. Nil says nothing.
	Notef func(format string, args ...any)
}

// Probe asks one resource once. Use New.
type Probe struct {
	base, key string
	notef     func(format string, args ...any)
	client    *customvision.Client // v3.3
	api       *customvision.Client // the version that has the storage addresses

	existing []customvision.Project // those that were there before
	exports  []export               // theirs, once read
	read     bool

	name string               // that names of the probe's projects begin with
	own  customvision.Project // the one that lives through the probe
	made map[string]string    // names of all that weren't deleted yet, by id
	lost bool                 // whether the answer to the making of one was lost

	pause time.Duration // between two tries to delete

	uris uris // how the resource treats storage addresses, as seen so far
}

// New returns a probe. The error says what is wrong with the endpoint or the key;
// nothing is asked yet.
func New(o Options) (*Probe, error) {
	client, err := customvision.NewClientWithKey(o.Endpoint, o.Key, &customvision.ClientOptions{Limit: o.Limit})
	if err != nil {
		return nil, err
	}
	if o.Notef == nil {
		o.Notef = func(string, ...any) {}
	}
	return &Probe{
		base: strings.TrimRight(strings.TrimSpace(o.Endpoint), "/"), key: strings.TrimSpace(o.Key), notef: o.Notef,
		client: client, api: client,
		name: "visionkeeper-probe-" + strings.ToLower(rand.Text()), made: map[string]string{}, pause: 2 * time.Second,
	}, nil
}

// Plan says what Run does, for a person who decides whether it may.
func (r *Probe) Plan() string {
	return `The probe asks ` + r.base + `.
It makes a project of its own, at times a second one, and deletes both.
With them it tries names, storage addresses of an account that doesn't exist, a copy,
and a training without pictures, which the service refuses.
It reads the lists of the resource's projects, iterations and exports, and up to three
exported packages.
It trains, exports and publishes nothing, and changes nothing that is there.
`
}

// Finding is what a probe found out about one question.
type Finding struct {
	Question emulator.Question
	Answer   string // one of the question's answers, or "" if none was seen
	Why      string // why there is no answer
}

// Run asks. It returns a finding for every question of the emulator, or for those
// before an error. The error is that of ctx, or that nothing could be asked, or that a
// project of its own is left. Projects are deleted after an error and after the end of
// ctx, too; that takes two minutes at most. No text holds the key.
func (r *Probe) Run(ctx context.Context) (findings []Finding, err error) {
	if r.existing, err = r.client.Projects(ctx); err != nil { // shows that endpoint and key are right
		return nil, fmt.Errorf("read the projects of the resource: %w", err)
	}
	defer func() { err = errors.Join(err, r.cleanUp(ctx)) }()
	for _, a := range asks {
		f := Finding{Question: a.question, Why: a.harm}
		if a.ask != nil {
			var unanswered error
			f.Answer, unanswered = a.ask(r, ctx)
			switch {
			case ctx.Err() != nil:
				return findings, ctx.Err()
			case r.own.ID == "":
				return findings, fmt.Errorf("make a project for the probe: %w", unanswered)
			case unanswered != nil:
				f.Answer, f.Why = "", unanswered.Error()
			}
		}
		findings = append(findings, f)
	}
	return findings, nil
}

// ask is how a question is asked.
type ask struct {
	question emulator.Question
	ask      func(*Probe, context.Context) (answer string, err error)
	harm     string // why it isn't asked
}

const (
	trains   = "it takes a training, which costs money"
	exports  = "it takes a training and an export"
	messages = "it takes a queue or a container, into which the service would write"
)

// asks has every question, in the order in which they are asked: StorageURIs makes
// the project that the others use, and ValidationCode needs it without tags.
var asks = []ask{
	{emulator.StorageURIs, (*Probe).storageURIs, ""},
	{emulator.PatchURIs, (*Probe).patchURIs, ""},
	{emulator.PatchWithoutURIs, (*Probe).patchWithoutURIs, ""},
	{emulator.PatchEmptyURIs, (*Probe).patchEmptyURIs, ""},
	{emulator.ImportedURIs, (*Probe).importedURIs, ""},
	{emulator.NewIteration, (*Probe).newIteration, ""},
	{emulator.ValidationCode, (*Probe).validationCode, ""},
	{emulator.ProjectNames, (*Probe).projectNames, ""},
	{emulator.NameLength, (*Probe).nameLength, ""},
	{emulator.SubscriptionKey, (*Probe).subscriptionKey, ""},
	{emulator.IterationOrder, (*Probe).iterationOrder, ""},
	{emulator.DownloadURI, (*Probe).downloadURI, ""},
	{emulator.ArtifactsOnV33, (*Probe).artifactsOnV33, ""},
	{emulator.CoreMLPackage, (*Probe).coreMLPackage, ""},
	{emulator.ManifestFlavor, (*Probe).manifestFlavor, ""},
	{emulator.ConnectionTest, nil, messages},
	{emulator.UnchangedURI, nil, messages},
	{emulator.BlobNames, nil, messages},
	{emulator.ModelURI, nil, messages},
	{emulator.FailedModelURI, nil, messages},
	{emulator.MessageTiming, nil, messages},
	{emulator.MessageEncoding, nil, messages},
	{emulator.SecondFlavor, nil, exports},
	{emulator.RepeatAfterFailure, nil, exports},
	{emulator.NewerVersion, nil, exports},
	{emulator.UnlistedFlavors, nil, exports},
	{emulator.PublishOverwrite, nil, trains},
	{emulator.TrainAfterFailure, nil, trains},
	{emulator.DeletePublished, nil, trains},
	{emulator.TrainWhileImporting, nil, trains},
}

// create makes a project by one of the client's calls. Neither this nor a copy is cut
// short by the end of ctx, so that it is known what there is to delete.
func (r *Probe) create(ctx context.Context, call func(context.Context, customvision.CreateProjectOptions) (customvision.Project, error), a addresses) (customvision.Project, error) {
	if err := ctx.Err(); err != nil {
		return customvision.Project{}, err
	}
	p, err := call(context.WithoutCancel(ctx), customvision.CreateProjectOptions{
		Name: r.name, ExportModelContainerURI: a.container, NotificationQueueURI: a.queue,
	})
	if err == nil {
		r.remember(p)
	}
	r.lost = r.lost || customvision.Lost(err)
	return p, err
}

func (r *Probe) remember(p customvision.Project) {
	r.made[p.ID] = p.Name
	r.notef("Made the project %s (%s).", p.Name, p.ID)
}

// delete deletes a project of the probe's own.
func (r *Probe) delete(ctx context.Context, id string) error {
	if err := r.client.DeleteProject(ctx, id); err != nil && !customvision.NotFound(err) {
		return err
	}
	r.notef("Deleted the project %s (%s).", r.made[id], id)
	delete(r.made, id)
	return nil
}

const (
	deleteTime  = 2 * time.Minute // for deleting all
	deleteTries = 5
)

// cleanUp deletes the projects of the probe, also those whose making had no answer: it
// finds them by their name.
func (r *Probe) cleanUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deleteTime)
	defer cancel()
	var unseen, last error
	for try := range deleteTries {
		if try > 0 && !sleep(ctx, r.pause) {
			break
		}
		all, err := r.client.Projects(ctx)
		if unseen = err; err == nil {
			for _, p := range all {
				if strings.HasPrefix(p.Name, r.name) {
					r.made[p.ID] = p.Name
				}
			}
		}
		for id := range r.made {
			if err := r.delete(ctx, id); err != nil {
				last = err
			}
		}
		if unseen == nil && len(r.made) == 0 && (!r.lost || try > 0) { // a lost one may come late
			return nil
		}
	}
	const do = "delete it at https://www.customvision.ai, or in your program with DeleteProject"
	var left []error
	for id, name := range r.made {
		left = append(left, remedy.New(do, "the project %s (%s), which the probe made, is left: %w", name, id, last))
	}
	if unseen != nil && len(left) == 0 {
		left = append(left, remedy.New(do, "a project whose name begins with %s may be left: %w", r.name, unseen))
	}
	return errors.Join(left...)
}

// sleep waits, and reports whether ctx still runs.
func sleep(ctx context.Context, pause time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(pause):
		return true
	}
}

// addresses are the storage addresses of a project.
type addresses struct{ container, queue string }

// nowhere is addresses in an account that doesn't exist, so nobody gets what the
// service sends there. Each call has another one.
func (r *Probe) nowhere() addresses {
	account := "vkprobe" + strings.ToLower(rand.Text()[:17])
	suffix := clouds.Of(r.base).StorageSuffix
	return addresses{
		container: "https://" + account + ".blob." + suffix + "/probe",
		queue:     "https://" + account + ".queue." + suffix + "/probe",
	}
}

func addressesOf(p customvision.Project) addresses {
	return addresses{p.Settings.ExportModelContainerURI, p.Settings.NotificationQueueURI}
}

// refused reports whether the service refused what a call asked for.
func refused(err error) bool {
	var e *customvision.Error
	return errors.As(err, &e) && e.Status == 400
}

// one returns the only value of all that were seen, as long as they agree.
func one(seen []string) (string, bool) {
	seen = slices.Compact(slices.Sorted(slices.Values(seen)))
	if len(seen) != 1 {
		return "", false
	}
	return seen[0], true
}
