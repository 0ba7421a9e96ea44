package reconcile

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/holdout"
	"visionkeeper/internal/state"
)

// askingFor is how long a run asks pictures for since it last said so in the state.
const askingFor = 2 * saveEvery

// errLater says that pictures are left to be asked by another run: the time is up, or others
// wait.
var errLater = errors.New("pictures are left to be asked")

// mostUnknown is how many labels a condition names.
const mostUnknown = 5

// asksForSet reports whether the gate of a promotion asks for the hold-out set now.
func (v *visit) asksForSet() bool {
	if v.rules.Promote == nil || v.rules.Promote.HoldOut == "" || v.outside || !v.inService() || v.blind != nil {
		return false
	}
	p := &plan{Rules: v.rules, o: v.seen}
	p.o.HoldOut = nil
	p.promote()
	return p.lacksSet
}

// seeHoldOut lists the hold-out set, if a gate asks for it. A set that can't be used is a
// condition of the project; a person who asks hears of it.
func (v *visit) seeHoldOut(ctx context.Context) error {
	v.seen.HoldOut = nil
	s := state.Scope{Fact: state.FactHoldOut}
	c := v.seen.Project.Condition(s)
	asked := v.scope.ask != nil
	if !v.scope.whole && !v.scope.measures || !v.asksForSet() || !asked && !due(c, v.rules.Under, v.seen.Now) {
		return nil
	}
	share, cancel := shareOf(ctx)
	defer cancel()
	set, err := v.HoldOuts.List(share, v.rules.Promote.HoldOut)
	var useless holdout.Unusable
	switch {
	case err == nil:
		v.seen.HoldOut = &set
		if c != nil {
			v.learn(func(p *state.Project) { p.Clear(s) })
		}
		return nil
	case ctx.Err() != nil:
		return err
	case errors.As(err, &useless):
		err = v.unusable(useless, "")
	}
	a := Action{Step: Step{Kind: Measure, Scope: s}}
	if asked || faultOf(err).code == state.Unavailable {
		v.fail(v.log(ctx, a), a, err)
	}
	v.learn(func(p *state.Project) { note(p, s, false, faultOf(err), false, v.rules.Under, v.now()) })
	return nil
}

// unusable is the condition that a set can't be used; sight is its hash, where it matters.
func (v *visit) unusable(why holdout.Unusable, sight string) error {
	return fault{code: state.HoldOutUnusable, sight: sight,
		why: fmt.Sprintf("nothing can be measured by the hold-out set %s, so nothing is published: %s", v.rules.Promote.HoldOut, string(why))}
}

// measureTime bounds a measure. By a hold-out set it may take three quarters of the time that
// is left: what follows from it comes after.
func (v *visit) measureTime(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok || v.rules.Promote == nil || v.rules.Promote.HoldOut == "" {
		return shareOf(ctx)
	}
	return context.WithTimeout(ctx, time.Until(deadline)*3/4)
}

// askPictures measures an iteration by the hold-out set: it asks one picture after another,
// from where a run before has come to, and learns the figures when all are asked.
func (v *visit) askPictures(ctx context.Context, a Action) error {
	set := *v.seen.HoldOut
	err := v.askThem(ctx, a, set)
	var useless holdout.Unusable
	if errors.As(err, &useless) {
		return v.unusable(useless, set.Hash)
	}
	return err
}

func (v *visit) askThem(ctx context.Context, a Action, set holdout.Set) error {
	truths, err := set.Truths(ctx)
	if err != nil {
		return err
	}
	single := v.iteration(a.Iteration).ClassificationType == "Multiclass"
	if name := truths.Several(); single && name != "" {
		return holdout.Unusable(fmt.Sprintf("the picture %q has several labels, and those of the project have one tag each", name))
	}
	tags, err := v.tagsOf(ctx, a.Iteration, truths.Labels())
	if err != nil {
		return err
	}
	m, err := v.beginAsking(ctx, a, set)
	if err != nil {
		return err
	}
	defer v.endAsking(a, m)
	for before := m.Asked; m.Asked < len(set.Pictures); {
		if ctx.Err() != nil && m.Asked > before || v.pace.awaited(v.record.ID) {
			return v.askLater(ctx, a, m, set)
		}
		picture := set.Pictures[m.Asked]
		found, err := v.askPicture(ctx, a, set, picture)
		switch {
		case err != nil && timeIsUp(ctx, err) && m.Asked > before:
			return v.askLater(ctx, a, m, set)
		case err != nil:
			return err
		case slices.ContainsFunc(found, func(p customvision.Predicted) bool { return (p.Box != nil) != truths.Boxes }):
			return holdout.Unusable("the project finds boxes, and the set has none, or the other way round: it takes a file instances_….json in COCO's form for boxes alone")
		}
		holdout.Judge(m, truths.Of[picture.Name], truths.Boxes, tags, single, found)
		m.Asked++
		if v.Clock.Now().Sub(v.saved) >= saveEvery {
			m.Until = v.now().Add(askingFor)
			v.keepAsked(a, m)
			v.saveNow(ctx)
			if v.isTakenOver(a, m) {
				return errLater
			}
		}
	}
	f := holdout.Figures(m)
	v.learn(func(p *state.Project) {
		p.Iteration(a.Iteration).Figures = &f
		p.Clear(a.Scope)
	})
	return nil
}

// timeIsUp reports whether a call failed since the run's time is up, or would be before the
// call's turn came.
func timeIsUp(ctx context.Context, err error) bool {
	_, bounded := ctx.Deadline()
	return ctx.Err() != nil || bounded && idle(err) && errors.Is(err, context.DeadlineExceeded)
}

// askLater leaves the other pictures to another run.
func (v *visit) askLater(ctx context.Context, a Action, m *state.Measuring, set holdout.Set) error {
	log := v.log(ctx, a)
	log.Info().Int("asked", m.Asked).Int("of", len(set.Pictures)).Msg("asks the other hold-out pictures later")
	return errLater
}

// askPicture asks what the iteration sees in a picture. What the service refuses about the
// picture makes the set useless as it is.
func (v *visit) askPicture(ctx context.Context, a Action, set holdout.Set, picture holdout.File) ([]customvision.Predicted, error) {
	data, err := set.Read(ctx, picture)
	if err != nil {
		return nil, err
	}
	found, err := v.Service.QuickTest(ctx, v.record.ID, a.Iteration, data)
	for i := range found {
		found[i].TagName = shorten(found[i].TagName)
	}
	var refused *customvision.Error
	switch {
	case err == nil:
	case errors.As(err, &refused) && customvision.Definite(err) && strings.HasPrefix(refused.Code, "BadRequestImage"):
		return nil, holdout.Unusable(fmt.Sprintf("Custom Vision refuses the picture %q: %s", picture.Name, err))
	case customvision.Definite(err):
		return nil, faultf(state.FactRefused, "the service refuses to say what it sees in the picture %q, which the policy's gate goes by: %s", picture.Name, err)
	default:
		err = fmt.Errorf("what it sees in the picture %q, which the policy's gate goes by, is not known yet: %w", picture.Name, err)
	}
	return found, err
}

// tagsOf finds the tags that labels mean: those that the iteration knows, and else those that
// the project has now.
func (v *visit) tagsOf(ctx context.Context, iteration string, labels []string) (holdout.Known, error) {
	found, known := holdout.Known{Names: map[string]string{}}, map[string]string{}
	for _, of := range []string{iteration, ""} {
		tags, err := v.Service.Tags(ctx, v.record.ID, of)
		if err != nil {
			return found, fmt.Errorf("list the tags that the hold-out set may show: %w", err)
		}
		for _, t := range tags {
			id := customvision.Canonical(t.ID)
			if known[t.Name] == "" {
				known[t.Name] = id
			}
			if found.Names[id] == "" {
				found.Names[id] = shorten(t.Name)
			}
			switch {
			case t.Type == typeNegative:
				found.Negative = cmp.Or(found.Negative, id)
			case of != "":
				found.Own = append(found.Own, id)
			}
		}
		var unknown []string
		if found.IDs, unknown = holdout.Tags(labels, known); len(unknown) == 0 {
			return found, nil
		} else if of == "" {
			if more := len(unknown) - mostUnknown; more > 0 {
				unknown = append(unknown[:mostUnknown], fmt.Sprintf("and %d more", more))
			}
			return found, holdout.Unusable("the project has no tag " + strings.Join(unknown, ", "))
		}
	}
	return found, nil
}

// beginAsking says in the state that this run asks, and returns what was asked before. If
// another run asks, it is left to that.
func (v *visit) beginAsking(ctx context.Context, a Action, set holdout.Set) (*state.Measuring, error) {
	threshold, now, token := v.rules.Promote.Threshold, v.now(), rand.Text()
	m := &state.Measuring{Set: set.Hash, Threshold: threshold}
	err := v.State.Update(ctx, v.record, func(p *state.Project) error {
		v.apply(p)
		known := p.Iteration(a.Iteration).Measuring
		if p := (&plan{Rules: v.rules, o: v.seen}); p.asks(known) && known.Token != token {
			return errOvertaken
		}
		if known.Of(set.Hash, threshold) {
			m = known.Clone()
		}
		m.Token, m.Until = token, now.Add(askingFor)
		p.Iteration(a.Iteration).Measuring = m.Clone()
		return nil
	})
	switch {
	case errors.Is(err, errOvertaken):
		return nil, errLater
	case err != nil: // it may be written all the same
		v.unsure = true
		m.Token, m.Until = token, time.Time{}
		v.keepAsked(a, m)
		return nil, err
	}
	v.written()
	return m, nil
}

// keepAsked learns what was asked, unless another run asks by now.
func (v *visit) keepAsked(a Action, m *state.Measuring) {
	kept := m.Clone()
	v.learn(func(p *state.Project) {
		if known := p.Iteration(a.Iteration).Measuring; known != nil && known.Token == kept.Token {
			p.Iteration(a.Iteration).Measuring = kept.Clone()
		}
	})
}

// isTakenOver reports whether another run took this one for lost, and asks, or has asked all.
func (v *visit) isTakenOver(a Action, m *state.Measuring) bool {
	it := v.seen.Project.Iterations[a.Iteration]
	if it == nil {
		return false
	}
	asks, knows := it.Measuring != nil && it.Measuring.Token != m.Token, it.Figures != nil && m.Of(it.Figures.Set, it.Figures.Threshold)
	return asks || knows
}

// endAsking learns that the run asks no more: nothing is left, or another one may go on.
func (v *visit) endAsking(a Action, m *state.Measuring) {
	m.Until = time.Time{}
	v.keepAsked(a, m)
	if m.Asked == len(v.seen.HoldOut.Pictures) {
		v.learn(func(p *state.Project) {
			if known := p.Iteration(a.Iteration).Measuring; known != nil && known.Token == m.Token {
				p.Iteration(a.Iteration).Measuring = nil
			}
		})
	}
}

// MeasureHoldOuts goes on with measures by hold-out sets, in projects of which a sweep said
// that there is something to ask, in what time it is given: each gets an equal share.
func (r *Reconciler) MeasureHoldOuts(ctx context.Context, projects []string) error {
	var errs []error
	for n, id := range projects {
		if ctx.Err() != nil {
			break
		}
		part, cancel := ctx, context.CancelFunc(func() {})
		if deadline, ok := ctx.Deadline(); ok {
			part, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(len(projects)-n))
		}
		report, err := r.Reconcile(part, Request{Key: Key{Project: id}})
		cut := part.Err() // the next sweep goes on
		cancel()
		if err := errors.Join(err, report.Err("")); err != nil && cut == nil {
			errs = append(errs, fmt.Errorf("measure project %s by its hold-out set: %w", id, err))
		}
	}
	return errors.Join(errs...)
}
