package reconcile

import (
	"slices"
	"time"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

// planRetrain plans for one failed iteration.
func planRetrain(r Rules, o Observed, failed customvision.Iteration) []Action {
	if r.Retrain == nil || o.Project.Rebuilt || laterTraining(o.Iterations, failed) {
		return nil
	}
	trainings := o.Project.Trainings
	answer := answerTo(trainings, failed.ID)
	switch {
	case slices.ContainsFunc(trainings, func(t *state.Training) bool { return t.Open() && !given(t, r, o) }):
		return nil // planOpenTrainings looks after it; this failure may be what came of it
	case answer != nil && !answer.Open():
		return nil
	case o.Now.Sub(failed.LastModified) > time.Duration(r.Retrain.Within):
		return nil
	case chain(trainings, failed.ID) >= r.Retrain.AfterFailure:
		return nil
	case trainedThisMonth(r, o) >= r.Retrain.PerMonth:
		return nil
	}
	return []Action{{Kind: Retrain, Iteration: failed.ID, Why: "its training failed"}}
}

// planOpenTrainings looks after intents whose answer was lost, or whose sender
// is not done yet: whatever training wasn't there before is the one asked for.
func planOpenTrainings(r Rules, o Observed) []Action {
	var actions []Action
	for _, t := range o.Project.Trainings {
		if !t.Open() {
			continue
		}
		if result := unknown(t, o.Iterations); result != "" {
			actions = append(actions, Action{Kind: Adopt, Iteration: result, Why: "it answers the failure of " + t.Cause})
		} else if !given(t, r, o) {
			actions = append(actions, Action{Kind: Wait, Iteration: t.Cause, Why: "its retraining was asked for a moment ago"})
		}
	}
	return actions
}

// given tells an intent whose sender is past its deadline without a trace.
func given(t *state.Training, r Rules, o Observed) bool {
	return t.Open() && unknown(t, o.Iterations) == "" && !o.Now.Before(t.Until.Add(r.Grace))
}

// month is what the policy's perMonth counts over.
const month = 30 * 24 * time.Hour

// laterTraining tells that something was trained after the failure. An
// iteration's created is when the one before it was trained: no time of its own,
// but in the same order. Its lastModified changes when it is renamed.
func laterTraining(all []customvision.Iteration, failed customvision.Iteration) bool {
	return slices.ContainsFunc(all, func(it customvision.Iteration) bool {
		switch {
		case it.ID == failed.ID || it.Status == customvision.StatusNew:
			return false
		case it.Status == customvision.StatusTraining:
			return true
		case it.Created.After(failed.Created):
			return true
		case it.TrainedAt != nil:
			return it.TrainedAt.After(failed.LastModified)
		}
		return it.LastModified.After(failed.LastModified)
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
		if t.Result == id {
			n, id = n+1, t.Cause
		}
	}
	return n
}

// trainedThisMonth counts our trainings, but not those that came to nothing.
func trainedThisMonth(r Rules, o Observed) int {
	return countFunc(o.Project.Trainings, func(t *state.Training) bool {
		return t.Refused == "" && !given(t, r, o) && t.Asked.After(o.Now.Add(-month))
	})
}

// unknown is an iteration that wasn't there when the intent was written.
func unknown(t *state.Training, all []customvision.Iteration) string {
	for _, it := range all {
		if it.Status != customvision.StatusNew && !slices.Contains(t.Known, it.ID) {
			return it.ID
		}
	}
	return ""
}
