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

// look counts anew what makes a training worth it.
func (trainingEffect) look(ctx context.Context, v *visit, iteration string) error {
	if iteration != "" || v.isFresh(v.weighedAt) {
		return nil
	}
	return v.weigh(ctx)
}

func (trainingEffect) announce(v *visit, p *state.Project, a Action, s sending) {
	// Open ones came to nothing. Kept, they would answer their causes once this one is taken
	// back, and take what comes of this one for theirs.
	over := &plan{Rules: v.rules, o: v.seen}
	p.Trainings = slices.DeleteFunc(slices.Clone(p.Trainings), func(t *state.Training) bool { return over.abandoned(t) })
	var known []string
	for _, it := range v.seen.Iterations {
		if it.Status != customvision.StatusNew {
			known = append(known, it.ID)
		}
	}
	p.Trainings = append(v.remembered(p.Trainings, v.now()), &state.Training{
		Token: s.token, Cause: a.Training.Cause, Known: known, Asked: v.now(), Until: s.until,
	})
	p.Spend(nil, v.now().Add(-month))
	p.Spent = append(p.Spent, state.Spent{Token: s.token, At: v.now(), Minutes: a.Training.Minutes})
}

func (trainingEffect) withdraw(p *state.Project, _ Action, s sending) bool {
	before := len(p.Trainings)
	p.Trainings = slices.DeleteFunc(slices.Clone(p.Trainings), func(t *state.Training) bool { return t.Token == s.token })
	p.Spent = slices.DeleteFunc(slices.Clone(p.Spent), func(one state.Spent) bool { return one.Token == s.token })
	return len(p.Trainings) < before
}

func (trainingEffect) send(ctx context.Context, v *visit, a Action, s sending) error {
	it, err := v.Service.Train(ctx, v.record.ID, a.Training.Options)
	switch {
	case err == nil:
		if it.ID, err = customvision.ParseID(it.ID); err != nil {
			return err
		}
		v.seen.Iterations = append(slices.DeleteFunc(v.seen.Iterations, func(o customvision.Iteration) bool { return o.ID == it.ID }), it)
		var saw *state.Tally // counted anew once it has ended, if it isn't deleted before
		if w := v.seen.Worth; w != nil && w.Now != nil {
			saw = &state.Tally{Iteration: it.ID, At: v.now().Add(clocksDiffer), Images: w.Now.Images, Tags: w.Now.Tags}
		}
		v.learn(func(p *state.Project) {
			for _, t := range p.Trainings {
				if t.Token == s.token {
					t.Result = it.ID
				}
			}
			if saw != nil {
				p.Trained = saw
			}
			p.Clear(a.Scope)
		})
		return nil
	case customvision.Lost(err):
		return err
	}
	v.refusedNow(a, s, err) // ours wasn't begun, whoever's runs
	f := fault{code: state.TrainingRefused, why: fmt.Sprintf("the service refuses to train: %s", err), cause: err}
	switch {
	case customvision.TooManyIterations(err):
		f.at = v.seen.count()
		f.code, f.why = state.Full, fmt.Sprintf("the project has as many iterations as Custom Vision allows, so it is not trained: delete one there, or let the policy's key keep make room: %s", err)
	case customvision.NotNeeded(err):
		f.code = state.TrainingNotNeeded
	case !customvision.Definite(err):
		return err
	}
	if v.seen.Worth != nil {
		f.sight = v.seen.Worth.sight(v.seen.Iterations)
	}
	return f
}

// remembered drops trainings that no rule looks back to: old ones that neither answer
// nor are an iteration that is there.
func (v *visit) remembered(trainings []*state.Training, now time.Time) []*state.Training {
	return slices.DeleteFunc(slices.Clone(trainings), func(t *state.Training) bool {
		return now.Sub(t.Asked) > 2*month && (t.Cause.Kind != state.Failure || v.iteration(t.Cause.Of) == nil) && v.iteration(t.Result) == nil
	})
}
