package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/models"
	"visionkeeper/internal/state"
)

// Swept is what one sweep found.
type Swept struct {
	Projects int // that the policy names
	Covered  int // of them by this sweep: everything was looked at
	Failed   int // of them by this sweep, but not whole: there are errors
	Outside  int // that the policy leaves alone
	// Resume is the project after which the next sweep has to go on, because this
	// one's time was up or it couldn't begin; "" where it came to the end.
	Resume string
	// Whole reports whether it came to the end and looked at everything on its way.
	Whole bool
	// Conditions are those of all projects of this sweep; Counts as in Report, over all
	// of them.
	Conditions []state.ProjectCondition
	state.Counts
}

// reserve is the time that a sweep leaves unused at its end, to write what it found.
const reserve = 20 * time.Second

// Sweep reconciles all projects after the one named, in the order of their ids,
// until there are no more or ctx's deadline is near. One listing of the model
// container finds every blob that isn't archived yet. It goes on after a failure
// and returns all errors together. A project that takes too long is left for the
// next round: it must not keep the sweeps from the others. again reports whether the
// sweep before may have come to no end: the process may have died of what it found.
func (r *Reconciler) Sweep(ctx context.Context, after string, again bool) (Swept, error) {
	ctx, cancel := r.bounded(ctx)
	defer cancel()
	swept := Swept{Resume: after}
	todo, listErr := r.todo(ctx, &swept)
	if todo == nil && listErr != nil {
		return swept, listErr
	}
	errs := []error{listErr}
	swept.Projects = len(todo)
	for i, s := range todo {
		if s.project <= after {
			continue
		}
		// A run ends by a timer of its own, at the same time.
		if deadline, ok := ctx.Deadline(); ctx.Err() != nil || ok && !time.Now().Before(deadline) {
			return swept, errors.Join(errs...)
		}
		s.again, s.followed = again, i < len(todo)-1
		report, err := r.pace.join(ctx, s, "", r.run)
		swept.Resume = s.project
		if report.Outside {
			swept.Projects--
			swept.Outside++
			continue
		}
		if all := errors.Join(err, report.Err("")); all != nil {
			errs = append(errs, fmt.Errorf("project %s: %w", s.project, all))
		}
		if err == nil && listErr == nil && !report.Unseen {
			swept.Covered++
		} else {
			swept.Failed++
		}
		swept.Add(report.Counts)
		for _, c := range report.Conditions {
			swept.Conditions = append(swept.Conditions, state.ProjectCondition{Project: s.project, Name: report.Name, Condition: c})
		}
	}
	swept.Resume, swept.Whole = "", swept.Failed == 0 && listErr == nil
	return swept, errors.Join(errs...)
}

// bounded ends before ctx does, if that has a deadline.
func (r *Reconciler) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-min(reserve, time.Until(deadline)/4)))
}

// todo lists what a sweep goes over, in order: the service's projects that the
// policy names, and those that only the model container still knows.
func (r *Reconciler) todo(ctx context.Context, swept *Swept) ([]scope, error) {
	blobs, listErr := r.blobsByProject(ctx)
	known := listErr == nil // what the container holds
	todo := []scope{}
	if r.Service != nil {
		projects, err := r.Service.Projects(ctx)
		if err != nil {
			return nil, errors.Join(listErr, fmt.Errorf("list the projects: %w", err))
		}
		inForce, err := r.Policy.Now(ctx)
		if err != nil {
			return nil, errors.Join(listErr, err)
		}
		seen := map[string]bool{}
		for _, p := range projects {
			id, err := customvision.ParseID(p.ID)
			if err != nil {
				swept.unusable(p, r.Clock.Now())
				continue
			}
			if seen[id] {
				continue
			}
			seen[id] = true
			held := blobs[id]
			delete(blobs, id)
			if _, ok := inForce.For(id, p.Name); !ok {
				zerolog.Ctx(ctx).Debug().Str("project", id).Msg("the policy leaves this project alone")
				swept.Outside++
				continue
			}
			todo = append(todo, scope{project: id, known: &p, whole: true, blobsKnown: known, blobs: held})
		}
	}
	for id, held := range blobs {
		todo = append(todo, scope{project: id, whole: true, blobsKnown: known, blobs: held, vanished: true})
	}
	slices.SortFunc(todo, func(a, b scope) int { return cmp.Compare(a.project, b.project) })
	return todo, listErr
}

// unusable counts a project whose id is no GUID: nothing can be stored under it, so
// who wants to know since when has to remember it. The first sweep of a round counts it.
func (s *Swept) unusable(p customvision.Project, now time.Time) {
	if s.Resume != "" {
		return
	}
	s.Blocked++
	s.Conditions = append(s.Conditions, state.ProjectCondition{
		Project: shorten(p.ID), Name: shorten(p.Name), Condition: state.Condition{Code: state.BadName, Why: "its id is no GUID, so nothing can be stored under it", First: now, Last: now},
	})
}

// blobsByProject lists the model container's blobs that are named as Custom
// Vision names its backups.
func (r *Reconciler) blobsByProject(ctx context.Context) (map[string][]models.Blob, error) {
	projects := map[string][]models.Blob{}
	for b, err := range r.Models.Blobs(ctx, "") {
		if err != nil {
			return map[string][]models.Blob{}, err
		}
		projects[b.Project] = append(projects[b.Project], b)
	}
	return projects, nil
}
