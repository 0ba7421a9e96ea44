package reconcile

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
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

// visit begins with what is remembered.
func (r *Reconciler) visit(s scope, record *state.Record) *visit {
	return &visit{Reconciler: r, scope: s, record: record, loaded: r.Clock.Now(), seen: Observed{
		Now: record.Seen, Project: record.Clone(), Looks: map[string]*Look{}, Failed: map[Action]bool{},
		Blobs: unarchived(record.Project, s.blobs),
	}}
}

// observe looks once: the state, the list of iterations, and of every iteration
// in scope or unsettled the exports and the backups. A settled iteration costs
// nothing. It returns nil for a project outside the policy.
func (r *Reconciler) observe(ctx context.Context, s scope) (*visit, error) {
	record, err := r.State.Load(ctx, s.project)
	if err != nil {
		return nil, err
	}
	v := r.visit(s, record)
	if s.told != nil {
		v.told(*s.told)
	} else if record.Name == "" {
		if err := v.ask(ctx); err != nil {
			return nil, err
		}
	}
	rule, ok := r.Policy.For(s.project, v.seen.Project.Name)
	if !ok {
		return nil, nil
	}
	v.rules = Rules{Rule: rule, Mode: r.Policy.Mode, StuckAfter: r.Times.StuckAfter, Grace: r.Times.IntentGrace, SettledFor: r.Times.SettledFor}

	if err := v.listIterations(ctx); err != nil {
		return nil, err
	}
	v.begin(ctx)
	return v, v.look(ctx)
}

// ask learns what the service says of the project.
func (v *visit) ask(ctx context.Context) error {
	p, err := v.Service.Project(ctx, v.record.ID)
	if err != nil {
		return unlessUnknown(v.record.ID, fmt.Errorf("look at project %s: %w", v.record.ID, err))
	}
	v.told(p)
	return nil
}

func (v *visit) told(p customvision.Project) {
	container := p.Settings.ExportModelContainerURI != ""
	if p.Name != v.seen.Project.Name || container != v.seen.Project.Container {
		v.learn(func(s *state.Project) { s.Name, s.Container = p.Name, container })
	}
}

// begin looks after a project of which nothing is remembered. If it has a past,
// what was remembered of it may have been lost, and with it the trainings that
// were started: the failures so far, and that of a training underway, are never
// answered, and until a sweep has gone over all of it nothing is trained.
func (v *visit) begin(ctx context.Context) {
	if !v.record.Empty() {
		return
	}
	if v.record.Lost != nil {
		zerolog.Ctx(ctx).Error().Err(v.record.Lost).Str("project", v.record.ID).Msg("what was remembered is lost, and is made anew")
	}
	for _, it := range v.seen.Iterations {
		if it.Status == customvision.StatusNew {
			continue
		}
		v.learn(func(p *state.Project) {
			if p.Revision != "" {
				return // another process has begun meanwhile, or nothing was lost after all
			}
			if it.Status != customvision.StatusTraining {
				p.Rebuilt = true
			}
			// One that is still training may be our own answer to a failure.
			if it.Status != customvision.StatusCompleted && answerTo(p.Trainings, it.ID) == nil {
				p.Trainings = append(p.Trainings, &state.Training{Cause: it.ID, Asked: v.now(), Refused: "it was trained before anything was remembered of the project"})
			}
		})
	}
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

// look sees the exports and backups of the iterations that need it, each by a
// listing of its own: the archive of the whole project grows for years.
func (v *visit) look(ctx context.Context) error {
	v.seen.Looks = map[string]*Look{}
	for _, it := range v.seen.Iterations {
		asked := v.scope.iterations[it.ID] || slices.ContainsFunc(v.seen.Blobs, func(b modelBlob) bool { return b.iteration == it.ID })
		if it.Status != customvision.StatusCompleted || !asked && settled(v.rules, v.seen, it) {
			continue
		}
		exports, err := v.Service.Exports(ctx, v.record.ID, it.ID)
		if err != nil {
			return fmt.Errorf("list the exports of iteration %s: %w", it.ID, err)
		}
		backups, err := v.Archive.Backups(ctx, v.record.ID, it.ID)
		if err != nil {
			return err
		}
		v.seen.Looks[it.ID] = &Look{Exports: exports, Backups: backups}
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
