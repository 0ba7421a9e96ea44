package reconcile

import (
	"cmp"
	"context"
	"slices"
	"time"

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

// mostBlobs is of how many blobs that can't be archived others are told at a time: there may
// be very many.
const mostBlobs = 100

// tell writes what others are to be told of all that is seen: of trainings that ended, of
// proofs in the archive, of a name that another iteration got, and of conditions that are
// old. It goes by what is there, not by
// what was just done, so that nothing is lost with a process that died in between. What
// is written already isn't written again.
func (v *visit) tell(p *state.Project) {
	out := p.Events(v.Events, v.began)
	if out == nil || v.outside {
		return
	}
	now := v.now()
	var trainings, proofs, blocked []state.Event
	for _, it := range v.seen.Iterations {
		if e, ok := events.Trained(p, it, endOf(p, it)); ok {
			trainings = append(trainings, e)
		}
	}
	backups := slices.Clone(v.kept)
	for _, look := range v.seen.Looks {
		backups = append(backups, look.Backups...)
	}
	for _, b := range backups {
		at := b.ProvedAt
		if at.IsZero() {
			at = now
		}
		if e, ok := events.Proved(b, at); ok {
			proofs = append(proofs, e)
		}
	}
	blobs := 0
	for _, c := range p.Conditions {
		if c.Blob != "" {
			if blobs++; blobs > mostBlobs {
				continue
			}
		}
		if e, ok := events.Blocked(p, *c, v.nameOf(c.Iteration), now); ok {
			blocked = append(blocked, e)
		}
	}
	var promoted []state.Event
	if e, ok := events.Promoted(p, v.nameOf); ok {
		promoted = append(promoted, e)
	}
	for _, list := range [][]state.Event{trainings, proofs, promoted, blocked} {
		slices.SortFunc(list, func(a, b state.Event) int { return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.ID, b.ID)) })
		out.Add(now, list...)
	}
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
