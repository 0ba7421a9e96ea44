package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
)

// typeNegative is that of the tag of images that show nothing of the others.
const typeNegative = "Negative"

// budgeted reports whether the policy bounds the hours of trainings.
func (v *visit) budgeted() bool {
	return v.rules.Retrain != nil && v.rules.Retrain.MonthlyBudgetHours > 0
}

// weigh sees what tells whether a training is worth it: as much as the rule asks for, of a
// look at the whole project, and nothing while a training is underway. What isn't seen
// causes none.
func (v *visit) weigh(ctx context.Context) error {
	v.seen.Worth = nil
	r := v.rules.Retrain
	p := &plan{Rules: v.rules, o: v.seen}
	if r == nil || v.outside || len(v.scope.iterations) > 0 || v.scope.ask != nil || !v.inService() || v.blind != nil || p.underway() {
		return nil
	}
	w := &Worth{Modified: v.modified}
	var errs []error
	if r.Images() {
		errs = append(errs, v.told(ctx, state.FactImages, func() error { return v.countImages(ctx, w) }))
	}
	if r.After != nil {
		errs = append(errs, v.told(ctx, state.FactAfter, func() error { return v.readAfter(ctx, w) }))
	}
	v.seen.Worth, v.weighedAt = w, v.Clock.Now()
	return errors.Join(errs...)
}

// told learns a fact about the project, or that it isn't told: a refusal and what may not
// be true again are tried again after a pause, all else with the next look.
func (v *visit) told(ctx context.Context, fact string, learn func() error) error {
	s := state.Scope{Fact: fact}
	if c := v.seen.Project.Condition(s); c != nil && c.Code != state.Unseen && !due(c, v.rules.Under, v.now()) {
		return nil
	}
	err := learn()
	var f fault
	switch {
	case errors.As(err, &f):
	case err != nil && customvision.Definite(err):
		f = fault{code: state.FactRefused, why: err.Error()}
	default:
		if ctx.Err() == nil {
			v.shown(s, err)
		}
		return err
	}
	v.learn(func(p *state.Project) { note(p, s, false, f, false, v.rules.Under, v.now()) })
	return nil
}

// countImages counts the tagged images, and those that the last training saw, which never
// change: these are asked for once.
func (v *visit) countImages(ctx context.Context, w *Worth) error {
	last, then := lastOf(v.seen), v.seen.Project.Trained
	perTag := v.rules.Retrain.OnImagesPerTag > 0
	p := &plan{Rules: v.rules, o: v.seen}
	switch {
	case last == nil && then == nil:
		then = &state.Tally{}
	case last == nil:
	case then == nil || then.Iteration != last.ID && !then.At.After(p.ended(*last)) || then.Iteration == last.ID && !then.At.Equal(p.ended(*last)) || perTag && then.Tags == nil:
		counted, err := v.tally(ctx, last.ID, perTag)
		if err != nil {
			return err
		}
		counted.Iteration, counted.At = last.ID, p.ended(*last)
		v.learn(func(p *state.Project) { p.Trained = counted })
		then = counted
	}
	now, err := v.tally(ctx, "", perTag)
	if err != nil {
		return err
	}
	w.Now, w.Then = now, then
	return nil
}

// tally counts the tagged images that an iteration saw, or those of now where it is empty:
// one call, and one more for those of each tag.
func (v *visit) tally(ctx context.Context, iteration string, perTag bool) (*state.Tally, error) {
	t := &state.Tally{}
	var err error
	if t.Images, err = v.Service.ImageCount(ctx, v.record.ID, iteration, customvision.TaggedImages); err != nil || !perTag {
		return t, err
	}
	tags, err := v.Service.Tags(ctx, v.record.ID, iteration)
	if err != nil {
		return t, err
	}
	t.Tags = map[string]int{}
	for _, tag := range tags {
		if tag.Type != typeNegative {
			t.Tags[strings.ToLower(tag.ID)] = tag.ImageCount
		}
	}
	return t, nil
}

// readAfter reads what last became of the project that the rule waits for, as whoever
// looks at that project left it in its state.
func (v *visit) readAfter(ctx context.Context, w *Worth) error {
	after := v.rules.Retrain.After
	list, err := v.projects(ctx)
	if err != nil {
		return fmt.Errorf("list the projects: %w", err)
	}
	other := named(list, after.Project)
	if len(other) != 1 {
		return faultf(state.ChainBroken, "the policy trains it after the project %q, and Custom Vision lists %d projects of that name or id", after.Project, len(other))
	}
	inForce, err := v.Policy.Now(ctx)
	if err != nil {
		return err
	}
	if circle := inForce.CircleFrom(v.record.ID, func(project string) (id, name string) {
		if of := named(list, project); len(of) == 1 {
			return of[0].ID, of[0].Name
		}
		return project, project
	}); circle != "" {
		return faultf(state.ChainBroken, "the policy's trainings cause one another in a circle: %s", circle)
	}
	id, err := customvision.ParseID(other[0].ID)
	if err != nil {
		return faultf(state.ChainBroken, "the id of the project %q is no GUID", after.Project)
	}
	record, err := v.State.Load(ctx, id)
	if err != nil {
		return fmt.Errorf("read the state of the project %q: %w", after.Project, err)
	}
	w.Of, w.After = id, became(record.Project, after.Event)
	return nil
}

// became is what last became of a project, by the type of event; the zero value where
// nothing did since the app knows it.
func became(p state.Project, event string) state.Happened {
	switch {
	case event == policy.TrainingCompleted && !p.Seen.IsZero() && !p.Completed.At.Before(p.Seen.Add(-clocksDiffer)):
		return p.Completed
	case event == policy.ModelPromoted && p.Promotion != nil && !p.Promotion.At.IsZero():
		return state.Happened{Iteration: p.Promotion.Holder, At: p.Promotion.At}
	}
	return state.Happened{}
}

// named are the projects of an id, or of a name in any letter case.
func named(list []customvision.Project, project string) []customvision.Project {
	return slices.DeleteFunc(slices.Clone(list), func(p customvision.Project) bool {
		return !strings.EqualFold(p.ID, project) && !strings.EqualFold(p.Name, project)
	})
}

// projects are those that the service lists: as the sweep has just seen them, if it did.
func (v *visit) projects(ctx context.Context) ([]customvision.Project, error) {
	if v.scope.listed != nil {
		return v.scope.listed, nil
	}
	return v.Service.Projects(ctx)
}

// keepSpent learns what the trainings of the last 30 days cost, where the policy bounds
// that: also of those that are deleted later.
func (v *visit) keepSpent() {
	if !v.budgeted() || v.listedAt.IsZero() || v.blind != nil {
		return
	}
	now, spent := v.now(), (&plan{Rules: v.rules, o: v.seen}).spent()
	if !slices.EqualFunc(spent, v.seen.Project.Spent, state.Spent.Equal) {
		v.learn(func(p *state.Project) { p.Spend(spent, now.Add(-month)) })
	}
}

// keepCompleted learns which iteration is the newest completed one: trainings of other
// projects may follow.
func (v *visit) keepCompleted() {
	id := newest(v.seen.Iterations)
	if it := v.iteration(id); it != nil && it.TrainedAt.After(v.seen.Project.Completed.At) {
		at := *it.TrainedAt
		v.learn(func(p *state.Project) { p.Completed = state.Happened{Iteration: id, At: at} })
	}
}

// trainingIsOver reports whether the condition of a training that answers no failure no
// longer stands: nothing makes one worth it now, as far as that was looked at.
func (v *visit) trainingIsOver() bool {
	r := v.rules.Retrain
	if r == nil {
		return true
	}
	if v.seen.Worth == nil {
		return false
	}
	p := &plan{Rules: v.rules, o: v.seen}
	cause, _ := p.worth()
	return p.underway() || cause == (state.Cause{})
}

// factIsOver reports whether the condition of a fact about the project no longer stands.
func (v *visit) factIsOver(fact string) bool {
	r := v.rules.Retrain
	switch fact {
	case state.FactHoldOut:
		return v.blind == nil && !v.listedAt.IsZero() && !v.asksForSet()
	case state.FactTraining:
		return v.trainingIsOver()
	case state.FactImages:
		return r == nil || !r.Images()
	case state.FactAfter:
		return r == nil || r.After == nil
	case state.FactTwin:
		return v.rules.Twin == nil || !v.seen.Project.Twin.Open()
	}
	return false
}
