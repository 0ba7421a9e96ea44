package reconcile

import (
	"fmt"
	"slices"
	"strings"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
)

// promote plans which iteration gets the name that the policy publishes under.
func (p *plan) promote() {
	switch {
	case p.Ask == nil && p.o.Project.Rebuilt, p.Ask != nil && !p.Ask.promotes():
		return
	case hidden(p.o.Unusable), p.o.Missing: // who has the name may be what isn't seen
		return
	case p.moving(), p.Promote == nil:
		return
	}
	it, holder := p.candidate(), holderOf(p.o.Iterations, p.Promote.Name)
	if it == nil || it.ID == holder {
		return
	}
	s := promotionOf(it.ID)
	switch why, wait := p.left(*it, holder); {
	case wait:
		return
	case why != "":
		p.putOff(s, state.LeftToPerson, why)
		return
	case it.Status != customvision.StatusCompleted:
		p.putOff(s, state.PublishRefused, "its training isn't completed")
		return
	case it.PublishName != "":
		p.putOff(s, state.LeftToPerson, fmt.Sprintf("it is published as %q already, and an iteration has one name: unpublish it first", it.PublishName))
		return
	}
	if why, passed := p.gated(*it, holder); passed && p.publishable(s) {
		kind := Publish
		if p.Ask != nil {
			kind = Promote
		}
		p.add(kind, s, why)
	}
}

// putOff plans to record why an iteration isn't published, or to tell the person who asks.
func (p *plan) putOff(s state.Scope, code state.Code, why string) {
	if p.Ask == nil {
		p.postpone(s, code, why)
		return
	}
	p.actions = append(p.actions, Action{Step: Step{Kind: Postpone, Scope: s}, Code: code, Why: why})
}

// candidate is the iteration that a person asks for, or the newest; nil where there is none.
func (p *plan) candidate() *customvision.Iteration {
	switch {
	case p.Ask == nil:
		return p.iteration(newest(p.o.Iterations))
	case !p.Ask.Rollback:
		return p.iteration(p.Ask.Promote)
	case p.o.Project.Promotion != nil && p.o.Project.Promotion.Name == p.Promote.Name:
		for _, id := range slices.Backward(p.o.Project.Promotion.Before) {
			if it := p.iteration(id); it != nil && it.ID != p.o.Project.Promotion.Holder {
				return it
			}
		}
	}
	return nil
}

func (p *plan) iteration(id string) *customvision.Iteration {
	i := slices.IndexFunc(p.o.Iterations, func(it customvision.Iteration) bool { return it.ID == id })
	if i < 0 {
		return nil
	}
	return &p.o.Iterations[i]
}

// holderOf is the iteration that is published under a name; "" where none is.
func holderOf(all []customvision.Iteration, name string) string {
	for _, it := range all {
		if it.PublishName == name {
			return it.ID
		}
	}
	return ""
}

func promotionOf(iteration string) state.Scope {
	return state.Scope{Iteration: iteration, Fact: state.FactPromotion}
}

// ofPromoting reports whether a condition is of a promotion or of what its gate goes by.
func ofPromoting(c *state.Condition) bool {
	return c.Fact == state.FactPromotion || c.Fact == state.FactFigures
}

// ofPromotion reports whether an action puts a promotion off.
func ofPromotion(a Action) bool { return a.Kind == Postpone && a.Fact == state.FactPromotion }

// moving plans for a promotion that is announced, and reports whether its outcome is still
// to come. One that freed the name is finished, and not begun anew: by whatever is the
// newest now.
func (p *plan) moving() bool {
	known := p.o.Project.Promotion
	if known == nil || known.Move == nil {
		return false
	}
	m, heir := known.Move, p.o.heir(known)
	switch {
	case holderOf(p.o.Iterations, known.Name) == m.To:
		p.add(Adopt, promotionOf(m.To), fmt.Sprintf("it was to be published as %q", known.Name))
	case p.o.Now.Before(m.Until.Add(p.Grace)):
		p.add(Wait, promotionOf(m.To), "it was to be published a moment ago")
	case p.Ask != nil && p.Ask.Promote != "" && p.Promote != nil && p.Promote.Name == known.Name: // a person says who gets it
		return false
	case heir != "":
		why := fmt.Sprintf("the name %q was freed for it, and no iteration has it", known.Name)
		p.add(Publish, promotionOf(heir), why)
		if p.Mode == policy.Observe && p.Ask == nil { // nobody finishes it
			p.postpone(promotionOf(heir), state.LeftToPerson, why+": the policy only observes, so a person gives it away by the verb promote")
		}
	default: // nothing came of it, or somebody else took the name
		return false
	}
	return true
}

// heir is the iteration that gets the name which was freed for an announced promotion: the
// one that it was freed for, else the one that had it. It is "" where the name wasn't freed,
// is taken, or can go to neither.
func (o Observed) heir(known *state.Promotion) string {
	m := known.Move
	if m == nil || m.From == "" || holderOf(o.Iterations, known.Name) != "" {
		return ""
	}
	for _, id := range []string{m.To, m.From} {
		if slices.ContainsFunc(o.Iterations, func(it customvision.Iteration) bool {
			return it.ID == id && it.Status == customvision.StatusCompleted && it.PublishName == ""
		}) {
			return id
		}
	}
	return ""
}

// left says why the policy leaves it to a person whether an iteration is published; wait
// tells that nothing is to be done or said now. A person's own decision needs no words: it
// stands against all that was there then, also when the newest of that is deleted.
func (p *plan) left(it customvision.Iteration, holder string) (why string, wait bool) {
	known, seen, record := p.o.Project.Promotion, p.o.Project.Seen, p.o.Project.Iterations[it.ID]
	if p.Ask != nil {
		return "", false
	}
	switch {
	case seen.IsZero():
		return "", true
	case record != nil && record.Before, p.ended(it).Before(seen.Add(-clocksDiffer)): // the first list may have lacked it
		return "it was trained before the app knew the project, and a person may have decided against it: a person publishes it by the verb promote, or trains again", false
	case known == nil || known.Name != p.Promote.Name:
		return "", false
	case p.o.taken(known, holder):
		return p.takenBy(known, holder), p.o.Now.Before(known.At.Add(p.Grace)) // what was just done may not be in the list yet
	}
	return "", known.Left == it.ID || known.Left != "" && p.ended(it).Before(known.At.Add(-clocksDiffer))
}

// taken reports whether somebody else gave the name away since the app last knew. Who had
// it must be there: one that is deleted had to lose it.
func (o Observed) taken(known *state.Promotion, holder string) bool {
	return holder != known.Holder && (known.Holder == "" || slices.ContainsFunc(o.Iterations, func(it customvision.Iteration) bool { return it.ID == known.Holder }))
}

func (p *plan) takenBy(known *state.Promotion, holder string) string {
	what := fmt.Sprintf("somebody else unpublished %s, which had the name %q", p.called(known.Holder), known.Name)
	if holder != "" {
		what = fmt.Sprintf("somebody else published %s as %q", p.called(holder), known.Name)
	}
	return what + ": that stays until a newer iteration is there; a person publishes this one by the verb promote"
}

// called is what an iteration is called for a person.
func (p *plan) called(id string) string {
	if it := p.iteration(id); it != nil && it.Name != "" {
		return it.Name
	}
	return "iteration " + id
}

// gated says how an iteration passes the gate, and reports whether it does. It plans to
// ask for the figures where they aren't known.
func (p *plan) gated(it customvision.Iteration, holder string) (why string, passed bool) {
	if p.Ask != nil && (p.Ask.Force || p.Ask.Rollback) {
		return "a person asks for it", true
	}
	figures, known := p.figures(it.ID)
	champion, championKnown := p.figures(holder)
	if !known || !championKnown {
		return "", false
	}
	at := "the policy's gate at threshold " + figure(&p.Promote.Threshold)
	if p.Promote.HoldOut != "" {
		at += fmt.Sprintf(" by the %d pictures of %s", len(p.o.HoldOut.Pictures), p.Promote.HoldOut)
	}
	if faults := gate(*p.Promote, *figures, champion, p.called(holder)); len(faults) > 0 {
		p.gateFailed(promotionOf(it.ID), figures.Set, fmt.Sprintf("it does not pass %s: %s", at, strings.Join(faults, "; ")))
		return "", false
	}
	why = fmt.Sprintf("it passes %s: %s", at, inWords(*figures))
	if champion != nil {
		why += fmt.Sprintf("; %s, which loses the name, has %s", p.called(holder), inWords(*champion))
	}
	return why, true
}

// gateFailed plans to record that an iteration doesn't pass the gate, anew where it was by
// another hold-out set.
func (p *plan) gateFailed(s state.Scope, set, why string) {
	c := p.o.Project.Condition(s)
	if p.Ask != nil || p.due(s) || c.Code != state.GateFailed || c.Sight != set {
		p.actions = append(p.actions, Action{Step: Step{Kind: Postpone, Scope: s}, Code: state.GateFailed, Why: why, Sight: set})
	}
}

// figures are those of an iteration, nil where none is meant; known reports whether the
// gate can go by them.
func (p *plan) figures(iteration string) (f *state.Figures, known bool) {
	if iteration == "" {
		return nil, true
	}
	record := p.o.Project.Iterations[iteration]
	if record == nil {
		record = &state.Iteration{}
	}
	hash := ""
	if p.Promote.HoldOut != "" {
		if p.o.HoldOut == nil || p.o.HoldOut.Place != p.Promote.HoldOut { // the policy may be another one by now
			p.lacksSet = true
			return nil, false
		}
		hash = p.o.HoldOut.Hash
	}
	if f := record.Figures; f != nil && f.Threshold == p.Promote.Threshold && f.Set == hash {
		return f, true
	}
	s := figuresOf(iteration)
	c := p.o.Project.Condition(s)
	switch m := record.Measuring; {
	case p.Ask == nil && !p.due(s) && (c.Sight == "" || c.Sight == hash): // of another set it may be over
	case hash == "":
		p.add(Measure, s, "the policy's gate goes by its figures")
	case p.asks(m):
		p.add(Wait, s, "its hold-out pictures are being asked by another run")
	default:
		left := len(p.o.HoldOut.Pictures)
		if m.Of(hash, p.Promote.Threshold) {
			left -= m.Asked
		}
		p.actions = append(p.actions, Action{Step: Step{Kind: Measure, Scope: s}, QuickTests: left,
			Why: fmt.Sprintf("the policy's gate goes by what it sees in the %d pictures of the hold-out set %s", len(p.o.HoldOut.Pictures), p.Promote.HoldOut)})
	}
	return nil, false
}

// asks reports whether a run asks hold-out pictures, or may do so still.
func (p *plan) asks(m *state.Measuring) bool {
	return m != nil && !m.Until.IsZero() && p.o.Now.Before(m.Until.Add(p.Grace))
}

func figuresOf(iteration string) state.Scope {
	return state.Scope{Iteration: iteration, Fact: state.FactFigures}
}

// publishable reports whether nothing keeps an iteration that passes the gate from being
// published now: the service may have refused it. A person's wish is tried at once.
func (p *plan) publishable(s state.Scope) bool {
	c := p.o.Project.Condition(s)
	return p.Ask != nil || c == nil || c.Code == state.GateFailed || c.Code == state.LeftToPerson || p.due(s)
}
