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

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
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
	// Unproven counts the finished exports without a backup, Oldest is the
	// earliest of their iterations' trainings; Blocked is how many were given up.
	Unproven int
	Oldest   time.Time
	Blocked  int
}

// ErrUnknownProject says that the service has no such project.
var ErrUnknownProject = errors.New("there is no such project in Custom Vision")

// Reconcile looks at what the key names and does what the policy asks. Calls for
// one project run one after another; those that wait meanwhile share the next
// run, and while the project waits for the service that run begins no earlier
// than Times.LookInterval after the last. An error means that something is left
// to do: the message should come again, or the sweep will.
func (r *Reconciler) Reconcile(ctx context.Context, key Key) (Report, error) {
	s := scope{project: key.Project}
	if key.Iteration != "" {
		s.iterations = map[string]bool{key.Iteration: true}
	}
	return r.pace.join(ctx, s)
}

// run is one run for a project.
func (r *Reconciler) run(ctx context.Context, s scope) (Report, error) {
	if r.Service == nil || s.vanished {
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
	v.sum(&report)
	if err == nil {
		err = ctx.Err()
	}
	return report, err
}

// ConnectionTested records that Custom Vision's test message for a project came.
func (r *Reconciler) ConnectionTested(ctx context.Context, project string) error {
	record, err := r.State.Load(ctx, project)
	if err != nil {
		return err
	}
	v := r.visit(scope{project: project}, record)
	if r.Service != nil {
		// A message alone may be forged: it must not fill the state.
		if err := v.ask(ctx); err != nil {
			return err
		}
		if record.Empty() {
			if err := v.listIterations(ctx); err != nil {
				return err
			}
			v.begin(ctx)
		}
	}
	at := r.Clock.Now().UTC()
	v.learn(func(p *state.Project) { p.ConnectionTest = &at })
	return v.save(ctx)
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
