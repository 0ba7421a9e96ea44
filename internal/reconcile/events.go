package reconcile

import (
	"context"
	"time"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/events"
	"visionkeeper/internal/state"
)

// openOutbox writes down since when others are told of a project that the app knew
// before: what happens from then on is theirs, however often the process dies.
func (v *visit) openOutbox(ctx context.Context) {
	if len(v.Events) > 0 && v.record.Outbox == nil && v.record.Revision != "" {
		v.saveNow(ctx)
	}
}

// mostBlobs is how many events may wait for others to be told of blobs that can't be
// archived: there may be very many.
const mostBlobs = 100

// tell writes what others are to be told of all that is seen: of trainings that ended, of
// proofs in the archive, and of conditions that are old. It goes by what is there, not by
// what was just done, so that nothing is lost with a process that died in between. What
// is written already isn't written again.
func (v *visit) tell(p *state.Project) {
	out := p.Events(v.Events, v.began)
	if out == nil || v.outside {
		return
	}
	now := v.now()
	var list []state.Event
	for _, it := range v.seen.Iterations {
		if e, ok := events.Trained(p, it, endOf(p, it)); ok {
			list = append(list, e)
		}
	}
	prove := func(b archive.Backup) {
		at := b.ProvedAt
		if at.IsZero() {
			at = now
		}
		if e, ok := events.Proved(b, at); ok {
			list = append(list, e)
		}
	}
	for _, look := range v.seen.Looks {
		for _, b := range look.Backups {
			prove(b)
		}
	}
	for _, b := range v.kept {
		prove(b)
	}
	blobs := 0
	for _, c := range p.Conditions {
		if c.Blob != "" {
			if blobs++; blobs > mostBlobs {
				continue
			}
		}
		if e, ok := events.Blocked(p, *c, v.nameOf(c.Iteration), now); ok {
			list = append(list, e)
		}
	}
	out.Add(now, list...)
}

// endOf is when the training of an iteration came to its end.
func endOf(p *state.Project, it customvision.Iteration) time.Time {
	known := p.Iterations[it.ID]
	switch {
	case it.TrainedAt != nil:
		return *it.TrainedAt
	case it.Status == customvision.StatusFailed && known != nil && !known.Ended.IsZero():
		return known.Ended
	case it.Status == customvision.StatusFailed:
		return it.LastModified
	}
	return it.Created
}

// nameOf is the name of an iteration; empty where it isn't known.
func (v *visit) nameOf(iteration string) string {
	if it := v.iteration(iteration); it != nil {
		return it.Name
	}
	return factsOf(v.seen.Project.Iterations[iteration]).IterationName
}
