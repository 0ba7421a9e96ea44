package reconcile

import (
	"slices"
	"strings"
	"time"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
)

// Training is what a training is asked for with.
type Training struct {
	Cause   state.Cause
	Options customvision.TrainOptions
	// Minutes is what it counts as while nobody knows how long it takes: what an advanced
	// one may take at most.
	Minutes int
}

// retrain plans the one training that the policy may ask for: an answer to a failure, or
// for another cause. While one is underway, or may be, there is none: whatever comes of it
// is what the next is counted from.
func (p *plan) retrain() {
	if p.Retrain == nil || p.o.Project.Rebuilt || hidden(p.o.Unusable) || p.o.Missing || p.underway() {
		return
	}
	for _, it := range p.o.Iterations {
		if p.toAnswer(it) {
			p.request(state.Scope{Iteration: it.ID}, state.FailureOf(it.ID), "its training failed")
			return
		}
	}
	if cause, why := p.worth(); cause != (state.Cause{}) {
		p.request(trainingScope, cause, why)
	}
}

// underway reports whether a training runs, or may have been begun (openTrainings looks
// after that), or was begun a moment ago: another process may have done that since the
// iterations were listed.
func (p *plan) underway() bool {
	return slices.ContainsFunc(p.o.Iterations, func(it customvision.Iteration) bool { return it.Status == customvision.StatusTraining }) ||
		slices.ContainsFunc(p.o.Project.Trainings, func(t *state.Training) bool {
			return t.Open() && !p.abandoned(t) || t.Result != "" && p.iteration(t.Result) == nil && p.o.Now.Before(t.Until.Add(p.Grace))
		})
}

// toAnswer reports whether the iteration is a failed training that the policy answers.
func (p *plan) toAnswer(it customvision.Iteration) bool {
	if it.Status != customvision.StatusFailed || p.trainedSince(it) {
		return false
	}
	trainings, ended := p.o.Project.Trainings, p.ended(it)
	answer := answerTo(trainings, state.FailureOf(it.ID))
	switch {
	case answer != nil && !answer.Open():
	case p.o.Now.Sub(ended) > time.Duration(p.Retrain.Within):
	case ended.Before(p.o.Project.Seen.Add(-clocksDiffer)): // it is from before, though the first list may have lacked it
	case chain(trainings, it.ID) >= p.Retrain.AfterFailure:
	default:
		return true
	}
	return false
}

// request plans a training for a cause, unless the policy's limits or a condition keep
// it back.
func (p *plan) request(s state.Scope, cause state.Cause, why string) {
	t := &Training{Cause: cause, Options: p.options(cause)}
	t.Minutes = p.expected(t.Options)
	if limit, until := p.limit(t.Minutes); limit != "" {
		if c := p.o.Project.Condition(s); c == nil || c.Code != state.BudgetSpent || due(c, p.Under, p.o.Now) {
			p.actions = append(p.actions, Action{Step: Step{Kind: Postpone, Scope: s}, Code: state.BudgetSpent, Why: "it is not trained now, though " + why + ": " + limit, Until: until})
		}
		return
	}
	if p.mayTry(s) {
		p.actions = append(p.actions, Action{Step: Step{Kind: Retrain, Scope: s}, Why: why, Training: t})
	}
}

// mayTry reports whether no condition keeps a training from being asked for: one of a
// budget is over by itself, and what the service refused is tried again when the project
// is another, every hour at most.
func (p *plan) mayTry(s state.Scope) bool {
	c := p.o.Project.Condition(s)
	return p.due(s) || c.Code == state.BudgetSpent ||
		c.Code != state.Full && c.Sight != "" && p.o.Worth != nil && c.Sight != p.o.Worth.sight(p.o.Iterations) && p.o.Now.Sub(c.Last) >= time.Hour
}

// options are those that the policy names, else those of the training that failed.
func (p *plan) options(cause state.Cause) customvision.TrainOptions {
	o := customvision.TrainOptions{Force: p.Retrain.Force, NotificationEmail: p.Retrain.Email}
	failed := slices.IndexFunc(p.o.Iterations, func(it customvision.Iteration) bool { return cause == state.FailureOf(it.ID) })
	switch {
	case p.Retrain.Type == policy.Advanced:
		o.Type, o.ReservedBudgetInHours = customvision.TypeAdvanced, p.Retrain.BudgetHours
	case p.Retrain.Type == policy.Regular:
		o.Type = customvision.TypeRegular
	case failed >= 0:
		o.Type, o.ReservedBudgetInHours = p.o.Iterations[failed].TrainingType, p.o.Iterations[failed].ReservedBudgetInHours
		if hours := p.Retrain.BudgetHours; hours > 0 && o.ReservedBudgetInHours > 0 {
			o.ReservedBudgetInHours = min(o.ReservedBudgetInHours, hours)
		} else if o.Type == customvision.TypeAdvanced { // without hours nothing would bound it
			o.ReservedBudgetInHours = max(o.ReservedBudgetInHours, hours, 1)
		}
	}
	return o
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
			p.add(Adopt, state.Scope{Iteration: result}, "it was asked for because "+t.Cause.String())
		} else if !p.abandoned(t) {
			var s state.Scope
			if t.Cause.Kind == state.Failure {
				s.Iteration = t.Cause.Of
			}
			p.add(Wait, s, "a training was asked for a moment ago")
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

// answerTo is the last training asked for because of a cause.
func answerTo(trainings []*state.Training, cause state.Cause) *state.Training {
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
		if t.Result == id && t.Cause.Kind == state.Failure {
			n, id = n+1, t.Cause.Of
		}
	}
	return n
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
