package reconcile

import "context"

// Preview looks at what the request names, as Reconcile does, and says what it would
// do first. It does nothing and writes nothing. What an action would show isn't
// guessed, so after those actions there may be more. The report's Waiting is what
// a run would wait for; its Done stays empty.
func (r *Reconciler) Preview(ctx context.Context, req Request) ([]Action, Report, error) {
	report, s := Report{Key: req.Key, ContainerOnly: r.Service == nil}, req.scope()
	if r.Service == nil {
		if err := r.listBlobs(ctx, &s); err != nil {
			return nil, report, err
		}
	}
	v, err := r.observe(ctx, s)
	if err == nil {
		err = v.blind
	}
	if err != nil {
		return nil, report, err
	}
	var planned []Action
	if !v.outside {
		for _, a := range v.planned(ctx) {
			switch {
			case req.Iteration != "" && a.Iteration != req.Iteration:
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
