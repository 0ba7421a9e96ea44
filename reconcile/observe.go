package reconcile

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"visionkeeper/archive"
	"visionkeeper/customvision"
	"visionkeeper/state"
)

// visit is one run for a project the API knows: what was seen, and what is done
// about it.
type visit struct {
	*Reconciler
	rules  Rules
	record *state.Record
	seen   Observed
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
	v := &visit{Reconciler: r, record: record}
	if s.name == "" && record.Name == "" {
		p, err := r.project(ctx, s.project)
		if err != nil {
			return nil, err
		}
		s.name = p.Name
	}
	v.seen = Observed{Now: record.Seen, Project: record.Clone(), Looks: map[string]*Look{}, Failed: map[Action]bool{}}
	if s.name != "" && s.name != record.Name {
		v.learn(func(p *state.Project) { p.Name = s.name })
	}
	rule, ok := r.Policy.For(s.project, v.seen.Project.Name)
	if !ok {
		return nil, nil
	}
	v.rules = Rules{Rule: rule, Mode: r.Policy.Mode, StuckAfter: r.Times.StuckAfter, Grace: r.Times.IntentGrace, SettledFor: r.Times.SettledFor}

	if v.seen.Iterations, err = r.Service.Iterations(ctx, s.project); err != nil {
		var refused *customvision.Error
		if errors.As(err, &refused) && refused.Status == http.StatusNotFound {
			return nil, fmt.Errorf("project %s: %w", s.project, ErrUnknownProject)
		}
		return nil, fmt.Errorf("list the iterations of project %s: %w", s.project, err)
	}
	v.canonicalIDs()
	return v, v.look(ctx, s)
}

// canonicalIDs makes the service's ids comparable to ours.
func (v *visit) canonicalIDs() {
	for i := range v.seen.Iterations {
		if id, err := customvision.ParseID(v.seen.Iterations[i].ID); err == nil {
			v.seen.Iterations[i].ID = id
		}
	}
}

// look sees the exports and backups of the iterations that need it. One listing
// serves all of them.
func (v *visit) look(ctx context.Context, s scope) error {
	var ids []string
	for _, it := range v.seen.Iterations {
		if it.Status == customvision.StatusCompleted && (s.iterations[it.ID] || !settled(v.rules, v.seen, it)) {
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
	backups, err := v.Archive.Backups(ctx, s.project, only)
	if err != nil {
		return err
	}
	for _, id := range ids {
		exports, err := v.Service.Exports(ctx, s.project, id)
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
