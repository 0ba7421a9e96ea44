package reconcile

import (
	"context"
	"fmt"
	"time"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

// publishEffect gives a name to an iteration. Its intent is a state.Move.
type publishEffect struct{}

func (publishEffect) look(context.Context, *visit, string) error { return nil }

func (publishEffect) announce(v *visit, p *state.Project, a Action, s sending) {
	known, rule := p.Promotion, v.rules.Promote
	m := &state.Move{Token: s.token, To: a.Iteration, Asked: v.now(), Until: s.until}
	if known != nil && v.seen.heir(known) != "" && (a.Kind == Promote || known.Move.Freed(a.Iteration)) { // it is gone on with, even if the policy is another one
		before := known.Move
		m.From, m.FromResource, m.Resource, m.By = before.From, before.FromResource, before.Resource, before.By
		if a.Kind == Promote { // to another end
			m.Resource, m.By = rule.PredictionID, v.promoter(a)
		}
		known.Move = m
		return
	}
	if known == nil || known.Name != rule.Name {
		known = &state.Promotion{Name: rule.Name, Holder: holderOf(v.seen.Iterations, rule.Name)}
		p.Promotion = known
	}
	m.Resource, m.By = rule.PredictionID, v.promoter(a)
	if holder := v.iteration(holderOf(v.seen.Iterations, rule.Name)); holder != nil {
		m.From, m.FromResource = holder.ID, holder.OriginalPublishResourceID
	}
	known.Move = m
}

func (v *visit) promoter(a Action) state.Promoter {
	switch {
	case a.Kind == Publish:
		return state.ByPolicy
	case v.scope.ask.Rollback:
		return state.ByRollback
	}
	return state.ByPerson
}

func (publishEffect) withdraw(p *state.Project, _ Action, s sending) bool {
	announced := p.Promotion != nil && p.Promotion.Move != nil && p.Promotion.Move.Token == s.token
	if announced {
		p.Promotion.Move = nil
	}
	return announced
}

// send takes the name over in one call. Where the service refuses that, it frees the name
// and takes it at once. If the process ends in between, the intent says what is to be
// finished.
func (publishEffect) send(ctx context.Context, v *visit, a Action, s sending) error {
	name, m := v.seen.Project.Promotion.Name, *v.seen.Project.Promotion.Move
	held := m.From != "" && holderOf(v.seen.Iterations, name) == m.From
	freed := m.From != "" && !held // by the one that this one goes on with
	err := v.Service.Publish(ctx, v.record.ID, m.To, name, m.ResourceOf(m.To), held)
	if held && customvision.NameTaken(err) {
		freed, err = v.freeAndTake(ctx, name, m)
	}
	switch {
	case err == nil:
		v.promoted(m)
		return nil
	case customvision.Lost(err):
		return err
	case freed:
		return v.giveBack(ctx, name, a, m, s, err)
	}
	v.refusedNow(a, s, err)
	return publishFault(err)
}

func publishFault(err error) error {
	if customvision.Definite(err) {
		return fault{code: state.PublishRefused, why: fmt.Sprintf("the service refuses to publish it: %s", err), cause: err}
	}
	return err
}

// freeAndTake frees the name and takes it, and reports whether it was freed. Once it may be
// free it is taken even if the run's time is up.
func (v *visit) freeAndTake(ctx context.Context, name string, m state.Move) (freed bool, err error) {
	unsure := v.Service.Unpublish(ctx, v.record.ID, m.From)
	if unsure != nil && !customvision.Lost(unsure) {
		return false, unsure
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), freeTime)
	defer cancel()
	err = v.Service.Publish(ctx, v.record.ID, m.To, name, m.ResourceOf(m.To), false)
	if unsure != nil && customvision.NameTaken(err) { // it wasn't freed
		return false, unsure
	}
	v.hasName(m.From, "") // the list says otherwise until the next look
	return true, err
}

// hasName sees that an iteration has a name from now on; none where it is empty.
func (v *visit) hasName(iteration, name string) {
	if it := v.iteration(iteration); it != nil {
		it.PublishName = name
	}
}

// freeTime bounds a call that gives away a name that is free, for which the run's time may
// be up. Two of them fit into the grace that others leave its sender.
const freeTime = 10 * time.Second

// giveBack gives the name that was freed back to the iteration that had it, since the other
// one can't have it. As long as that fails the intent says that it is still to be done.
func (v *visit) giveBack(ctx context.Context, name string, a Action, m state.Move, s sending, err error) error {
	switch {
	case customvision.NameTaken(err):
		v.withdraw(a, s)
		return faultf(state.LeftToPerson, "somebody else took the name %q while it was to be published: %s", name, err)
	case m.To == m.From, idle(err): // the next run finishes it
		return publishFault(err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), freeTime)
	defer cancel()
	if back := v.Service.Publish(ctx, v.record.ID, m.From, name, m.ResourceOf(m.From), false); back != nil {
		v.learn(func(p *state.Project) {
			if p.Promotion != nil && p.Promotion.Move != nil && p.Promotion.Move.Token == s.token {
				p.Promotion.Move.To = m.From
			}
		})
		return publishFault(err)
	}
	v.hasName(m.From, name)
	v.withdraw(a, s)
	return publishFault(err)
}
