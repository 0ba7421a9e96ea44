package reconcile

import (
	"context"
	"slices"
	"time"

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
	// askedAt, listedAt and weighedAt are when the project, its iterations and what makes a
	// training worth it were last asked for; othersWrote is when it last showed that another
	// process had written the state.
	askedAt, listedAt, weighedAt, othersWrote time.Time
	began                                     time.Time // by the storage service's, when the run began
	// changes are what the run has learnt since the last write; saved is when that was.
	changes []func(*state.Project)
	saved   time.Time
	looking string // the token of what the state says of this look; "" where it says nothing
	unsure  bool   // a write failed, and may have been carried out
	asked   int    // calls for remembered iterations that the list lacks

	importing bool      // the service says so
	modified  time.Time // when the service says that the project last changed
	outside   bool      // the policy leaves the project alone
	known     bool      // what was asked for was looked at since: nothing was looked at
	unseen    bool      // an iteration couldn't be looked at
	deleted   bool      // the service itself says that there is no such project
	// blind is why the service didn't show the project's iterations. What lies in the
	// model container is all there is to see then, and nothing rests on what isn't seen.
	blind error
	// elsewhere reports whether that is since another resource seems to have the project: a
	// condition, which is all there is to see.
	elsewhere bool
	done      []Action
	waiting   []Action
	observed  []Action // effects that the policy's mode keeps from being had
	failed    []Failure
	removed   []customvision.Iteration // that this run deleted
	// unmeasured reports whether pictures of a hold-out set are still to be asked.
	unmeasured bool
	// kept are backups of iterations that are gone, of which others may have to be told.
	kept []archive.Backup
}

func (r *Reconciler) visit(s scope, record *state.Record) *visit {
	now := r.Clock.Now()
	v := &visit{Reconciler: r, scope: s, record: record, loaded: now, saved: now, began: record.Seen, seen: Observed{
		Now: record.Seen, Project: record.Clone(), Looks: map[string]*Look{}, Gone: map[string]bool{}, Tried: map[Step]bool{},
	}}
	if s.blobsKnown {
		v.seen.Held = map[string][]models.Blob{}
		for _, b := range s.blobs {
			v.seen.Held[b.Iteration] = append(v.seen.Held[b.Iteration], b)
		}
	}
	return v
}

// inService reports whether there is a service that lists the project.
func (v *visit) inService() bool { return v.Service != nil && !v.scope.vanished }

// applyPolicy finds the rule that counts now for the project, by its id or by its
// name as it is known. If there is none, the project is outside.
func (v *visit) applyPolicy(ctx context.Context) error {
	inForce, err := v.Policy.Now(ctx)
	if err != nil {
		return err
	}
	rule, ok := inForce.For(v.record.ID, v.seen.Project.Name)
	v.outside = !ok
	v.rules = Rules{
		Rule: rule, Mode: inForce.Mode, Under: rule.Hash() + "-" + string(inForce.Mode) + "-" + v.Fingerprint,
		StuckAfter: v.Times.StuckAfter, Grace: v.Times.IntentGrace, SettledFor: v.Times.SettledFor, Ask: v.scope.ask,
	}
	if v.scope.ask != nil {
		v.outside = false
		for id := range v.scope.iterations {
			v.rules = v.scope.ask.rules(v.rules, v.seen, id)
		}
	}
	return nil
}

// isSeenSince reports whether all that was asked for was looked at after the message
// about it was put on the queue. The host gives that time in whole seconds, and so does
// the storage service.
func (v *visit) isSeenSince() bool {
	if v.scope.whole || len(v.scope.iterations) == 0 {
		return false
	}
	for id, inserted := range v.scope.iterations {
		record := v.seen.Project.Iterations[id]
		if inserted.IsZero() || record == nil || anyDue(v.rules, v.seen, id) {
			return false
		}
		since := func(at time.Time, rule string) bool {
			return rule == v.rules.hash() && at.After(inserted.Add(time.Second))
		}
		if s, l := record.Settled, record.Looked; !(s != nil && since(s.At, s.Rule) || l != nil && since(l.At, l.Rule)) {
			return false
		}
	}
	return true
}

// iteration finds an iteration in the service's list; nil where it isn't there.
func (v *visit) iteration(id string) *customvision.Iteration {
	i := slices.IndexFunc(v.seen.Iterations, func(it customvision.Iteration) bool { return it.ID == id })
	if i < 0 {
		return nil
	}
	return &v.seen.Iterations[i]
}

// saw reports whether the exports of an iteration were seen.
func (v *visit) saw(iteration string) bool {
	look := v.seen.Looks[iteration]
	return look != nil && !look.Unlisted
}

// now is the storage service's time, counted on from when it was read.
func (v *visit) now() time.Time { return v.seen.Now.Add(v.Clock.Now().Sub(v.loaded)) }

// learn changes what is known of the project now, and in the state with the next write.
func (v *visit) learn(change func(*state.Project)) {
	change(&v.seen.Project)
	v.changes = append(v.changes, change)
}

// shown learns whether the service showed a thing: the project, or an iteration's
// exports. What it didn't show is a condition until it does.
func (v *visit) shown(s state.Scope, err error) {
	switch c := v.seen.Project.Condition(s); {
	case err != nil:
		v.learn(func(p *state.Project) {
			note(p, s, idle(err), fault{code: state.Unseen, why: err.Error()}, false, v.rules.Under, v.now())
		})
	case c != nil:
		v.learn(func(p *state.Project) { p.Clear(s) })
	}
}

// archived learns that a blob of the model container needs no further look.
func (v *visit) archived(iteration, blob, etag string) {
	v.learn(func(p *state.Project) { knowArchived(p, iteration, blob, etag) })
}

func knowArchived(p *state.Project, iteration, blob, etag string) {
	p.Iteration(iteration).Archived(blob, etag)
	p.Clear(state.Scope{Iteration: iteration, Blob: blob, ETag: etag})
}

// save writes what was learnt since the last write.
func (v *visit) save(ctx context.Context) error {
	if len(v.changes) == 0 && len(v.Events) == 0 && v.record.Outbox == nil {
		return nil
	}
	known := v.record.Revision
	if v.unsure {
		current, err := v.State.Load(ctx, v.record.ID)
		if err != nil {
			return err
		}
		*v.record, v.unsure = *current, false
	}
	if err := v.State.Update(ctx, v.record, func(p *state.Project) error {
		if p.Revision != known {
			v.othersWrote = v.Clock.Now()
		}
		v.apply(p)
		v.keepLook(p)
		return nil
	}); err != nil {
		v.unsure = true
		return err
	}
	v.written()
	return nil
}

// written takes over what the state holds now.
func (v *visit) written() {
	v.changes, v.saved = nil, v.Clock.Now()
	v.seen.Project = v.record.Clone()
}

// apply makes all changes so far in what another writer may have left, with the events
// that belong to them.
func (v *visit) apply(p *state.Project) {
	for _, change := range v.changes {
		change(p)
	}
	v.tell(p)
}
