package reconcile

import (
	"context"
	"fmt"
	"slices"
	"time"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

// trainingEffect asks for a training. Its intent is a state.Training without a result.
type trainingEffect struct{}

func (trainingEffect) look(context.Context, *visit, string) error { return nil }

func (trainingEffect) announce(v *visit, p *state.Project, a Action, s sending) {
	// An open one of the same cause came to nothing. Kept, it would answer the failure
	// once this one is taken back.
	p.Trainings = slices.DeleteFunc(slices.Clone(p.Trainings), func(t *state.Training) bool { return t.Cause == a.Iteration && t.Open() })
	var known []string
	for _, it := range v.seen.Iterations {
		if it.Status != customvision.StatusNew {
			known = append(known, it.ID)
		}
	}
	p.Trainings = append(v.remembered(p.Trainings, v.now()), &state.Training{
		Token: s.token, Cause: a.Iteration, Known: known, Asked: v.now(), Until: s.until,
	})
}

func (trainingEffect) withdraw(p *state.Project, a Action, s sending) {
	p.Trainings = slices.DeleteFunc(slices.Clone(p.Trainings), func(t *state.Training) bool { return t.Token == s.token && t.Cause == a.Iteration })
}

func (trainingEffect) send(ctx context.Context, v *visit, a Action, s sending) error {
	it, err := v.Service.Train(ctx, v.record.ID, v.trainOptions(a))
	switch {
	case err == nil:
		if it.ID, err = customvision.ParseID(it.ID); err != nil {
			return err
		}
		v.seen.Iterations = append(slices.DeleteFunc(v.seen.Iterations, func(o customvision.Iteration) bool { return o.ID == it.ID }), it)
		v.learn(func(p *state.Project) {
			for _, t := range p.Trainings {
				if t.Token == s.token && t.Cause == a.Iteration {
					t.Result = it.ID
				}
			}
			p.Clear(a.Scope)
		})
		return nil
	case customvision.Lost(err):
		return err
	}
	v.refusedNow(a, s, err) // ours wasn't begun, whoever's runs
	if customvision.TooManyIterations(err) {
		return fault{code: state.Full, why: fmt.Sprintf("the project has as many iterations as Custom Vision allows, so it is not trained: delete one there, or let the policy's key keep make room: %s", err), cause: err}
	}
	if definite(err) {
		return fault{code: state.TrainingRefused, why: fmt.Sprintf("the service refuses to train: %s", err), cause: err}
	}
	return err
}

// trainOptions are those of the training that failed, or what a person asks for.
func (v *visit) trainOptions(a Action) customvision.TrainOptions {
	if a.Kind == Train {
		return customvision.TrainOptions{Force: v.scope.ask.Force}
	}
	failed := v.iteration(a.Iteration)
	return customvision.TrainOptions{Type: failed.TrainingType, ReservedBudgetInHours: failed.ReservedBudgetInHours, Force: v.rules.Retrain.Force}
}

// remembered drops trainings that no rule looks back to: old ones that neither answer
// nor are an iteration that is there.
func (v *visit) remembered(trainings []*state.Training, now time.Time) []*state.Training {
	return slices.DeleteFunc(slices.Clone(trainings), func(t *state.Training) bool {
		return now.Sub(t.Asked) > 2*month && v.iteration(t.Cause) == nil && v.iteration(t.Result) == nil
	})
}
