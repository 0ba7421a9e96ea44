package reconcile

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/rs/zerolog"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/models"
	"visionkeeper/internal/state"
)

// visit is one run for a project: what was seen, and what is done about it.
type visit struct {
	*Reconciler
	scope  scope
	rules  Rules
	record *state.Record
	seen   Observed
	loaded time.Time // by our clock, when seen.Now was read
	// askedAt and listedAt are when the project and its lists were last asked for.
	askedAt, listedAt time.Time
	began             time.Time // by the storage service's, when the run began
	// changes are what the run has learnt since the last write; saved is when that was.
	changes []func(*state.Project)
	saved   time.Time
	unsure  bool // a write failed, and may have been carried out

	outside bool // the policy leaves the project alone
	settled bool // what was asked for is settled since: nothing was looked at
	unseen  bool // an iteration couldn't be looked at
	done    []Action
	waiting []Action
	failed  []Failure
}

func (r *Reconciler) visit(s scope, record *state.Record) *visit {
	now := r.Clock.Now()
	v := &visit{Reconciler: r, scope: s, record: record, loaded: now, saved: now, began: record.Seen, seen: Observed{
		Now: record.Seen, Project: record.Clone(), Looks: map[string]*Look{}, Tried: map[Step]bool{},
	}}
	return v
}

// unknownBlobs are the blobs of the model container that may have to be archived:
// the state doesn't know them in this version, and no condition puts them off.
func (v *visit) unknownBlobs() map[string][]models.Blob {
	put := map[state.Scope]bool{}
	for _, c := range v.seen.Project.Conditions {
		put[c.Scope] = !due(c, v.rules.Under, v.seen.Now)
	}
	unknown := map[string][]models.Blob{}
	for _, b := range v.scope.blobs {
		known := v.seen.Project.Iterations[b.Iteration]
		if (known == nil || known.Blobs[b.Name] != b.ETag) && !put[state.Scope{Iteration: b.Iteration, Blob: b.Name, ETag: b.ETag}] {
			unknown[b.Iteration] = append(unknown[b.Iteration], b)
		}
	}
	return unknown
}

// observe looks once: the state, the list of iterations, and of every iteration
// that needs it the exports and the backups. A settled iteration costs nothing. Of a
// project that the service doesn't list, or where there is no endpoint, the blobs of
// the model container are all there is to see.
func (r *Reconciler) observe(ctx context.Context, s scope) (*visit, error) {
	record, err := r.State.Load(ctx, s.project)
	if err != nil {
		return nil, err
	}
	if record.Lost != nil {
		zerolog.Ctx(ctx).Error().Err(record.Lost).Str("project", s.project).Msg("what was remembered is lost, and is made anew")
	}
	v := r.visit(s, record)
	switch {
	case !v.listed():
	case s.told != nil:
		v.told(*s.told)
	case record.Name == "":
		if err := v.ask(ctx); err != nil {
			return nil, err
		}
	}
	if !v.applyPolicy() {
		return v, nil
	}
	if v.settled = v.isSettledSince(); v.settled {
		return v, nil
	}
	v.seen.Blobs = v.unknownBlobs()
	if !v.listed() {
		return v, v.look(ctx)
	}
	if err := v.listIterations(ctx); err != nil {
		return nil, err
	}
	v.begin()
	return v, v.look(ctx)
}

// listed reports whether there is a service that lists the project.
func (v *visit) listed() bool { return v.Service != nil && !v.scope.vanished }

// applyPolicy finds the rule that counts for the project, by its id or by its name
// as it is known, and reports whether there is one.
func (v *visit) applyPolicy() bool {
	rule, ok := v.Policy.For(v.record.ID, v.seen.Project.Name)
	v.outside = !ok
	v.rules = Rules{
		Rule: rule, Mode: v.Policy.Mode, Under: rule.Hash() + "-" + string(v.Policy.Mode) + "-" + v.Fingerprint,
		StuckAfter: v.Times.StuckAfter, Grace: v.Times.IntentGrace, SettledFor: v.Times.SettledFor,
	}
	return ok
}

// isSettledSince reports whether all that was asked for was settled by a look that
// began after the message about it was put on the queue. The host gives that time
// in whole seconds, and so does the storage service.
func (v *visit) isSettledSince() bool {
	if v.scope.whole || len(v.scope.iterations) == 0 {
		return false
	}
	for id, inserted := range v.scope.iterations {
		record := v.seen.Project.Iterations[id]
		if inserted.IsZero() || record == nil || record.Settled == nil || record.Settled.Rule != v.rules.hash() ||
			!record.Settled.At.After(inserted.Add(time.Second)) || anyDue(v.rules, v.seen, id) {
			return false
		}
	}
	return true
}

// ask learns what the service says of the project.
func (v *visit) ask(ctx context.Context) error {
	p, err := v.Service.Project(ctx, v.record.ID)
	if err != nil {
		return v.unlessGone(ctx, fmt.Errorf("look at project %s: %w", v.record.ID, err))
	}
	v.askedAt = v.Clock.Now()
	v.told(p)
	return nil
}

func (v *visit) told(p customvision.Project) {
	container := p.Settings.ExportModelContainerURI != ""
	if p.Name != v.seen.Project.Name || container != v.seen.Project.Container {
		v.learn(func(s *state.Project) { s.Name, s.Container = p.Name, container })
	}
}

// unlessGone makes ErrUnknownProject of an error that says, in the service's own
// words, that there is no such project. The 404 of a gateway is an outage.
func (v *visit) unlessGone(ctx context.Context, err error) error {
	if !customvision.NotFound(err) {
		return err
	}
	if _, again := v.Service.Project(ctx, v.record.ID); customvision.NotFound(again) {
		return fmt.Errorf("project %s: %w", v.record.ID, ErrUnknownProject)
	}
	return err
}

// begin looks after a project that the app sees for the first time in the service.
// If it has a past, what was remembered of it may have been lost, and with it the
// trainings that were started: the failures so far, and that of a training underway,
// are never answered, and until a sweep has looked at all of it nothing is trained.
func (v *visit) begin() {
	for _, it := range v.seen.Iterations {
		if it.Status == customvision.StatusFailed && v.seen.Project.Iteration(it.ID).Ended.IsZero() {
			v.learn(func(p *state.Project) {
				if p.Iteration(it.ID).Ended.IsZero() {
					p.Iteration(it.ID).Ended = it.LastModified
				}
			})
		}
	}
	if !v.seen.Project.Seen.IsZero() {
		return
	}
	now, all := v.now(), v.seen.Iterations
	v.learn(func(p *state.Project) {
		if !p.Seen.IsZero() {
			return // another process has begun meanwhile, or nothing was lost after all
		}
		p.Seen = now
		for _, it := range all {
			if it.Status == customvision.StatusNew {
				continue
			}
			if it.Status != customvision.StatusTraining {
				p.Rebuilt = true
			}
			// One that is still training may be our own answer to a failure.
			if it.Status != customvision.StatusCompleted && answerTo(p.Trainings, it.ID) == nil {
				p.Trainings = append(p.Trainings, &state.Training{Cause: it.ID, Asked: now, Nothing: "it was trained before the app knew the project"})
			}
		}
	})
}

// listIterations sees the project's iterations, with ids comparable to ours.
func (v *visit) listIterations(ctx context.Context) error {
	all, err := v.Service.Iterations(ctx, v.record.ID)
	if err != nil {
		return v.unlessGone(ctx, fmt.Errorf("list the iterations of project %s: %w", v.record.ID, err))
	}
	v.listedAt = v.Clock.Now()
	v.seen.Iterations, v.seen.Unusable = nil, nil
	for _, it := range all {
		if id, err := customvision.ParseID(it.ID); err == nil {
			it.ID = id
			v.seen.Iterations = append(v.seen.Iterations, it)
		} else {
			v.seen.Unusable = append(v.seen.Unusable, state.Scope{Iteration: shorten(it.ID)})
		}
	}
	return nil
}

// shorten bounds a name of others that is recorded though nothing can be stored
// under it, and takes out of it what could steer a terminal.
func shorten(name string) string {
	const most = 64
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(name, "?"))
	if len(name) > most {
		name = strings.ToValidUTF8(name[:most], "") + "…"
	}
	return name
}

// now is the storage service's time, counted on from when it was read.
func (v *visit) now() time.Time { return v.seen.Now.Add(v.Clock.Now().Sub(v.loaded)) }

// look sees the exports and backups of the iterations that need it.
func (v *visit) look(ctx context.Context) error {
	v.seen.Looks = map[string]*Look{}
	var wanted []string
	for _, it := range v.seen.Iterations {
		_, asked := v.scope.iterations[it.ID]
		if it.Status == customvision.StatusCompleted && (asked || len(v.seen.Blobs[it.ID]) > 0 || !settled(v.rules, v.seen, it)) {
			wanted = append(wanted, it.ID)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(v.seen.Blobs)) { // of iterations that the service doesn't list as completed
		if !slices.Contains(wanted, id) {
			wanted = append(wanted, id)
		}
	}
	backups, err := v.backupsOf(ctx, wanted)
	if err != nil {
		return err
	}
	for _, id := range wanted {
		look := &Look{Backups: backups[id]}
		if it := v.iteration(id); it != nil && it.Status == customvision.StatusCompleted {
			if err := v.listExports(ctx, id, look); err != nil {
				if ctx.Err() != nil {
					return err
				}
				// The others are looked at all the same.
				v.unseen = true
				a := Action{Step: Step{Kind: Inspect, Scope: state.Scope{Iteration: id}}}
				v.fail(v.log(ctx, a), a, err)
				continue
			}
		}
		v.seen.Looks[id] = look
	}
	return nil
}

// mostListings is how many iterations' backups are listed each by itself. A project
// has at most 20 iterations; the model container may still hold blobs of many more.
const mostListings = 20

// backupsOf lists the backups of iterations: each by a listing of its own, since the
// archive of the whole project grows for years, unless they are many.
func (v *visit) backupsOf(ctx context.Context, iterations []string) (map[string][]archive.Backup, error) {
	found := map[string][]archive.Backup{}
	if len(iterations) > mostListings {
		iterations = []string{""}
	}
	for _, id := range iterations {
		backups, err := v.Archive.Backups(ctx, v.record.ID, id)
		if err != nil {
			return nil, err
		}
		for _, b := range backups {
			found[b.Iteration] = append(found[b.Iteration], b)
		}
	}
	return found, nil
}

// listExports sees an iteration's exports, one for each key.
func (v *visit) listExports(ctx context.Context, iteration string, look *Look) error {
	exports, err := v.Service.Exports(ctx, v.record.ID, iteration)
	if err != nil {
		return fmt.Errorf("list the exports of iteration %s: %w", iteration, err)
	}
	look.Exports, look.Unusable = nil, nil
	for _, e := range exports {
		key, err := archive.NewKey(v.record.ID, iteration, e.Platform, e.Flavor)
		if err != nil {
			look.Unusable = append(look.Unusable, quoted(e))
			continue
		}
		look.see(key, e)
	}
	return nil
}

// quoted is what an export is called that nothing can be stored under; no other's
// name has quotes.
func quoted(e customvision.Export) string {
	name := e.Platform
	if e.Flavor != "" {
		name += "." + e.Flavor
	}
	return `"` + shorten(name) + `"`
}

// learn changes what is known of the project now, and in the state with the next write.
func (v *visit) learn(change func(*state.Project)) {
	change(&v.seen.Project)
	v.changes = append(v.changes, change)
}

// iteration finds an iteration in the service's list; nil where it isn't there.
func (v *visit) iteration(id string) *customvision.Iteration {
	i := slices.IndexFunc(v.seen.Iterations, func(it customvision.Iteration) bool { return it.ID == id })
	if i < 0 {
		return nil
	}
	return &v.seen.Iterations[i]
}
