package reconcile

import (
	"context"
	"fmt"
	"slices"
	"time"

	"visionkeeper/archive"
	"visionkeeper/customvision"
	"visionkeeper/state"
)

// visit is one run for a project the API knows: what was seen, and what is done
// about it.
type visit struct {
	*Reconciler
	scope  scope
	rules  Rules
	record *state.Record
	seen   Observed
	loaded time.Time // by our clock, when seen.Now was told
	// changes are what the visit has learnt, to be written with the next write.
	changes []func(*state.Project)

	done, waiting []Action
}

// observe looks once: the state, the list of iterations, and of every iteration
// in scope or unsettled the exports and the backups. A settled iteration costs
// nothing. It returns nil for a project outside the policy.
func (r *Reconciler) observe(ctx context.Context, s scope) (*visit, error) {
	record, err := r.State.Load(ctx, s.project)
	if err != nil {
		return nil, err
	}
	v := &visit{Reconciler: r, scope: s, record: record, loaded: r.Clock.Now()}
	if s.name == "" && record.Name == "" {
		p, err := r.project(ctx, s.project)
		if err != nil {
			return nil, err
		}
		s.name = p.Name
	}
	v.seen = Observed{Now: record.Seen, Project: record.Clone(), Failed: map[Action]bool{}}
	if s.name != "" && s.name != record.Name {
		v.learn(func(p *state.Project) { p.Name = s.name })
	}
	rule, ok := r.Policy.For(s.project, v.seen.Project.Name)
	if !ok {
		return nil, nil
	}
	v.rules = Rules{Rule: rule, Mode: r.Policy.Mode, StuckAfter: r.Times.StuckAfter, Grace: r.Times.IntentGrace, SettledFor: r.Times.SettledFor}

	if err := v.listIterations(ctx); err != nil {
		return nil, err
	}
	return v, v.look(ctx)
}

// listIterations sees the project's iterations, with ids comparable to ours.
func (v *visit) listIterations(ctx context.Context) error {
	iterations, err := v.Service.Iterations(ctx, v.record.ID)
	if err != nil {
		return unlessUnknown(v.record.ID, fmt.Errorf("list the iterations of project %s: %w", v.record.ID, err))
	}
	for i := range iterations {
		if id, err := customvision.ParseID(iterations[i].ID); err == nil {
			iterations[i].ID = id
		}
	}
	v.seen.Iterations = iterations
	return nil
}

// now is the storage service's time, counted on from when it was told.
func (v *visit) now() time.Time { return v.seen.Now.Add(v.Clock.Now().Sub(v.loaded)) }

// look sees the exports and backups of the iterations that need it. One listing
// serves all of them.
func (v *visit) look(ctx context.Context) error {
	v.seen.Looks = map[string]*Look{}
	var ids []string
	for _, it := range v.seen.Iterations {
		if it.Status == customvision.StatusCompleted && (v.scope.iterations[it.ID] || !settled(v.rules, v.seen, it)) {
			ids = append(ids, it.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	only := ""
	if len(ids) == 1 {
		only = ids[0]
	}
	backups, err := v.Archive.Backups(ctx, v.record.ID, only)
	if err != nil {
		return err
	}
	for _, id := range ids {
		exports, err := v.Service.Exports(ctx, v.record.ID, id)
		if err != nil {
			return fmt.Errorf("list the exports of iteration %s: %w", id, err)
		}
		v.seen.Looks[id] = &Look{
			Exports: exports,
			Backups: slices.DeleteFunc(slices.Clone(backups), func(b archive.Backup) bool { return b.Iteration != id }),
		}
	}
	return nil
}

// learn changes what is known of the project now, and in the state with the next write.
func (v *visit) learn(change func(*state.Project)) {
	change(&v.seen.Project)
	v.changes = append(v.changes, change)
}

func (v *visit) iteration(id string) customvision.Iteration {
	i := slices.IndexFunc(v.seen.Iterations, func(it customvision.Iteration) bool { return it.ID == id })
	return v.seen.Iterations[i]
}
