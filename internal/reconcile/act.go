package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/models"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
)

const (
	// saveEvery is how often a run writes what it has learnt while it goes on.
	saveEvery = 5 * time.Second
	// lastSave is the time that writing takes at most after the run's own is up.
	lastSave = 10 * time.Second
	// mostRaces bounds how often a run that loses the race to another process plans
	// its effects anew.
	mostRaces = 3
)

// Failure is a step that failed in a way that may pass.
type Failure struct {
	Step
	Err error
}

// act does what is planned, folds what that showed into what was seen, and plans
// again, until only waiting is left. Every step is tried once in a run at most, and
// counted before it is done, so a run ends. Effects come last, on a fresh look. What
// was learnt is written in the end even if the run's time is up.
func (v *visit) act(ctx context.Context) error {
	err := v.rounds(ctx)
	v.conclude()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSave)
	defer cancel()
	return errors.Join(err, v.save(last))
}

func (v *visit) rounds(ctx context.Context) error {
	for races := 0; ctx.Err() == nil; {
		work, planned := v.plan(ctx)
		switch {
		case len(work) > 0:
			for _, a := range work {
				if ctx.Err() == nil {
					v.do(ctx, a)
				}
			}
		case len(planned) == 0:
			return nil
		default:
			overtaken, err := v.affect(ctx)
			if overtaken {
				races++
			}
			if err == nil && races == mostRaces {
				err = errors.New("other processes changed the project again and again: what is left to ask for is left to the next run")
			}
			if err != nil {
				return err
			}
		}
		if v.outside {
			return nil
		}
	}
	return ctx.Err()
}

// plan plans, keeps what is waited for, and separates the effects from the rest.
func (v *visit) plan(ctx context.Context) (work, effects []Action) {
	v.seen.Now, v.loaded = v.now(), v.Clock.Now()
	v.waiting = nil
	for _, a := range Plan(v.rules, v.seen) {
		switch {
		case a.Kind == Wait:
			v.waiting = append(v.waiting, a)
		case !a.Kind.effect():
			work = append(work, a)
		case v.rules.Mode == policy.Observe:
			v.seen.Tried[a.Step] = true // said once
			zerolog.Ctx(ctx).Info().Str("project", v.record.ID).Str("iteration", a.Iteration).Str("export", a.Export).
				Str("because", a.Why).Msgf("would %s, but the policy only observes", a.Kind)
		default:
			effects = append(effects, a)
		}
	}
	return work, effects
}

// do takes one step that isn't an effect.
func (v *visit) do(ctx context.Context, a Action) {
	v.seen.Tried[a.Step] = true
	counted := a.Kind == Backup || a.Kind == Collect
	if counted {
		v.learn(func(p *state.Project) {
			if c := p.Condition(a.Scope); c != nil && a.Kind == Backup && !c.Unproven {
				p.Clear(a.Scope) // of asking for the export, which is over
			}
			attempted(p, a.Scope, v.rules.Under, v.now())
		})
	}
	var err error
	switch a.Kind {
	case Backup:
		err = v.backup(ctx, a)
	case Collect:
		err = v.collect(ctx, a)
	case Describe:
		err = v.describe(ctx, a.Iteration)
	case Postpone:
		err = fault{a.Code, a.Why}
	default:
		v.remember(a)
	}
	v.outcome(ctx, a, err, counted)
	if v.Clock.Now().Sub(v.saved) >= saveEvery {
		if err := v.save(ctx); err != nil {
			zerolog.Ctx(ctx).Warn().Err(err).Str("project", v.record.ID).Msg("what was learnt is not written yet")
		}
	}
}

// outcome logs what became of a step, and records why it couldn't be taken.
func (v *visit) outcome(ctx context.Context, a Action, err error, counted bool) {
	log := v.log(ctx, a)
	if err == nil {
		v.done = append(v.done, a)
		log.Info().Msg(said[a.Kind])
		return
	}
	f := faultOf(err)
	if a.Kind != Describe {
		known := v.seen.Project.Condition(a.Scope) != nil
		unproven := a.Kind == Backup
		v.learn(func(p *state.Project) { note(p, a.Scope, counted && known, f, unproven, v.rules.Under, v.now()) })
	}
	if f.code == state.Unavailable {
		v.fail(log, a, err)
		return
	}
	a.Kind, a.Code, a.Why = Postpone, f.code, f.why
	v.done = append(v.done, a)
	event := log.Warn().Str("code", string(f.code)).AnErr("cause", err)
	if c := v.seen.Project.Condition(a.Scope); c != nil && !c.Next.IsZero() {
		event = event.Time("next", c.Next)
	}
	event.Msg(said[Postpone])
}

// fail records a failure that may pass.
func (v *visit) fail(log zerolog.Logger, a Action, err error) {
	v.failed = append(v.failed, Failure{a.Step, fmt.Errorf("%s of iteration %s: %w", strings.TrimSpace(string(a.Kind)+" "+a.Export+a.Blob), a.Iteration, err)})
	log.Error().Err(err).Msg("failed: " + string(a.Kind))
}

// log is the run's log with what an action is about.
func (v *visit) log(ctx context.Context, a Action) zerolog.Logger {
	log := zerolog.Ctx(ctx).With().Str("project", v.record.ID).Str("iteration", a.Iteration).Str("because", a.Why)
	if a.Export != "" {
		log = log.Str("export", a.Export)
	}
	if a.Blob != "" {
		log = log.Str("blob", a.Blob)
	}
	return log.Logger()
}

// said is what the log says of a step that was taken.
var said = map[ActionKind]string{
	Describe: "noted domain, tags and performance",
	Backup:   "archived",
	Collect:  "archived",
	Export:   "asked for an export",
	Retrain:  "started a training",
	Adopt:    "found the training that was asked for",
	Postpone: "cannot be done now",
	Settle:   "settled",
}

// remember takes the steps that only change what is known.
func (v *visit) remember(a Action) {
	switch a.Kind {
	case Adopt:
		v.learn(func(p *state.Project) {
			for _, t := range p.Trainings {
				if t.Open() && !slices.Contains(t.Known, a.Iteration) {
					t.Result = a.Iteration
				}
			}
		})
	case Settle:
		settled := state.Settled{At: v.began, Rule: v.rules.hash(), Wanted: isWanted(v.rules.Rule, *v.iteration(a.Iteration), v.seen.Iterations)}
		v.learn(func(p *state.Project) { p.Iteration(a.Iteration).Settled = &settled })
	}
}

// conclude learns what a run shows as a whole.
func (v *visit) conclude() {
	v.dateExports()
	for id, blobs := range v.seen.Blobs {
		if look := v.seen.Looks[id]; look != nil {
			for _, b := range blobs {
				if look.holds(b) {
					v.archived(id, b.Name, b.ETag)
				}
			}
		}
	}
	v.clearConditions()
	v.forget()
	if v.scope.whole && v.seen.Project.Rebuilt && v.listed() && !v.unseen {
		v.learn(func(p *state.Project) { p.Rebuilt = false })
	}
}

// dateExports gives every export that is underway a date, so that one that never
// ends is noticed whoever asked for it.
func (v *visit) dateExports() {
	for id, look := range v.seen.Looks {
		for _, e := range look.Exports {
			name := e.Key.String()
			if e.Status != customvision.ExportExporting || !v.seen.Project.Iteration(id).Export(name).Asked.IsZero() {
				continue
			}
			now := v.now()
			v.learn(func(p *state.Project) { p.Iteration(id).Export(name).Asked = now })
		}
	}
}

// clearConditions removes what no longer stands: of exports that are proven, that
// the service lists as other than failed though asking for them was refused, or that
// nobody wants any more; of iterations that the service no longer lists; and of blobs
// that are gone in this version.
func (v *visit) clearConditions() {
	held := map[string]string{} // ETag by name
	for _, b := range v.scope.blobs {
		held[b.Name] = b.ETag
	}
	var over []state.Scope
	for _, c := range v.seen.Project.Conditions {
		look, it := v.seen.Looks[c.Iteration], v.iteration(c.Iteration)
		switch {
		case c.Blob != "" && v.scope.blobsKnown && held[c.Blob] != c.ETag,
			c.Blob == "" && c.Iteration != "" && it == nil && v.listed() && !slices.Contains(v.seen.Unusable, state.Scope{Iteration: c.Iteration}),
			c.Export != "" && look != nil && v.isOver(c, look),
			c.Export == "" && c.Blob == "" && it != nil && v.isIterationOver(c, *it):
			over = append(over, c.Scope)
		}
	}
	if len(over) > 0 {
		v.learn(func(p *state.Project) {
			for _, s := range over {
				p.Clear(s)
				if s.Export == "" && s.Blob == "" && v.seen.Looks[s.Iteration] == nil && p.Iterations[s.Iteration] != nil {
					p.Iterations[s.Iteration].Settled = nil // what it kept from being done is to be planned
				}
			}
		})
	}
}

// isIterationOver reports whether the condition of an iteration as a whole no longer
// stands: it can be exported or needn't be, or its failure isn't to be answered any
// more.
func (v *visit) isIterationOver(c *state.Condition, it customvision.Iteration) bool {
	if it.Status == customvision.StatusCompleted {
		return it.Exportable || len(v.rules.Exports) == 0 || !isWanted(v.rules.Rule, it, v.seen.Iterations)
	}
	p := &plan{Rules: v.rules, o: v.seen}
	return v.rules.Retrain == nil || p.trainedSince(it) || p.o.Now.Sub(p.ended(it)) > time.Duration(v.rules.Retrain.Within)
}

// isOver reports whether the condition of an export no longer stands.
func (v *visit) isOver(c *state.Condition, look *Look) bool {
	key, err := archive.NewKey(v.record.ID, c.Iteration, platformOf(c.Export), flavorOf(c.Export))
	if err != nil {
		return !slices.Contains(look.Unusable, c.Export)
	}
	listed := look.listed(key)
	switch {
	case look.proven(key):
		return true
	case listed != nil && listed.Status != customvision.ExportFailed:
		return listed.Status == customvision.ExportDone && !c.Unproven
	}
	it := v.iteration(c.Iteration)
	wanted := it != nil && it.Exportable && isWanted(v.rules.Rule, *it, v.seen.Iterations) && slices.ContainsFunc(v.rules.Exports, func(name string) bool {
		k, err := archive.NewKey(v.record.ID, c.Iteration, platformOf(name), flavorOf(name))
		return err == nil && k == key
	})
	return !wanted
}

// forget drops what is remembered of iterations that the service no longer lists.
// Their blobs are remembered for as long as they lie in the model container.
func (v *visit) forget() {
	if v.Service == nil {
		return // nobody lists iterations
	}
	held := map[string]bool{}
	for _, b := range v.scope.blobs {
		held[b.Iteration] = true
	}
	for id, known := range v.seen.Project.Iterations {
		switch {
		case v.iteration(id) != nil:
		case v.scope.blobsKnown && !held[id], !v.scope.blobsKnown && len(known.Blobs) == 0:
			v.learn(func(p *state.Project) {
				delete(p.Iterations, id)
				p.Conditions = slices.DeleteFunc(p.Conditions, func(c *state.Condition) bool { return c.Iteration == id })
			})
		case known.Settled != nil || len(known.Exports) > 0 || known.Facts != nil && !v.collects(id):
			// Nothing else is of use than the blobs, and the facts for proofs to come.
			facts := known.Facts
			if !v.collects(id) {
				facts = nil
			}
			v.learn(func(p *state.Project) {
				it := p.Iteration(id)
				*it = state.Iteration{Blobs: it.Blobs, Facts: facts}
				p.Conditions = slices.DeleteFunc(p.Conditions, func(c *state.Condition) bool { return c.Iteration == id && c.Blob == "" })
			})
		}
	}
}

// collects reports whether a blob of the iteration isn't archived yet.
func (v *visit) collects(iteration string) bool {
	known := v.seen.Project.Iterations[iteration]
	return slices.ContainsFunc(v.scope.blobs, func(b models.Blob) bool { return b.Iteration == iteration && known.Blobs[b.Name] != b.ETag })
}

// archived learns that a blob of the model container needs no further look.
func (v *visit) archived(iteration, blob, etag string) {
	v.learn(func(p *state.Project) {
		p.Iteration(iteration).Archived(blob, etag)
		p.Clear(state.Scope{Iteration: iteration, Blob: blob, ETag: etag})
	})
}

// save writes what was learnt since the last write.
func (v *visit) save(ctx context.Context) error {
	if len(v.changes) == 0 {
		return nil
	}
	if v.unsure {
		current, err := v.State.Load(ctx, v.record.ID)
		if err != nil {
			return err
		}
		*v.record, v.unsure = *current, false
	}
	if err := v.State.Update(ctx, v.record, func(p *state.Project) error {
		v.apply(p)
		return nil
	}); err != nil {
		v.unsure = true
		return err
	}
	v.written()
	return nil
}

// written takes over what the state holds now.
func (v *visit) written() {
	v.changes, v.saved = nil, v.Clock.Now()
	v.seen.Project = v.record.Clone()
}

// apply makes all changes so far in what another writer may have left.
func (v *visit) apply(p *state.Project) {
	for _, change := range v.changes {
		change(p)
	}
}
