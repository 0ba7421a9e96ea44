package reconcile

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"time"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

// senderTime bounds how long one sender may take between its intent and the
// answer, where its context has no deadline.
const senderTime = 5 * time.Minute

// publishTime is how long one that publishes may take: if it dies between two calls, that is
// finished no earlier.
const publishTime = time.Minute

// errTooSlow says that the service answered so slowly that no time was left.
var errTooSlow = errors.New("there was no time left to ask Custom Vision for it: it is left to the next run")

// errOvertaken says that another process wrote the state since this one looked.
var errOvertaken = errors.New("another process was first")

// effect is one kind of what is asked of the service and can't be undone. It is announced
// in the state before it is sent, and never repeated blindly.
type effect interface {
	// look sees of an iteration, as it is now, what the effect is planned on besides the
	// list of iterations, unless it was seen just now.
	look(ctx context.Context, v *visit, iteration string) error
	// announce writes the intent.
	announce(v *visit, p *state.Project, a Action, s sending)
	// withdraw ends an announcement, and no other's, and reports whether it was there.
	withdraw(p *state.Project, a Action, s sending) bool
	// send asks for it, and learns what the answer says. After a lost answer the intent
	// stays open; visit.refusedNow ends one that came to nothing.
	send(ctx context.Context, v *visit, a Action, s sending) error
}

type kindOfEffect struct {
	kind ActionKind
	effect
	// within bounds the time of its sender further; 0 where nothing hurries.
	within time.Duration
}

// effects are all kinds, in the order in which they go.
var effects = []kindOfEffect{
	{Export, exportEffect{}, 0},
	{Publish, publishEffect{}, publishTime},
	{Promote, publishEffect{}, publishTime},
	{Delete, deletionEffect{}, 0},
	{Retrain, trainingEffect{}, 0},
	{Train, trainingEffect{}, 0},
}

// effect reports whether the action changes the service and can't be undone.
func (k ActionKind) effect() bool { return k.rank() >= 0 }

// rank is a kind's place in the order of effects; -1 where it is none.
func (k ActionKind) rank() int {
	return slices.IndexFunc(effects, func(e kindOfEffect) bool { return e.kind == k })
}

// affect asks the service for effects. It plans by a fresh look and sends what is still
// planned: the first one. The next one needs a fresh look of its own. Work that the fresh
// look shows comes first. What becomes of a lost answer the next look shows. It reports
// whether another process was first. An error means that the state can't be written.
func (v *visit) affect(ctx context.Context) (overtaken bool, err error) {
	if v.outside {
		return false, nil
	}
	work, planned := v.plan(ctx)
	if len(work) > 0 || len(planned) == 0 {
		return false, nil
	}
	first := slices.MinFunc(planned, func(a, b Action) int { return cmp.Compare(a.Kind.rank(), b.Kind.rank()) })
	err = v.send(ctx, first)
	if errors.Is(err, errOvertaken) {
		v.seen.Project = v.record.Clone() // the next round looks anew
		v.apply(&v.seen.Project)
		return true, nil
	}
	return false, err
}

// fresh is how old what an effect is planned on may be: it was seen directly before.
const fresh = 2 * time.Second

// isFresh reports whether an effect may be planned on what was seen at a time by our clock:
// directly before, and since another process wrote the state, which may have sent its own.
func (v *visit) isFresh(at time.Time) bool {
	return v.Clock.Now().Sub(at) < fresh && at.After(v.othersWrote)
}

// lookAnew sees the project's name, its iterations and what else the planned effects need
// as they are now, each unless it was seen just now.
func (v *visit) lookAnew(ctx context.Context) error {
	if !v.isFresh(v.askedAt) {
		if err := v.ask(ctx); err != nil {
			return err
		}
	}
	if err := v.applyPolicy(ctx); err != nil || v.outside {
		return err
	}
	if !v.isFresh(v.listedAt) {
		if err := v.listIterations(ctx); err != nil {
			return err
		}
	}
	looked := map[Step]error{} // once for all effects of a kind on an iteration
	for _, a := range v.planned(ctx) {
		if !a.Kind.effect() {
			continue
		}
		about := Step{Kind: a.Kind, Scope: state.Scope{Iteration: a.Iteration}}
		err, again := looked[about]
		if !again {
			err = effects[a.Kind.rank()].look(ctx, v, a.Iteration)
			looked[about] = err
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
	if within := effects[a.Kind.rank()].within; within > 0 && s.until.After(v.now().Add(within)) {
		s.until = v.now().Add(within)
	}
	if c := v.seen.Project.Condition(a.Scope); c != nil {
		before := *c
		s.before = &before
	}
	err := v.State.Update(ctx, v.record, func(p *state.Project) error {
		if p.Revision != planned {
			v.othersWrote = v.Clock.Now()
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
	if ctx.Err() != nil { // it never left the process
		v.takeBack(a, s)
		err = errTooSlow
	} else {
		err = effects[a.Kind.rank()].send(ctx, v, a, s)
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
	if lost && !known && !a.Kind.personal() {
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
	attempted(p, a.Scope, v.rules.Under, v.now())
	effects[a.Kind.rank()].announce(v, p, a, s)
}

// withdraw ends an announcement, and no other's.
func (v *visit) withdraw(a Action, s sending) {
	v.learn(func(p *state.Project) { effects[a.Kind.rank()].withdraw(p, a, s) })
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

// takeBack makes an announcement as if it had never been made: what it was for never
// left the process, so the try doesn't count. Another process's does.
func (v *visit) takeBack(a Action, s sending) {
	v.learn(func(p *state.Project) {
		announced := effects[a.Kind.rank()].withdraw(p, a, s)
		if c := p.Condition(a.Scope); announced && s.before != nil && c != nil && c.Attempts == s.before.Attempts+1 {
			*c = *s.before
		}
	})
}
