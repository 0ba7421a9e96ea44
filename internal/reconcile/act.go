package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
	"visionkeeper/internal/telemetry"
)

const (
	// saveEvery is how often a run writes what it has learnt while it goes on.
	saveEvery = 5 * time.Second
	// mostRaces bounds how often a run that loses the race to another process plans
	// its effects anew.
	mostRaces = 3
)

// Failure is a step that failed in a way that may pass.
type Failure struct {
	Step
	Err error
}

// loggedError is an error that stands in the log already, in a line of its own.
type loggedError struct{ error }

func (e loggedError) Unwrap() error { return e.error }

// Logged tells who ends an invocation that no further line has to say it.
func (loggedError) Logged() bool { return true }

// act does what is planned, folds what that showed into what was seen, and plans
// again, until only waiting is left. Every step is tried once in a run at most, and
// counted before it is done, so a run ends. Effects come last, on a fresh look. What
// was learnt is written in the end even if the run's time is up.
func (v *visit) act(ctx context.Context) error {
	v.openOutbox(ctx)
	err := v.rounds(ctx)
	v.conclude(ctx)
	return errors.Join(err, v.saveLast(ctx))
}

// saveLast writes what was learnt even if ctx has ended.
func (v *visit) saveLast(ctx context.Context) error {
	ctx, cancel := state.LastWrite(ctx)
	defer cancel()
	v.endLook()
	return v.save(ctx)
}

func (v *visit) rounds(ctx context.Context) error {
	for races := 0; ctx.Err() == nil; {
		work, planned := v.plan(ctx)
		switch {
		case len(work) > 0:
			for i, a := range work {
				if ctx.Err() == nil {
					v.do(ctx, a, v.scope.followed || slices.ContainsFunc(work[i+1:], Action.reads))
				}
			}
		case len(planned) == 0:
			return nil
		case races == mostRaces:
			v.failAll(ctx, planned, errors.New("other processes changed the project again and again: it is left to the next run"))
		default:
			if err := v.lookAnew(ctx); err != nil {
				v.failAll(ctx, planned, err)
				continue
			}
			overtaken, err := v.affect(ctx)
			if err != nil {
				return err
			}
			if overtaken {
				races++
			}
		}
		if v.outside {
			return nil
		}
	}
	return ctx.Err()
}

// planned is what is to be done by what was seen. No effect is planned on a list that
// lacks what may be there.
func (v *visit) planned(ctx context.Context) []Action {
	list := Plan(v.rules, v.seen)
	if v.inService() && v.blind == nil && slices.ContainsFunc(list, func(a Action) bool { return a.Kind.effect() }) {
		v.confirmMissing(ctx, true)
		list = Plan(v.rules, v.seen)
	}
	return list
}

// plan plans, keeps what is waited for, and separates the effects from the rest.
func (v *visit) plan(ctx context.Context) (work, effects []Action) {
	v.seen.Now, v.loaded = v.now(), v.Clock.Now()
	v.waiting = nil
	for _, a := range v.planned(ctx) {
		switch {
		case a.Kind == Wait:
			v.waiting = append(v.waiting, a)
		case v.scope.ask != nil && ofPromotion(a):
			v.seen.Tried[a.Step] = true
			v.fail(v.log(ctx, a), a, fault{code: a.Code, why: a.Why})
		case a.QuickTests > 0 && !v.scope.measures:
			v.unmeasured = true
		case !a.Kind.effect():
			work = append(work, a)
		case v.scope.ask != nil:
			if v.scope.ask.covers(a) {
				effects = append(effects, a)
			}
		case v.rules.Mode == policy.Observe:
			v.seen.Tried[a.Step] = true // said once
			v.observed = append(v.observed, a)
			log := v.log(ctx, a)
			log.Info().Msgf("would %s, but the policy only observes", a.Kind)
		default:
			effects = append(effects, a)
		}
	}
	return work, append(effects, v.training(ctx)...)
}

// do takes one step that isn't an effect; others reports whether other packages wait for
// their turn meanwhile.
func (v *visit) do(ctx context.Context, a Action, others bool) {
	v.seen.Tried[a.Step] = true
	ctx, span := v.span(ctx, a)
	if a.reads() {
		v.begun(a)
		if others || v.scope.again {
			v.saveNow(ctx)
		}
	}
	var err error
	switch a.Kind {
	case Backup:
		err = share(ctx, others, func(ctx context.Context) error { return v.backup(ctx, a) })
	case Collect:
		err = share(ctx, others, func(ctx context.Context) error { return v.collect(ctx, a) })
	case Describe:
		share, cancel := shareOf(ctx)
		err = v.describe(share, a.Iteration)
		cancel()
	case Measure:
		share, cancel := v.measureTime(ctx)
		err = v.measure(share, a)
		cancel()
	case Bury:
		err = v.bury(ctx, a.Iteration)
	case Postpone:
		err = fault{code: a.Code, why: a.Why, until: a.Until, sight: a.Sight}
	default:
		v.remember(a)
	}
	if errors.Is(err, errLater) {
		v.unmeasured, err = true, nil
		span.End(nil)
		return
	}
	span.End(err)
	v.outcome(ctx, a, err, a.reads())
	if v.Clock.Now().Sub(v.saved) >= saveEvery {
		v.saveNow(ctx)
	}
}

// begun notes a package before anything of it is read. If the process dies of it, that
// stays: the next run takes the others first, and it is tried ever more seldom. Where no
// others wait that is written only when the message or the sweep before came to no end: it
// spares most backups a request.
func (v *visit) begun(a Action) {
	v.learn(func(p *state.Project) {
		if c := p.Condition(a.Scope); c != nil && a.Kind == Backup && !c.Unproven {
			p.Clear(a.Scope) // of asking for the export, which is over
		}
		f := fault{code: state.Unfinished, why: "archiving it was begun and came to no end: the process ended meanwhile"}
		note(p, a.Scope, false, f, a.Kind == Backup, v.rules.Under, v.now())
	})
}

// share lets one package take half of the time that is left of a run if there are
// others, so that there is some for them.
func share(ctx context.Context, others bool, archive func(context.Context) error) error {
	deadline, ok := ctx.Deadline()
	if !ok || !others {
		return archive(ctx)
	}
	half, cancel := context.WithTimeout(ctx, time.Until(deadline)/2)
	defer cancel()
	err := archive(half)
	if err != nil && half.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("it took more than half of the time that was left: %w", err)
	}
	return err
}

// saveNow writes what was learnt so far. If that fails, it is written with the next.
func (v *visit) saveNow(ctx context.Context) {
	if err := v.save(ctx); err != nil {
		log := v.logOf(ctx, "").Logger()
		log.Warn().Err(err).Msg("what was learnt is not written yet")
	}
}

// outcome logs what became of a step, and records why it couldn't be taken.
func (v *visit) outcome(ctx context.Context, a Action, err error, counted bool) {
	log := v.log(ctx, a)
	if err == nil {
		v.done = append(v.done, a)
		log.Info().Msg(said[a.Kind])
		v.learn(func(p *state.Project) {
			if c := p.Condition(a.Scope); c != nil && c.Code == state.Unfinished {
				p.Clear(a.Scope)
			}
		})
		return
	}
	if a.Kind.personal() || v.scope.ask != nil && a.Kind == Measure {
		v.fail(log, a, err)
		return
	}
	f := faultOf(err)
	switch c := v.seen.Project.Condition(a.Scope); {
	case a.Kind == Describe:
	case a.Kind == Postpone && c != nil && c.Code != f.code:
		v.learn(func(p *state.Project) { correct(p, a.Scope, f, v.rules.Under, v.now()) })
	default:
		unproven := a.Kind == Backup
		v.learn(func(p *state.Project) { note(p, a.Scope, counted, f, unproven, v.rules.Under, v.now()) })
	}
	if f.code == state.Unavailable {
		v.fail(log, a, err)
		return
	}
	a.Kind, a.Code, a.Why, a.QuickTests = Postpone, f.code, f.why, 0
	v.done = append(v.done, a)
	event := log.Warn().Str("code", string(f.code)).AnErr("cause", err)
	if c := v.seen.Project.Condition(a.Scope); c != nil && !c.Next.IsZero() {
		event = event.Time("next", c.Next)
	}
	event.Msg(said[Postpone])
}

// fail records a failure that may pass.
func (v *visit) fail(log zerolog.Logger, a Action, err error) {
	what := strings.TrimSpace(string(a.Kind) + " " + a.Export + a.Blob)
	if a.Iteration != "" {
		what += " of iteration " + a.Iteration
	}
	v.failed = append(v.failed, Failure{a.Step, loggedError{fmt.Errorf("%s: %w", what, err)}})
	log.Error().Err(err).Msg("failed: " + string(a.Kind))
}

// failAll records the same failure of several steps, which aren't planned again in
// this run.
func (v *visit) failAll(ctx context.Context, list []Action, err error) {
	for _, a := range list {
		v.seen.Tried[a.Step] = true
		v.fail(v.log(ctx, a), a, err)
	}
}

// span is that of an action.
func (v *visit) span(ctx context.Context, a Action) (context.Context, *telemetry.Span) {
	return telemetry.Start(ctx, string(a.Kind), telemetry.String("project", v.record.ID), telemetry.String("iteration", a.Iteration),
		telemetry.String("export", a.Export), telemetry.String("blob", a.Blob), telemetry.String("because", a.Why))
}

// log is the run's log with what an action is about.
func (v *visit) log(ctx context.Context, a Action) zerolog.Logger {
	log := v.logOf(ctx, a.Iteration).Str("because", a.Why)
	if a.Export != "" {
		log = log.Str("export", a.Export)
	}
	if a.Blob != "" {
		log = log.Str("blob", a.Blob)
	}
	return log.Logger()
}

// logOf is the run's log with the ids and the names of the project and, unless it is
// empty, of an iteration.
func (v *visit) logOf(ctx context.Context, iteration string) zerolog.Context {
	log := zerolog.Ctx(ctx).With().Str("project", v.record.ID).Str("name", v.seen.Project.Name)
	if iteration != "" {
		log = log.Str("iteration", iteration)
	}
	if it := v.iteration(iteration); it != nil {
		log = log.Str("iterationName", it.Name)
	}
	return log
}

// said is what the log says of a step that was taken.
var said = map[ActionKind]string{
	Describe: "noted domain, tags and performance",
	Backup:   "archived",
	Collect:  "archived",
	Export:   "asked for an export",
	Delete:   "deleted an iteration to make room",
	Bury:     "noted that an iteration is gone",
	Retrain:  "started a training",
	Measure:  "noted how well it predicts",
	Publish:  "published",
	Promote:  "published",
	Train:    "started a training",
	Adopt:    "found what was asked for",
	Postpone: "cannot be done now",
	Settle:   "all that can be done now is done",
}

// remember takes the steps that only change what is known.
func (v *visit) remember(a Action) {
	switch a.Kind {
	case Adopt:
		if a.Fact == state.FactPromotion {
			v.promoted(*v.seen.Project.Promotion.Move)
			return
		}
		v.learn(func(p *state.Project) {
			for _, t := range p.Trainings {
				if t.Open() && !slices.Contains(t.Known, a.Iteration) {
					t.Result = a.Iteration
				}
			}
		})
	case Settle:
		settled := state.Settled{At: v.began, Rule: v.rules.hash(), Wanted: isWanted(v.rules.Rule, *v.iteration(a.Iteration), v.seen.Iterations)}
		if look := v.seen.Looks[a.Iteration]; look != nil {
			settled.Done = look.names(customvision.ExportDone)
		}
		v.learn(func(p *state.Project) {
			p.Iteration(a.Iteration).Settled, p.Iteration(a.Iteration).Looked = &settled, nil
		})
	}
}
