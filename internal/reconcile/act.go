package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rs/zerolog"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
)

// act does what is planned, folds what that showed into what was seen, and plans
// again, until only waiting is left. It goes on after a failure, writes what it
// has learnt, and returns all errors together.
func (v *visit) act(ctx context.Context) error {
	var errs []error
	for ctx.Err() == nil {
		plan := Plan(v.rules, v.seen)
		v.waiting = slices.DeleteFunc(slices.Clone(plan), func(a Action) bool { return a.Kind != Wait })
		plan = slices.DeleteFunc(plan, func(a Action) bool { return a.Kind == Wait || v.onlyObserved(ctx, a) })
		if len(plan) == 0 {
			break
		}
		errs = append(errs, v.round(ctx, plan)...)
	}
	v.conclude(errors.Join(errs...) == nil && ctx.Err() == nil)
	errs = append(errs, v.save(ctx))
	return errors.Join(errs...)
}

// round does every action of a plan once. What fails isn't planned again in this
// run; it is with the next one. What is planned again and again fails.
func (v *visit) round(ctx context.Context, plan []Action) []error {
	var errs []error
	var effects []Action
	for _, a := range plan {
		var err error
		switch {
		case countFunc(v.done, func(d Action) bool { return d == a }) >= maxAttempts:
			err = errEndless
		case a.Kind == Export || a.Kind == Retrain:
			effects = append(effects, a)
			continue
		case a.Kind == Backup:
			err = v.backup(ctx, a)
		case a.Kind == Collect:
			err = v.collect(ctx, a)
		case a.Kind == Describe:
			err = v.describe(ctx, a)
		default:
			v.remember(a)
		}
		errs = append(errs, v.outcome(ctx, a, err))
	}
	return append(errs, v.send(ctx, effects)...)
}

// errEndless keeps a mistake of ours from filling the archive or the bill.
var errEndless = fmt.Errorf("it was done %d times in this run, and is planned again", maxAttempts)

// impossible says why something can never be done: it is given up, not failed.
type impossible string

func (i impossible) Error() string { return string(i) }

// outcome tells the log what became of an action, and remembers a failure.
func (v *visit) outcome(ctx context.Context, a Action, err error) error {
	var why impossible
	if errors.As(err, &why) {
		a, err = Action{Kind: Block, Iteration: a.Iteration, Export: a.Export, Blob: a.Blob, Why: string(why)}, nil
		v.remember(a)
	}
	log := zerolog.Ctx(ctx)
	event := log.Info()
	switch {
	case err != nil:
		event = log.Error().Err(err)
	case a.Kind == Block:
		event = log.Warn()
	}
	event = event.Str("project", v.record.ID).Str("iteration", a.Iteration).Str("because", a.Why)
	if a.Export != "" {
		event = event.Str("export", a.Export)
	}
	if a.Blob != "" {
		event = event.Str("blob", a.Blob)
	}
	if err != nil {
		v.seen.Failed[a] = true
		event.Msg("failed: " + string(a.Kind))
		return fmt.Errorf("%s %s of iteration %s: %w", a.Kind, a.Export+a.Blob, a.Iteration, err)
	}
	v.done = append(v.done, a)
	event.Msg(said[a.Kind])
	return nil
}

// said is what the log says of an action that was done.
var said = map[ActionKind]string{
	Describe: "noted domain, tags and performance",
	Backup:   "archived",
	Collect:  "archived",
	Export:   "asked for an export",
	Retrain:  "started a training",
	Adopt:    "found the training that was asked for",
	Block:    "given up",
	Settle:   "settled",
}

// onlyObserved tells an action that mode observe leaves undone, and says so.
func (v *visit) onlyObserved(ctx context.Context, a Action) bool {
	if v.rules.Mode != policy.Observe || a.Kind != Export && a.Kind != Retrain {
		return false
	}
	if !v.seen.Failed[a] {
		v.seen.Failed[a] = true // said once
		zerolog.Ctx(ctx).Info().Str("project", v.record.ID).Str("iteration", a.Iteration).Str("export", a.Export).
			Str("because", a.Why).Msgf("would %s, but the policy only observes", a.Kind)
	}
	return true
}

// remember does the actions that only change what is known.
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
		settled := state.Settled{At: v.now(), Rule: v.rules.hash(), Wanted: isWanted(v.rules.Rule, v.iteration(a.Iteration), v.seen.Iterations)}
		v.learn(func(p *state.Project) { p.Iteration(a.Iteration).Settled = &settled })
	case Block:
		done := a.Export != "" && v.exportStatus(a.Iteration, a.Export) == customvision.ExportDone
		v.learn(func(p *state.Project) {
			it := p.Iteration(a.Iteration)
			switch {
			case a.Blob != "": // the blob is marked as dealt with
			case a.Export == "":
				it.Blocked = a.Why
			case done:
				it.Export(a.Export).Blocked = a.Why
			default:
				it.Export(a.Export).Refused = a.Why
			}
		})
	}
}

// conclude learns what a visit shows as a whole. Every export that is underway
// gets a date, so that one that never ends is noticed whoever asked for it; what
// the project no longer has is dropped.
func (v *visit) conclude(complete bool) {
	for id, look := range v.seen.Looks {
		for _, e := range look.Exports {
			key, err := archive.NewKey(v.record.ID, id, e.Platform, e.Flavor)
			if err == nil && e.Status == customvision.ExportExporting && v.seen.Project.Iteration(id).Export(key.String()).Asked.IsZero() {
				v.learn(func(p *state.Project) { p.Iteration(id).Export(key.String()).Asked = v.now() })
			}
		}
	}
	for _, b := range v.seen.Blobs {
		if look := v.seen.Looks[b.iteration]; look != nil && look.holds(b) {
			v.archived(b)
		}
	}
	for id, known := range v.seen.Project.Iterations {
		listed := slices.ContainsFunc(v.seen.Iterations, func(it customvision.Iteration) bool { return it.ID == id })
		// Its blobs are remembered for as long as they lie in the model container.
		held := len(known.Blobs) > 0 && !v.scope.whole || slices.ContainsFunc(v.scope.blobs, func(b modelBlob) bool { return b.iteration == id })
		switch {
		case listed:
		case !held:
			v.learn(func(p *state.Project) { delete(p.Iterations, id) })
		case v.scope.whole && !slices.ContainsFunc(v.seen.Blobs, func(b modelBlob) bool { return b.iteration == id }):
			// They are archived, proofs and all: nothing else is of use any more.
			v.learn(func(p *state.Project) { *p.Iteration(id) = state.Iteration{Blobs: p.Iteration(id).Blobs} })
		}
	}
	if complete && v.scope.whole && v.seen.Project.Rebuilt {
		v.learn(func(p *state.Project) { p.Rebuilt = false })
	}
}

// archived learns that a blob of the model container is in the archive, or never
// can be.
func (v *visit) archived(b modelBlob) {
	v.learn(func(p *state.Project) { p.Iteration(b.iteration).Archived(b.name, b.etag) })
}

// save writes what was learnt.
func (v *visit) save(ctx context.Context) error {
	return v.State.Update(ctx, v.record, func(p *state.Project) error {
		v.apply(p)
		return nil
	})
}

// sum counts what is left.
func (v *visit) sum(report *Report) {
	for id, look := range v.seen.Looks {
		it := v.iteration(id)
		for _, e := range look.Exports {
			key, err := archive.NewKey(v.record.ID, id, e.Platform, e.Flavor)
			if err != nil || e.Status != customvision.ExportDone ||
				slices.ContainsFunc(backupsOf(look, key), func(b archive.Backup) bool { return b.Verdict.Counts() }) ||
				v.seen.Project.Iteration(id).Export(key.String()).Blocked != "" {
				continue
			}
			report.Unproven++
			if it.TrainedAt != nil && (report.Oldest.IsZero() || it.TrainedAt.Before(report.Oldest)) {
				report.Oldest = *it.TrainedAt
			}
		}
	}
	for _, it := range v.seen.Project.Iterations {
		if it.Blocked != "" {
			report.Blocked++
		}
		for _, e := range it.Exports {
			if e.Blocked != "" || e.Refused != "" {
				report.Blocked++
			}
		}
	}
}

// apply makes all changes so far in what another writer may have left.
func (v *visit) apply(p *state.Project) {
	for _, change := range v.changes {
		change(p)
	}
}

// exportStatus is the status of an export in the API's list, "" if it isn't there.
func (v *visit) exportStatus(iteration, name string) string {
	if e := v.export(iteration, name); e != nil {
		return e.Status
	}
	return ""
}

// export finds an export, as named in the archive, in the API's list.
func (v *visit) export(iteration, name string) *customvision.Export {
	look := v.seen.Looks[iteration]
	for i, e := range look.Exports {
		if key, err := archive.NewKey(v.record.ID, iteration, e.Platform, e.Flavor); err == nil && key.String() == name {
			return &look.Exports[i]
		}
	}
	return nil
}

// key is the archive's name of an action's export.
func (v *visit) key(a Action) (archive.Key, error) {
	platform, flavor, _ := strings.Cut(a.Export, ".")
	return archive.NewKey(v.record.ID, a.Iteration, platform, flavor)
}
