package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"visionkeeper/customvision"
)

// Swept is what one sweep found.
type Swept struct {
	Projects int // that the policy names
	Covered  int // of them by this sweep
	Outside  int // that the policy leaves alone
	// Resume is the project after which the next sweep has to go on, because this
	// one's time was up; "" where it came to the end.
	Resume string
	// As in Report, over all projects of this sweep.
	Unproven int
	Oldest   time.Time
	Blocked  int
}

// reserve is the time that a sweep leaves unused at its end, to write what it found.
const reserve = 20 * time.Second

// Sweep reconciles all projects after the one named, in the order of their ids,
// until there are no more or ctx's deadline is near. One listing of the model
// container finds every blob that isn't archived yet. It goes on after a failure
// and returns all errors together.
func (r *Reconciler) Sweep(ctx context.Context, after string) (Swept, error) {
	end := r.end(ctx)
	swept := Swept{}
	todo, err := r.todo(ctx, &swept)
	errs := []error{err}
	swept.Projects = len(todo)
	resume := after
	for _, s := range todo {
		if s.project <= after {
			continue
		}
		if !end.IsZero() && r.Clock.Now().After(end) {
			swept.Resume = resume
			break
		}
		report, err := r.pace.join(ctx, s)
		if err != nil {
			errs = append(errs, fmt.Errorf("project %s: %w", s.project, err))
		}
		resume = s.project
		swept.Covered++
		swept.Unproven += report.Unproven
		swept.Blocked += report.Blocked
		if !report.Oldest.IsZero() && (swept.Oldest.IsZero() || report.Oldest.Before(swept.Oldest)) {
			swept.Oldest = report.Oldest
		}
	}
	return swept, errors.Join(errs...)
}

// end is when a sweep begins no further project; zero where ctx has no deadline.
func (r *Reconciler) end(ctx context.Context) time.Time {
	deadline, ok := ctx.Deadline()
	if !ok {
		return time.Time{}
	}
	return deadline.Add(-min(reserve, deadline.Sub(r.Clock.Now())/4))
}

// todo lists what a sweep goes over, in order: the service's projects that the
// policy names, and those that only the model container still knows.
func (r *Reconciler) todo(ctx context.Context, swept *Swept) ([]scope, error) {
	blobs, listErr := r.blobsByProject(ctx)
	whole := listErr == nil // else it isn't known what the container holds
	var todo []scope
	if r.Service != nil {
		projects, err := r.Service.Projects(ctx)
		if err != nil {
			return nil, errors.Join(listErr, fmt.Errorf("list the projects: %w", err))
		}
		for _, p := range projects {
			id, err := customvision.ParseID(p.ID)
			if err != nil {
				listErr = errors.Join(listErr, fmt.Errorf("project %q: %w", p.Name, err))
				continue
			}
			held := blobs[id]
			delete(blobs, id)
			if _, ok := r.Policy.For(id, p.Name); !ok {
				zerolog.Ctx(ctx).Debug().Str("project", id).Msg("the policy leaves this project alone")
				swept.Outside++
				continue
			}
			todo = append(todo, scope{project: id, told: &p, whole: whole, blobs: held})
		}
	}
	for id, held := range blobs {
		todo = append(todo, scope{project: id, whole: whole, blobs: held, vanished: true})
	}
	slices.SortFunc(todo, func(a, b scope) int { return cmp.Compare(a.project, b.project) })
	return todo, listErr
}

// blobsByProject lists the model container's blobs that are named as Custom
// Vision names its backups.
func (r *Reconciler) blobsByProject(ctx context.Context) (map[string][]modelBlob, error) {
	projects := map[string][]modelBlob{}
	for b, err := range r.Models.list(ctx, "") {
		if err != nil {
			return map[string][]modelBlob{}, err
		}
		projects[b.project] = append(projects[b.project], b)
	}
	return projects, nil
}
