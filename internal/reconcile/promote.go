package reconcile

import (
	"context"
	"fmt"
	"slices"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

// measure asks how well an iteration predicts at the policy's threshold: the service's own
// figures, or by a hold-out set. Either doesn't change, so it is asked once.
func (v *visit) measure(ctx context.Context, a Action) error {
	threshold := v.rules.Promote.Threshold
	if v.rules.Promote.HoldOut != "" {
		return v.askPictures(ctx, a)
	}
	p, err := v.Service.Performance(ctx, v.record.ID, a.Iteration, threshold, 0)
	switch {
	case customvision.Definite(err):
		return faultf(state.FactRefused, "the service refuses to say how well it predicts, which the policy's gate goes by: %s", err)
	case err != nil:
		return fmt.Errorf("how well it predicts, which the policy's gate goes by, is not known yet: %w", err)
	}
	f := figuresBy(p, threshold)
	v.learn(func(p *state.Project) {
		p.Iteration(a.Iteration).Figures = &f
		p.Clear(a.Scope)
	})
	return nil
}

func figuresBy(p customvision.Performance, threshold float64) state.Figures {
	f := state.Figures{
		Threshold: threshold,
		Measures:  state.Measures{Precision: p.Precision, Recall: p.Recall, AveragePrecision: p.AveragePrecision},
		Tags:      map[string]state.TagFigures{},
	}
	for _, t := range p.PerTag {
		f.Tags[t.ID] = state.TagFigures{
			Name: shorten(t.Name), Measures: state.Measures{Precision: t.Precision, Recall: t.Recall, AveragePrecision: t.AveragePrecision},
		}
	}
	return f
}

// promoted learns that an announced promotion was made.
func (v *visit) promoted(m state.Move) {
	name := v.seen.Project.Promotion.Name
	for i := range v.seen.Iterations {
		switch it := &v.seen.Iterations[i]; {
		case it.ID == m.To:
			it.PublishName, it.OriginalPublishResourceID = name, m.ResourceOf(m.To)
		case it.PublishName == name:
			it.PublishName, it.OriginalPublishResourceID = "", ""
		}
	}
	last, now := newest(v.seen.Iterations), v.now()
	v.learn(func(p *state.Project) {
		if r := p.Promotion; r != nil && r.Move != nil && r.Move.Token == m.Token {
			r.Promoted(m.To, m.By, last, now)
		}
		p.Clear(promotionOf(m.To))
	})
}

// keepName learns which iteration has the name that the policy publishes under, if somebody
// else gave it away, and drops figures that no gate goes by any more. With the project the
// name is gone.
func (v *visit) keepName(gone map[string]bool) {
	if v.deleted {
		if v.seen.Project.Promotion != nil {
			v.learn(func(p *state.Project) { p.Promotion = nil })
		}
		return
	}
	if !v.inService() || v.listedAt.IsZero() || v.blind != nil || hidden(v.seen.Unusable) {
		return
	}
	known, rule := v.seen.Project.Promotion, v.rules.Promote
	if rule != nil && (known == nil || known.Name != rule.Name && known.Move == nil) {
		known = &state.Promotion{Name: rule.Name, Holder: holderOf(v.seen.Iterations, rule.Name)}
		v.learn(func(p *state.Project) {
			if p.Promotion == nil || p.Promotion.Name != known.Name && p.Promotion.Move == nil {
				p.Promotion = &state.Promotion{Name: known.Name, Holder: known.Holder}
			}
		})
	}
	if known == nil {
		return
	}
	holder, last, now := holderOf(v.seen.Iterations, known.Name), newest(v.seen.Iterations), v.now()
	v.dropFigures(last, holder)
	v.forgetHolders(gone)
	switch m := known.Move; {
	case now.Before(known.At.Add(v.rules.Grace)): // what was just done may not be in the list yet
	case m != nil && (now.Before(m.Until.Add(v.rules.Grace)) || v.seen.Missing || v.seen.heir(known) != ""): // its outcome is still to come
	case v.seen.taken(known, holder):
		v.learn(func(p *state.Project) {
			if r := p.Promotion; r != nil && r.Holder != holder {
				r.Promoted(holder, state.ByOthers, last, now)
			}
		})
	case m != nil: // nothing came of it
		v.learn(func(p *state.Project) {
			if r := p.Promotion; r != nil && r.Move != nil && r.Move.Token == m.Token {
				r.Move = nil
			}
		})
	}
}

// dropFigures drops those of iterations that no gate compares, also unfinished ones, unless
// a run asks: a person may want any of them published.
func (v *visit) dropFigures(compared ...string) {
	now := &plan{Rules: v.rules, o: v.seen}
	for id, it := range v.seen.Project.Iterations {
		if it.Figures == nil && it.Measuring == nil || slices.Contains(compared, id) || now.asks(it.Measuring) {
			continue
		}
		v.learn(func(p *state.Project) {
			if it := p.Iteration(id); !now.asks(it.Measuring) {
				it.Figures, it.Measuring = nil, nil
			}
		})
	}
}

// forgetHolders drops iterations that are gone from those that had the name.
func (v *visit) forgetHolders(gone map[string]bool) {
	for id, isGone := range gone {
		known := v.seen.Project.Promotion
		if !isGone || known.Holder != id && !known.Had(id) {
			continue
		}
		v.learn(func(p *state.Project) {
			if p.Promotion == nil {
				return
			}
			p.Promotion.Forget(id)
			if p.Promotion.Holder == id { // it had to lose the name before
				p.Promotion.Holder = ""
			}
		})
	}
}

// isPromotionOver reports whether the condition of a promotion, or of its figures, no longer
// stands: the iteration has the name or is not the newest any more, a person decided, or the
// policy doesn't ask for it.
func (v *visit) isPromotionOver(c *state.Condition) bool {
	if v.rules.Promote == nil {
		return true
	}
	last, holder := newest(v.seen.Iterations), holderOf(v.seen.Iterations, v.rules.Promote.Name)
	known := v.seen.Project.Promotion
	if c.Fact == state.FactFigures { // the gate compares the newest with the one that has the name
		compares := last != holder && (known == nil || known.Left != last) && (c.Iteration == last || c.Iteration == holder)
		return last != "" && !compares
	}
	decided := c.Code != state.LeftToPerson && known != nil && known.Left == c.Iteration
	if known != nil && v.seen.heir(known) == c.Iteration { // it doesn't get the name that was freed for it
		return false
	}
	return c.Iteration == holder || last != "" && c.Iteration != last || decided
}
