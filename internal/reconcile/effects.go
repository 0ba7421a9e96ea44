package reconcile

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

// senderTime bounds how long one sender may take between its intent and the
// answer, where its context has no deadline.
const senderTime = 5 * time.Minute

// errTooSlow says that the service answered so slowly that no time was left.
var errTooSlow = errors.New("there was no time left to ask Custom Vision for it: it is left to the next run")

// errOvertaken says that another process wrote the state since this one looked.
var errOvertaken = errors.New("another process was first")

// affect asks the service for exports and trainings: effects that can't be undone
// and are never repeated blindly. It plans by a fresh look and sends what is still
// planned: one effect, exports before trainings. The next one needs a fresh look of its
// own. Work that the fresh look shows comes first. What becomes of a lost answer the
// next look shows. It reports whether another process was first. An error means that
// the state can't be written.
func (v *visit) affect(ctx context.Context) (overtaken bool, err error) {
	if v.outside {
		return false, nil
	}
	work, effects := v.plan(ctx)
	if len(work) > 0 || len(effects) == 0 {
		return false, nil
	}
	first := max(slices.IndexFunc(effects, func(a Action) bool { return a.Kind == Export }), 0)
	err = v.send(ctx, effects[first])
	if errors.Is(err, errOvertaken) {
		v.seen.Project = v.record.Clone() // the next round looks anew
		v.apply(&v.seen.Project)
		return true, nil
	}
	return false, err
}

// fresh is how old what an effect is planned on may be: it was seen directly before.
const fresh = 2 * time.Second

// lookAnew sees the project's name, its iterations and, of those that are asked to
// be exported, the exports as they are now, unless all that was seen just now.
func (v *visit) lookAnew(ctx context.Context) error {
	if v.Clock.Now().Sub(v.askedAt) >= fresh {
		if err := v.ask(ctx); err != nil {
			return err
		}
	}
	if err := v.applyPolicy(ctx); err != nil || v.outside || v.Clock.Now().Sub(v.listedAt) < fresh {
		return err
	}
	if err := v.listIterations(ctx); err != nil {
		return err
	}
	looked := map[string]error{}
	for _, a := range v.planned(ctx) {
		if a.Kind != Export {
			continue
		}
		err, again := looked[a.Iteration]
		if !again {
			err = v.listExports(ctx, a.Iteration, v.seen.Looks[a.Iteration])
			looked[a.Iteration] = err
			if ctx.Err() == nil {
				v.shown(state.Scope{Iteration: a.Iteration, Fact: state.FactExports}, err)
			}
		}
		if err != nil { // what isn't seen as it is now isn't asked for
			v.seen.Tried[a.Step] = true
			v.fail(v.log(ctx, a), a, err)
		}
	}
	return nil
}

// send announces one effect and sends it. The announcement is written on top of the
// very version that the plan was made from; who loses that race sends nothing and
// leaves it to the winner. Nothing is sent later than the announcement says: by then
// another may send it. An error means that the state can't be written.
func (v *visit) send(ctx context.Context, a Action) error {
	v.seen.Tried[a.Step] = true
	ctx, span := v.span(ctx, a)
	s, planned := sending{token: rand.Text(), until: v.until(ctx)}, v.record.Revision
	if c := v.seen.Project.Condition(a.Scope); c != nil {
		before := *c
		s.before = &before
	}
	err := v.State.Update(ctx, v.record, func(p *state.Project) error {
		if p.Revision != planned {
			return errOvertaken
		}
		v.apply(p)
		v.announce(p, a, s)
		return nil
	})
	if err != nil {
		delete(v.seen.Tried, a.Step) // it never left the process
		if !errors.Is(err, errOvertaken) {
			v.takeBack(a, s) // it may be written all the same
			v.unsure = true
		}
		span.End(err)
		return err
	}
	v.written()

	ctx, cancel := context.WithTimeout(ctx, s.until.Sub(v.now()))
	defer cancel()
	switch {
	case ctx.Err() != nil: // it never left the process
		v.takeBack(a, s)
		err = errTooSlow
	case a.Kind == Export:
		err = v.sendExport(ctx, a, s)
	default:
		err = v.sendTraining(ctx, a, s)
	}
	span.End(err)
	v.effectDone(ctx, a, err, s.before != nil)
	return nil
}

// sending is one effect on its way: its announcement, and the condition that it was
// sent in spite of.
type sending struct {
	token  string
	until  time.Time
	before *state.Condition
}

// effectDone records what became of an effect. After a lost answer the intent stays
// open, and the next look shows what came of it: if nothing did, it is asked for again
// after a pause.
func (v *visit) effectDone(ctx context.Context, a Action, err error, known bool) {
	lost := err != nil && customvision.Lost(err)
	if lost && !known && a.Kind != Train {
		v.learn(func(p *state.Project) { note(p, a.Scope, false, faultOf(err), false, v.rules.Under, v.now()) })
	}
	if lost || errors.Is(err, errTooSlow) {
		v.fail(v.log(ctx, a), a, err)
		return
	}
	v.outcome(ctx, a, err, known || idle(err))
}

// until is when this sender gives up at the latest, by the storage service's clock.
func (v *visit) until(ctx context.Context) time.Time {
	left := senderTime
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
	}
	return v.now().Add(left)
}

// announce writes the intent, and counts the try of what couldn't be done before.
func (v *visit) announce(p *state.Project, a Action, s sending) {
	now := v.now()
	attempted(p, a.Scope, v.rules.Under, now)
	if a.Kind == Export {
		e := p.Iteration(a.Iteration).Export(a.Export)
		e.Asked, e.Until = now, s.until
		p.Iteration(a.Iteration).Settled = nil // a person may ask for more than the policy; sweeps are to see its end
		return
	}
	// An open one of the same cause came to nothing. Kept, it would answer the failure
	// once this one is taken back.
	p.Trainings = slices.DeleteFunc(slices.Clone(p.Trainings), func(t *state.Training) bool { return t.Cause == a.Iteration && t.Open() })
	var known []string
	for _, it := range v.seen.Iterations {
		if it.Status != customvision.StatusNew {
			known = append(known, it.ID)
		}
	}
	p.Trainings = append(v.remembered(p.Trainings, now), &state.Training{
		Token: s.token, Cause: a.Iteration, Known: known, Asked: now, Until: s.until,
	})
}

// refusedNow ends an announcement after an error that is no lost answer: a try that
// was answered counts, an idle one doesn't.
func (v *visit) refusedNow(a Action, s sending, err error) {
	if idle(err) {
		v.takeBack(a, s)
		return
	}
	v.withdraw(a, s)
}

// idle reports whether a failed call did nothing at all: it never left the process, or
// it met a limit of calls.
func idle(err error) bool {
	var e *customvision.Error
	return errors.As(err, &e) && !customvision.Lost(err) && (e.Status == 0 || e.Status == http.StatusTooManyRequests)
}

// withdraw ends an announcement, and no other's.
func (v *visit) withdraw(a Action, s sending) {
	v.learn(func(p *state.Project) {
		if a.Kind != Export {
			p.Trainings = slices.DeleteFunc(slices.Clone(p.Trainings), func(t *state.Training) bool { return t.Token == s.token && t.Cause == a.Iteration })
			return
		}
		if e := p.Iteration(a.Iteration).Export(a.Export); e.Until.Equal(s.until) {
			e.Asked, e.Until = time.Time{}, time.Time{}
		}
	})
}

// takeBack makes an announcement as if it had never been made: what it was for never
// left the process, so the try doesn't count.
func (v *visit) takeBack(a Action, s sending) {
	v.withdraw(a, s)
	v.learn(func(p *state.Project) {
		if c := p.Condition(a.Scope); s.before != nil && c != nil && c.Attempts == s.before.Attempts+1 {
			*c = *s.before
		}
	})
}

// remembered drops trainings that no rule looks back to: old ones that neither answer
// nor are an iteration that is there.
func (v *visit) remembered(trainings []*state.Training, now time.Time) []*state.Training {
	return slices.DeleteFunc(slices.Clone(trainings), func(t *state.Training) bool {
		return now.Sub(t.Asked) > 2*month && v.iteration(t.Cause) == nil && v.iteration(t.Result) == nil
	})
}

func (v *visit) sendExport(ctx context.Context, a Action, s sending) error {
	key, err := v.key(a)
	if err != nil {
		return err
	}
	look := v.seen.Looks[a.Iteration]
	e, err := v.Service.Export(ctx, key.Project, key.Iteration, key.Platform, key.Flavor)
	if customvision.Lost(err) {
		return err // the intent stays open
	}
	switch {
	case err == nil:
		v.learn(func(p *state.Project) { p.Iteration(a.Iteration).Export(a.Export).Until = time.Time{} })
		look.see(key, e)
		return nil
	case definite(err):
		v.learn(func(p *state.Project) { *p.Iteration(a.Iteration).Export(a.Export) = state.Export{} })
		return faultf(state.ExportRefused, "the service refuses to export it: %s", err)
	}
	v.refusedNow(a, s, err)
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

func (v *visit) sendTraining(ctx context.Context, a Action, s sending) error {
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
		return err // the intent stays open
	}
	v.refusedNow(a, s, err) // ours wasn't begun, whoever's runs
	if definite(err) {
		return fault{code: state.TrainingRefused, why: fmt.Sprintf("the service refuses to train: %s", err), cause: err}
	}
	return err
}
