package reconcile

import (
	"context"
	"time"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

// exportEffect asks for an export. Its intent is the export's own record.
type exportEffect struct{}

func (exportEffect) look(ctx context.Context, v *visit, iteration string) error {
	if v.isFresh(v.seen.Looks[iteration].At) {
		return nil
	}
	err := v.listExports(ctx, iteration, v.seen.Looks[iteration])
	if ctx.Err() == nil {
		v.shown(state.Scope{Iteration: iteration, Fact: state.FactExports}, err)
	}
	return err
}

func (exportEffect) announce(v *visit, p *state.Project, a Action, s sending) {
	e := p.Iteration(a.Iteration).Export(a.Export)
	e.Asked, e.Until = v.now(), s.until
	p.Iteration(a.Iteration).Settled = nil // a person may ask for more than the policy; sweeps are to see its end
}

func (exportEffect) withdraw(p *state.Project, a Action, s sending) bool {
	e := p.Iteration(a.Iteration).Export(a.Export)
	announced := e.Until.Equal(s.until)
	if announced {
		e.Asked, e.Until = time.Time{}, time.Time{}
	}
	return announced
}

func (exportEffect) send(ctx context.Context, v *visit, a Action, s sending) error {
	key, err := v.key(a)
	if err != nil {
		return err
	}
	look := v.seen.Looks[a.Iteration]
	e, err := v.Service.Export(ctx, key.Project, key.Iteration, key.Platform, key.Flavor)
	if customvision.Lost(err) {
		return err
	}
	switch {
	case err == nil:
		v.learn(func(p *state.Project) { p.Iteration(a.Iteration).Export(a.Export).Until = time.Time{} })
		look.see(key, e)
		return nil
	case customvision.Definite(err):
		v.learn(func(p *state.Project) { *p.Iteration(a.Iteration).Export(a.Export) = state.Export{} })
		return faultf(state.ExportRefused, "the service refuses to export it: %s", err)
	}
	v.refusedNow(a, s, err)
	return err
}
