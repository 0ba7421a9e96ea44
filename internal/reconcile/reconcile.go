// Package reconcile is where everything is decided. Every cause (a notification,
// the timer, a person) ends in Reconcile, which observes a project, plans by the
// policy what is to be done, acts, and plans again until only waits and conditions
// remain. A cause is never believed further than that there may be something to see.
//
// The words: a run is one passage over a project; a visit holds what it has seen and
// learnt. A look is what it sees of one iteration. An iteration settles when
// everything asked for it is done; a settled one is not looked at until something
// could have changed. An intent announces an effect (a training, an export) before
// it is sent. A condition is something that can't be done now, with the time of the
// next try. A stranger is a project that the state doesn't know.
//
// Start reading at Reconcile, then Plan, which has no I/O, then act.go.
package reconcile

import (
	"context"
	"errors"
	"time"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/dataset"
	"visionkeeper/internal/holdout"
	"visionkeeper/internal/models"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
	"visionkeeper/internal/telemetry"
)

// Key names what to reconcile: one iteration, or, where Iteration is empty,
// everything of the project that isn't settled. Ids are canonical GUIDs.
type Key struct{ Project, Iteration string }

// Request asks for a reconcile.
type Request struct {
	Key
	// Known is what the service says of the project, where the caller has just asked;
	// nil otherwise.
	Known *customvision.Project
	// Inserted is when the message that asks was put on the queue, in whole seconds.
	// What was looked at since costs one read of the state, and none where this process read
	// or wrote it within Times.LookInterval; what another process looks at now is waited for.
	// Zero where no message asks, or where a look is needed all the same.
	Inserted time.Time
	// Again reports whether the message was delivered before: the process may have died
	// of what it asks for.
	Again bool
	// Patient reports whether who asks about one iteration waits until the pictures of a
	// hold-out set are asked: a person does, a message doesn't.
	Patient bool
	// Ask is what a person asks for besides; nil otherwise.
	Ask *Ask
	// Cause names who asks, for the log: an invocation's id.
	Cause string
}

// Options are what looking and acting need. All but Service are required.
type Options struct {
	// Policy gives the policy that counts now. An error means that it can't be read.
	Policy interface {
		Now(ctx context.Context) (policy.InForce, error)
	}
	// Service is nil where no endpoint is set: then only what lands in the model
	// container is archived.
	Service *customvision.Client
	Archive *archive.Archive
	State   *state.Store
	// Sets are the archive's data sets. Where it is nil, no iteration is deleted whose data
	// set is to be saved.
	Sets   *dataset.Store
	Models *models.Container
	// HoldOuts are the pictures by which the gate of a promotion measures, where the policy
	// names some.
	HoldOuts holdout.Sets
	// Fingerprint is that of the settings and of the program's version: what couldn't
	// be done under another one is tried again.
	Fingerprint string
	// Downloads says which links the service may send us to.
	Downloads Downloads
	// Events are the destinations that the app's settings name, which are told what
	// happened. Without any, no events are kept. A person's command doesn't know them: nil
	// leaves it to the state who is told.
	Events []string
	Times  Times
	Clock  Clock
}

// Reconciler reconciles. It is safe for concurrent use.
type Reconciler struct {
	Options
	pace      pace
	recent    recent
	strangers *strangers
}

// New makes a Reconciler. Nothing is asked of anybody yet.
func New(o Options) *Reconciler {
	return &Reconciler{
		Options: o, pace: pace{clock: o.Clock, interval: o.Times.LookInterval, lanes: map[string]*lane{}},
		recent:    recent{clock: o.Clock, interval: o.Times.LookInterval, known: map[string]knownState{}},
		strangers: newStrangers(o.Clock, o.Times.LookInterval),
	}
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
	Suffix   string   // of the blob hosts of Custom Vision's cloud, such as blob.core.windows.net
	Loopback []string // host:port pairs taken besides, on this machine only
}

// Report is what a run saw last and what it did.
type Report struct {
	Key
	Name string // of the project, as far as it is known
	// Outside reports whether the policy leaves the project alone; nothing was looked at.
	Outside bool
	// Seen reports whether what was asked for was looked at since the message was sent;
	// nothing was looked at now. Looked is what those looks found; Unsettled reports whether
	// one of them left something to wait for.
	Seen, Unsettled bool
	Looked          map[string]state.Looked
	// Unlisted reports whether an iteration that was asked for isn't in the service's
	// list: it may come, or a message names one that never was.
	Unlisted   bool
	Iterations []customvision.Iteration
	// Removed are those that were among them until this run deleted them.
	Removed    []customvision.Iteration
	Looks      map[string]*Look
	Done       []Action
	Waiting    []Action
	Observed   []Action // what would be done, but the policy only observes
	Failed     []Failure
	Conditions []state.Condition
	// Unseen reports whether an iteration couldn't be looked at; Failed says which.
	Unseen bool
	// ContainerOnly reports whether no endpoint is set; Blobs is what the model container
	// holds of the iterations that were asked for.
	ContainerOnly bool
	Blobs         []models.Blob
	// Twin is the compact twin that a person asked for last; nil where nobody did.
	Twin *state.Twin
	// Untold reports whether the state has events that not every destination has yet.
	Untold bool
	// Unmeasured reports whether pictures of a hold-out set are still to be asked, which a
	// sweep leaves until all backups are made.
	Unmeasured bool
	state.Counts
}

// Err joins the failures of an iteration, or of everything where it is empty.
func (r Report) Err(iteration string) error {
	var errs []error
	for _, f := range r.Failed {
		if iteration == "" || f.Iteration == iteration {
			errs = append(errs, f.Err)
		}
	}
	return errors.Join(errs...)
}

// ErrUnknownProject says that the service has no such project.
var ErrUnknownProject = errors.New("there is no such project in Custom Vision")

// Reconcile looks at what the request names and does what the policy asks. Calls for
// one project run one after another; those that wait meanwhile share the next run,
// and while the project waits for the service that run begins no earlier than
// Times.LookInterval after the last. A call to which is known already what it asks for
// waits for nothing. An error means that the run didn't look at
// everything, or could not record what it learnt: ask again. What single things
// failed stands in the report.
func (r *Reconciler) Reconcile(ctx context.Context, req Request) (Report, error) {
	s := req.scope()
	if v := r.recall(ctx, s); v != nil {
		report := Report{Key: Key{Project: s.project}, ContainerOnly: r.Service == nil}
		v.report(&report)
		return report, nil
	}
	return r.pace.join(ctx, s, req.Cause, r.run)
}

func (r Request) scope() scope {
	s := scope{project: r.Project, known: r.Known, again: r.Again, ask: r.Ask, measures: r.Iteration == "" || r.Patient}
	if r.Iteration != "" {
		s.iterations = map[string]time.Time{r.Iteration: r.Inserted}
	}
	return s
}

// run is one run for a project, and a span.
func (r *Reconciler) run(ctx context.Context, s scope) (Report, error) {
	ctx, span := telemetry.Start(ctx, "reconcile", telemetry.String("project", s.project))
	report, err := r.pass(ctx, s)
	span.Set(telemetry.String("name", report.Name))
	span.End(errors.Join(err, report.Err("")))
	return report, err
}

// pass looks at a project, and acts.
func (r *Reconciler) pass(ctx context.Context, s scope) (Report, error) {
	report := Report{Key: Key{Project: s.project}, ContainerOnly: r.Service == nil}
	if r.Service == nil && !s.whole {
		if err := r.listBlobs(ctx, &s); err != nil {
			return report, err
		}
	}
	for _, b := range s.blobs {
		if _, asked := s.iterations[b.Iteration]; asked {
			report.Blobs = append(report.Blobs, b)
		}
	}
	v, err := r.observe(ctx, s)
	if errors.Is(err, errOvertaken) {
		s.states = nil
		v, err = r.observe(ctx, s)
	}
	switch {
	case v == nil:
		return report, err
	case err != nil: // what was learnt is kept
		err = errors.Join(err, v.saveLast(ctx))
	case v.outside && s.whole: // under which name, and that nothing of it is to be done
		err = v.saveLast(ctx)
	case !v.outside && !v.known:
		if err = v.act(ctx); !v.elsewhere {
			err = errors.Join(v.blind, err)
		}
	}
	if err == nil && len(s.iterations) > 0 {
		r.recent.note(s.project, knownState{*v.record, v.saved})
	}
	v.report(&report)
	return report, err
}

// listBlobs finds what the model container holds of a project.
func (r *Reconciler) listBlobs(ctx context.Context, s *scope) error {
	for b, err := range r.Models.Blobs(ctx, s.project) {
		if err != nil {
			return err
		}
		s.blobs = append(s.blobs, b)
	}
	return nil
}

func (v *visit) report(r *Report) {
	r.Name, r.Outside, r.Seen, r.Unseen = v.seen.Project.Name, v.outside, v.known, v.unseen || v.blind != nil && !v.elsewhere
	r.Iterations, r.Looks, r.Done, r.Waiting, r.Failed = v.seen.Iterations, v.seen.Looks, v.done, v.waiting, v.failed
	r.Removed = v.removed
	r.Observed, r.Untold, r.Twin, r.Unmeasured = v.observed, v.record.Outbox.Open(), v.seen.Project.Twin, v.unmeasured
	if !v.outside {
		r.Conditions, r.Counts = v.conditions(), v.counts()
	}
	for id := range v.scope.iterations {
		r.Unlisted = r.Unlisted || !v.listedAt.IsZero() && !v.outside && !v.known && v.iteration(id) == nil
		if !v.known {
			continue
		}
		if r.Looked == nil {
			r.Looked = map[string]state.Looked{}
		}
		switch known := v.seen.Project.Iterations[id]; {
		case known.Looked != nil:
			r.Looked[id], r.Unsettled = *known.Looked, true
		case known.Settled != nil:
			r.Looked[id] = state.Looked{At: known.Settled.At, Rule: known.Settled.Rule, Done: known.Settled.Done}
		}
	}
}

// ConnectionTested records that Custom Vision's test message for a project came. Of
// a project that the policy leaves alone nothing is recorded.
func (r *Reconciler) ConnectionTested(ctx context.Context, project string) error {
	record, err := r.State.Load(ctx, project)
	if err != nil {
		return err
	}
	v := r.visit(scope{project: project}, record)
	if record.Name != "" {
		if err := v.applyPolicy(ctx); err != nil || v.outside {
			return err
		}
	}
	// A message may be forged: it must not fill the state, nor cost many calls.
	tested := record.ConnectionTest
	if r.Service != nil && (record.Name == "" || tested == nil || r.Clock.Now().Sub(*tested) >= r.Times.LookInterval) {
		if err := v.meet(ctx); err != nil {
			return err
		}
	}
	switch err := v.applyPolicy(ctx); {
	case err != nil:
		return err
	case v.outside && record.Name != "": // its messages go by its name
		return v.save(ctx)
	case v.outside:
		return nil
	}
	if r.Service != nil && v.seen.Project.Seen.IsZero() {
		if err := v.listIterations(ctx); err != nil {
			return err
		}
		v.begin()
	}
	at := r.Clock.Now().UTC()
	v.learn(func(p *state.Project) { p.ConnectionTest = &at })
	return v.save(ctx)
}

// Retry makes the conditions that a scope of a project covers due now, and returns
// how many there are. The next run tries them.
func (r *Reconciler) Retry(ctx context.Context, project string, s state.Scope) (int, error) {
	record, err := r.State.Load(ctx, project)
	if err != nil {
		return 0, err
	}
	n := 0
	err = r.State.Update(ctx, record, func(p *state.Project) error {
		n = p.Retry(s)
		return nil
	})
	return n, err
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
