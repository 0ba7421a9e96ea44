package reconcile

import (
	"context"
	"maps"
	"slices"
)

// Preview looks at what the key names, as Reconcile does, and says what it would
// do first. It does nothing and writes nothing. What an action would show isn't
// guessed, so after those actions there may be more. The report's Waiting is what
// a run would wait for; its Done stays empty.
func (r *Reconciler) Preview(ctx context.Context, key Key) ([]Action, Report, error) {
	report := Report{Key: key}
	if r.Service == nil {
		report.ContainerOnly = true
		planned, err := r.previewContainer(ctx, key)
		return planned, report, err
	}
	s := scope{project: key.Project, iterations: map[string]bool{}}
	if key.Iteration != "" {
		s.iterations[key.Iteration] = true
	}
	v, err := r.observe(ctx, s)
	if err != nil {
		return nil, report, err
	}
	if v == nil {
		report.Outside = true
		return nil, report, nil
	}
	report.Iterations, report.Looks = v.seen.Iterations, v.seen.Looks
	var planned []Action
	for _, a := range Plan(v.rules, v.seen) {
		switch {
		case key.Iteration != "" && a.Iteration != key.Iteration:
		case a.Kind == Wait:
			report.Waiting = append(report.Waiting, a)
		default:
			planned = append(planned, a)
		}
	}
	return planned, report, nil
}

// previewContainer is for the app without an endpoint: the project's blobs in the
// model container that the state doesn't know in this version, of every project
// where the key names none.
func (r *Reconciler) previewContainer(ctx context.Context, key Key) ([]Action, error) {
	blobs, err := r.blobsByProject(ctx)
	if err != nil {
		return nil, err
	}
	var planned []Action
	for _, project := range slices.Sorted(maps.Keys(blobs)) {
		if key.Project != "" && project != key.Project {
			continue
		}
		record, err := r.State.Load(ctx, project)
		if err != nil {
			return nil, err
		}
		for _, b := range unarchived(record.Project, blobs[project]) {
			if key.Iteration == "" || b.iteration == key.Iteration {
				planned = append(planned, Action{Kind: Collect, Iteration: b.iteration, Blob: b.name, Why: "it lies in the model container"})
			}
		}
	}
	return planned, nil
}
