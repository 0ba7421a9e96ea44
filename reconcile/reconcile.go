// Package reconcile is where everything is decided. Every cause (a notification,
// the timer, a person) ends in Reconcile, which looks at a project, plans by the
// policy what is to be done, acts, and plans again until only waiting is left.
// A cause is never believed further than that there may be something to see.
//
// Start reading at Reconcile, then Plan, which has no I/O, then act.go.
package reconcile

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"visionkeeper/archive"
	"visionkeeper/customvision"
	"visionkeeper/policy"
	"visionkeeper/state"
)

// Key names what to reconcile: one iteration, or, where Iteration is empty,
// everything of the project that isn't settled. Ids are canonical GUIDs.
type Key struct{ Project, Iteration string }

// Options are what looking and acting need. All but Service are required.
type Options struct {
	Policy policy.Policy
	// Service is nil where no endpoint is set: then only what lands in the model
	// container is archived.
	Service *customvision.Client
	Archive *archive.Archive
	State   *state.Store
	Models  *Models
	// Downloads says which links the service may send us to.
	Downloads Downloads
	Times     Times
	Clock     Clock
}

// Reconciler reconciles. It is safe for concurrent use.
type Reconciler struct {
	Options
	pace *pace
}

// New makes a Reconciler. Nothing is asked of anybody yet.
func New(o Options) *Reconciler {
	r := &Reconciler{Options: o}
	r.pace = &pace{clock: o.Clock, interval: o.Times.LookInterval, run: r.run, lanes: map[string]*lane{}}
	return r
}

// Times are how long things may take.
type Times struct {
	LookInterval time.Duration // between two looks at a project that waits
	SettledFor   time.Duration // until a settled iteration is looked at again
	StuckAfter   time.Duration // until an export that never ends frees its platform
	IntentGrace  time.Duration // after a dead sender's deadline, until another looks
}

// Clock is the time that reconciling goes by.
type Clock interface {
	Now() time.Time
	// Sleep waits, or returns ctx's error if that ends first.
	Sleep(ctx context.Context, d time.Duration) error
}

// Downloads says which download links are followed.
type Downloads struct {
	Suffix   string   // of the cloud's blob hosts, such as blob.core.windows.net
	Loopback []string // host:port pairs taken besides, on this machine only
}

// Report is what a reconcile saw last and what it did.
type Report struct {
	Key
	// Outside tells a project that the policy leaves alone; nothing was looked at.
	Outside    bool
	Iterations []customvision.Iteration
	Looks      map[string]*Look
	Done       []Action
	Waiting    []Action
	// ContainerOnly tells that no endpoint is set; Blobs counts what the model
	// container holds of the iterations that were asked for.
	ContainerOnly bool
	Blobs         int
}

// ErrUnknownProject says that the service has no such project.
var ErrUnknownProject = errors.New("Custom Vision has no such project")

// Reconcile looks at what the key names and does what the policy asks. Calls for
// one project run one after another; those that wait meanwhile share the next
// run, and while the project waits for the service that run begins no earlier
// than Times.LookInterval after the last. An error means that something is left
// to do: the message should come again, or the sweep will.
func (r *Reconciler) Reconcile(ctx context.Context, key Key) (Report, error) {
	return r.reconcile(ctx, key, "")
}

// reconcile takes the project's name where the caller has just learnt it.
func (r *Reconciler) reconcile(ctx context.Context, key Key, name string) (Report, error) {
	return r.pace.join(ctx, key, name)
}

// run is one run for a project and, in scope, the iterations that were asked for.
func (r *Reconciler) run(ctx context.Context, s scope) (Report, error) {
	if r.Service == nil {
		return r.archiveContainer(ctx, s)
	}
	report := Report{Key: Key{Project: s.project}}
	v, err := r.observe(ctx, s)
	if err != nil {
		return report, err
	}
	if v == nil {
		report.Outside = true
		return report, nil
	}
	err = v.act(ctx)
	report.Iterations, report.Looks, report.Done, report.Waiting = v.seen.Iterations, v.seen.Looks, v.done, v.waiting
	if err == nil {
		err = ctx.Err()
	}
	return report, err
}

// Sweep reconciles every project there is, and says how many. It goes on after
// a failure and returns all errors together.
func (r *Reconciler) Sweep(ctx context.Context) (int, error) {
	if r.Service == nil {
		return r.sweepContainer(ctx)
	}
	projects, err := r.Service.Projects(ctx)
	if err != nil {
		return 0, fmt.Errorf("list the projects: %w", err)
	}
	var errs []error
	n := 0
	for _, p := range projects {
		id, err := customvision.ParseID(p.ID)
		if err != nil {
			errs = append(errs, fmt.Errorf("project %q: %w", p.Name, err))
			continue
		}
		report, err := r.reconcile(ctx, Key{Project: id}, p.Name)
		if err != nil {
			errs = append(errs, fmt.Errorf("project %s: %w", id, err))
		}
		if report.Outside {
			zerolog.Ctx(ctx).Info().Str("project", id).Msg("the policy leaves this project alone")
			continue
		}
		n++
	}
	return n, errors.Join(errs...)
}

// ConnectionTested records that Custom Vision's test message for a project came.
func (r *Reconciler) ConnectionTested(ctx context.Context, project string) error {
	if r.Service != nil {
		// A message alone may be forged: it must not fill the state.
		if _, err := r.project(ctx, project); err != nil {
			return err
		}
	}
	record, err := r.State.Load(ctx, project)
	if err != nil {
		return err
	}
	at := r.Clock.Now().UTC()
	return r.State.Update(ctx, record, func(p *state.Project) error {
		p.ConnectionTest = &at
		return nil
	})
}

func (r *Reconciler) project(ctx context.Context, id string) (customvision.Project, error) {
	p, err := r.Service.Project(ctx, id)
	if err != nil {
		return p, unlessUnknown(id, fmt.Errorf("look at project %s: %w", id, err))
	}
	return p, nil
}

// unlessUnknown tells the answer that there is no such project from other errors.
func unlessUnknown(project string, err error) error {
	var refused *customvision.Error
	if errors.As(err, &refused) && refused.Status == http.StatusNotFound {
		return fmt.Errorf("project %s: %w", project, ErrUnknownProject)
	}
	return err
}

// SystemClock is the machine's own clock.
type SystemClock struct{}

// Now is time.Now.
func (SystemClock) Now() time.Time { return time.Now() }

// Sleep waits for d or the end of ctx.
func (SystemClock) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
