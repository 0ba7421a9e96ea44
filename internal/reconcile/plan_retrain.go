package reconcile

import (
	"slices"
	"strings"
	"time"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

// failed plans for one iteration whose training failed.
func (p *plan) failed(it customvision.Iteration) {
	s, trainings := state.Scope{Iteration: it.ID}, p.o.Project.Trainings
	if p.Retrain == nil || p.o.Project.Rebuilt || p.trainedSince(it) || hidden(p.o.Unusable) || p.o.Missing {
		return
	}
	answer := answerTo(trainings, it.ID)
	switch {
	case slices.ContainsFunc(trainings, func(t *state.Training) bool { return t.Open() && !p.abandoned(t) }):
		return // openTrainings looks after it; this failure may be what came of it
	case answer != nil && !answer.Open():
		return
	case p.o.Now.Sub(p.ended(it)) > time.Duration(p.Retrain.Within):
		return
	case p.ended(it).Before(p.o.Project.Seen.Add(-clocksDiffer)):
		return // it is from before, though the first list may have lacked it
	case chain(trainings, it.ID) >= p.Retrain.AfterFailure:
		return
	case p.trainedThisMonth() >= p.Retrain.PerMonth:
		return
	case !p.due(s):
		return
	}
	p.add(Retrain, s, "its training failed")
}

// hidden reports whether the service lists an iteration that can't be read: any that
// seems to be missing may be that one.
func hidden(unusable []state.Scope) bool {
	return slices.ContainsFunc(unusable, func(s state.Scope) bool { return strings.HasPrefix(s.Iteration, customvision.Unreadable) })
}

// openTrainings looks after intents whose answer was lost, or whose sender is not
// done yet: whatever training wasn't there before is the one asked for.
func (p *plan) openTrainings() {
	for _, t := range p.o.Project.Trainings {
		if !t.Open() {
			continue
		}
		if result := p.resultOf(t); result != "" {
			why := "it answers the failure of " + t.Cause
			if t.Cause == "" {
				why = "a person asked for it"
			}
			p.add(Adopt, state.Scope{Iteration: result}, why)
		} else if !p.abandoned(t) {
			p.add(Wait, state.Scope{Iteration: t.Cause}, "a training was asked for a moment ago")
		}
	}
}

// abandoned reports whether an intent's sender is past its deadline without a trace.
func (p *plan) abandoned(t *state.Training) bool {
	return t.Open() && p.resultOf(t) == "" && !p.o.Now.Before(t.Until.Add(p.Grace))
}

// month is what the policy's perMonth counts over.
const month = 30 * 24 * time.Hour

// ended is when a training ended: a failed one's as the app first saw it, since a
// rename changes lastModified.
func (p *plan) ended(it customvision.Iteration) time.Time {
	if it.TrainedAt != nil {
		return *it.TrainedAt
	}
	if record := p.o.Project.Iterations[it.ID]; record != nil && !record.Ended.IsZero() {
		return record.Ended
	}
	return it.LastModified
}

// trainedSince reports whether something was trained after the failure. An
// iteration's created is when the one before it was trained: no time of its own,
// but in the same order.
func (p *plan) trainedSince(failed customvision.Iteration) bool {
	return slices.ContainsFunc(p.o.Iterations, func(it customvision.Iteration) bool {
		switch {
		case it.ID == failed.ID || it.Status == customvision.StatusNew:
			return false
		case it.Status == customvision.StatusTraining:
			return true
		}
		return it.Created.After(failed.Created) || p.ended(it).After(p.ended(failed))
	})
}

// answerTo is the last training asked for because of the iteration.
func answerTo(trainings []*state.Training, cause string) *state.Training {
	for _, t := range slices.Backward(trainings) {
		if t.Cause == cause {
			return t
		}
	}
	return nil
}

// chain counts our trainings that led to the iteration, each the answer to the
// failure before.
func chain(trainings []*state.Training, id string) int {
	n := 0
	for _, t := range slices.Backward(trainings) {
		if t.Result == id && t.Cause != "" { // a person's isn't one of ours
			n, id = n+1, t.Cause
		}
	}
	return n
}

// trainedThisMonth counts our trainings, but not those that came to nothing.
func (p *plan) trainedThisMonth() int {
	return countFunc(p.o.Project.Trainings, func(t *state.Training) bool {
		return t.Cause != "" && t.Nothing == "" && !p.abandoned(t) && t.Asked.After(p.o.Now.Add(-month))
	})
}

// resultOf is an iteration that wasn't there when the intent was written; "" where
// there is none. One that had ended by then is no result: the list lacked it for one
// look.
func (p *plan) resultOf(t *state.Training) string {
	for _, it := range p.o.Iterations {
		ended := it.Status != customvision.StatusTraining && p.ended(it).Before(t.Asked.Add(-clocksDiffer))
		if it.Status != customvision.StatusNew && !slices.Contains(t.Known, it.ID) && !ended {
			return it.ID
		}
	}
	return ""
}

// clocksDiffer is what the clocks of Custom Vision and of the storage service may
// differ by. Even a training that fails at once ends later than it was asked for.
const clocksDiffer = 30 * time.Second
