package reconcile

import (
	"context"
	"fmt"
	"slices"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
)

// Ask is what a person asks for, whatever the policy wants. It goes the same road as what
// the policy wants: announced first, on a fresh look, and never on top of what runs. What
// is finished of the iteration that it names is archived, and no other is looked at.
type Ask struct {
	// Exports of the request's iteration: "Platform" or "Platform.Flavor", as policy.Known
	// has them, or policy.All for every one that the domain offers. With Again, what was
	// refused before is tried again at once.
	Exports []string
	Again   bool
	// Train asks for a training, unless one runs; Force also if nothing changed.
	Train, Force bool
	// Promote is the iteration that gets the name that the policy publishes under; with
	// Force also if it doesn't pass the policy's gate. Rollback gives the name to the
	// iteration that had it before instead.
	Promote  string
	Rollback bool
}

// rules are the policy's rules for the project, widened by what is asked of an iteration.
func (a *Ask) rules(r Rules, o Observed, iteration string) Rules {
	exports := slices.Clone(a.Exports)
	if i := slices.IndexFunc(o.Iterations, func(it customvision.Iteration) bool { return it.ID == iteration }); i >= 0 && isWanted(r.Rule, o.Iterations[i], o.Iterations) {
		exports = append(exports, r.ExportsOf(o.Iterations[i].ExportableTo)...)
	}
	r.Exports, r.Iterations = exports, append(slices.Clone(r.Iterations), iteration)
	return r
}

// promotes reports whether a name is to be given away.
func (a *Ask) promotes() bool { return a.Promote != "" || a.Rollback }

// covers reports whether an effect is what is asked for.
func (a *Ask) covers(effect Action) bool {
	return effect.Kind.personal() || effect.Kind == Publish && a.promotes() || effect.Kind == Export && (slices.Contains(a.Exports, effect.Export) || slices.Contains(a.Exports, policy.All))
}

// retry makes due what kept the exports from being asked for.
func (a *Ask) retry(p *state.Project, iteration string) {
	if !a.Again {
		return
	}
	for _, export := range a.Exports {
		if export == policy.All {
			export = ""
		}
		p.Retry(state.Scope{Iteration: iteration, Export: export})
	}
}

// training is the training that a person asks for, unless one runs or may have been begun,
// or the policy's budget is spent: that one is over all causes.
func (v *visit) training(ctx context.Context) []Action {
	step, p := Step{Kind: Train}, &plan{Rules: v.rules, o: v.seen}
	if v.scope.ask == nil || !v.scope.ask.Train || p.underway() || v.seen.Tried[step] {
		return nil
	}
	t := &Training{Options: customvision.TrainOptions{Force: v.scope.ask.Force}}
	t.Minutes = p.expected(t.Options)
	a := Action{Step: step, Why: "a person asks for it", Training: t}
	if why, until := p.overBudget(t.Minutes); why != "" {
		v.seen.Tried[step] = true
		v.fail(v.log(ctx, a), a, fault{code: state.BudgetSpent, why: fmt.Sprintf("%s; enough is free again on %s", why, until.UTC().Format("2006-01-02 15:04Z"))})
		return nil
	}
	return []Action{a}
}
