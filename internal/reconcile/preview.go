package reconcile

import (
	"context"
	"time"
)

// Preview looks at what the key names, as Reconcile does, and says what it would
// do first. It does nothing and writes nothing. What an action would show isn't
// guessed, so after those actions there may be more. The report's Waiting is what
// a run would wait for; its Done stays empty.
func (r *Reconciler) Preview(ctx context.Context, key Key) ([]Action, Report, error) {
	report := Report{Key: key, ContainerOnly: r.Service == nil}
	s := scope{project: key.Project}
	if key.Iteration != "" {
		s.add(scope{iterations: map[string]time.Time{key.Iteration: {}}})
	}
	if r.Service == nil {
		if err := r.listBlobs(ctx, &s); err != nil {
			return nil, report, err
		}
	}
	v, err := r.observe(ctx, s)
	if err != nil {
		return nil, report, err
	}
	var planned []Action
	if !v.outside {
		for _, a := range Plan(v.rules, v.seen) {
			switch {
			case key.Iteration != "" && a.Iteration != key.Iteration:
			case a.Kind == Wait:
				v.waiting = append(v.waiting, a)
			default:
				planned = append(planned, a)
			}
		}
	}
	v.report(&report)
	return planned, report, nil
}
