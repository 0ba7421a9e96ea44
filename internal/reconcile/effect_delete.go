package reconcile

import (
	"context"
	"errors"
	"slices"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/dataset"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/seal"
	"visionkeeper/internal/state"
)

// deletionEffect deletes an iteration at the service, to make room. Its intent is a
// state.Deletion. That the iteration is gone is recorded by bury, whoever saw it.
type deletionEffect struct{}

func (deletionEffect) look(ctx context.Context, v *visit, iteration string) error {
	if v.seen.Looks[iteration] == nil { // its training failed: it has no exports
		return nil
	}
	return exportEffect{}.look(ctx, v, iteration)
}

func (deletionEffect) announce(v *visit, p *state.Project, a Action, s sending) {
	it := v.iteration(a.Iteration)
	d := state.Deletion{ID: archive.DeletionID(v.now(), s.token), Name: it.Name, Asked: v.now(), Until: s.until}
	if it.TrainedAt != nil {
		d.Trained = *it.TrainedAt
	}
	p.Delete(a.Iteration, d)
}

func (deletionEffect) withdraw(p *state.Project, a Action, s sending) bool {
	d := p.Deletions[a.Iteration]
	announced := d != nil && d.Until.Equal(s.until) && d.Open()
	if announced {
		delete(p.Deletions, a.Iteration)
	}
	return announced
}

// send checks the proofs, writes the tombstone, looks once more at the iteration alone,
// and deletes it: nothing lies between that look and the request.
func (deletionEffect) send(ctx context.Context, v *visit, a Action, s sending) error {
	it := *v.iteration(a.Iteration)
	t, standing, err := v.lastProofs(ctx, a)
	if err == nil {
		err = v.Archive.Announce(ctx, t)
	}
	if err == nil {
		err = v.lastLook(ctx, a.Iteration, standing)
	}
	if err != nil { // it never left the process
		v.withdraw(a, s)
		f := faultOf(err)
		f.cause = nil // nothing that concerns the deletion is lost
		return f
	}
	err = v.Service.DeleteIteration(ctx, v.record.ID, a.Iteration)
	switch {
	case customvision.Lost(err):
		return err
	case err == nil, customvision.NotFound(err):
		v.seen.Gone[a.Iteration] = true
		v.removed = append(v.removed, it)
		v.seen.Iterations = slices.DeleteFunc(v.seen.Iterations, func(it customvision.Iteration) bool { return it.ID == a.Iteration })
		v.learn(func(p *state.Project) { p.Clear(a.Scope) })
		return nil
	}
	v.refusedNow(a, s, err)
	if customvision.Definite(err) {
		return faultf(state.DeletionRefused, "the service refuses to delete it: %s", err)
	}
	return err
}

// lastProofs checks directly that what the deletion of an iteration rests on is in the
// archive: each proof, and the package of that name by its ETag and its size; so the data
// set, if it is to be saved. It returns the tombstone, and which backups stand.
func (v *visit) lastProofs(ctx context.Context, a Action) (archive.Tombstone, []archive.Backup, error) {
	it := v.iteration(a.Iteration)
	t := archive.Tombstone{
		ID: v.seen.Project.Deletions[it.ID].ID, Project: v.record.ID, Iteration: it.ID, ProjectName: v.seen.Project.Name, IterationName: it.Name,
		TrainedAt: it.TrainedAt, Why: a.Why, Proofs: []string{}, Asked: v.now().UTC(),
	}
	if it.Status == customvision.StatusFailed {
		return t, nil, nil
	}
	backups, err := v.Archive.Backups(ctx, v.record.ID, it.ID)
	if err != nil {
		return t, nil, err
	}
	var standing []archive.Backup
	for _, b := range backups {
		if !b.Verdict.Counts() {
			standing = append(standing, b)
			continue
		}
		if err := stands(v.Archive.Stands(ctx, b)); err != nil {
			return t, nil, err
		}
		standing, t.Proofs = append(standing, b), append(t.Proofs, b.Proof)
	}
	if !v.rules.Rescue {
		return t, standing, nil
	}
	set := v.seen.Sets[it.ID]
	t.Snapshot = set.Name.Proof(set.Verdict)
	return t, standing, stands(v.Sets.Stands(ctx, set))
}

// stands is an error as a condition: what isn't there as its proof says is no outage.
func stands(err error) error {
	for _, lost := range []error{archive.ErrUnproven, archive.ErrNotFound, archive.ErrChanged, seal.ErrBroken} {
		if errors.Is(err, lost) {
			return faultf(state.NotSafe, "the archive is not as the proofs say (run `visionkeeper verify`): %s", err)
		}
	}
	return err
}

// lastLook looks at an iteration directly before it is deleted: that the project still has
// others instead, that nobody has published it, and that each export of it is done, and is
// one of the backups that stand.
func (v *visit) lastLook(ctx context.Context, iteration string, standing []archive.Backup) error {
	if err := v.listIterations(ctx); err != nil {
		return err
	}
	p := &plan{Rules: v.rules, o: v.seen}
	if v.iteration(iteration) != nil && (!p.full() || !p.spares(iteration)) {
		return faultf(state.NotSafe, "the project's iterations are others by now: there is room, or it is published or the newest")
	}
	it, err := v.Service.Iteration(ctx, v.record.ID, iteration)
	switch {
	case customvision.NotFound(err):
		return nil
	case err != nil:
		return err
	case it.PublishName != "":
		return faultf(state.NotSafe, "it was published meanwhile")
	case it.Status == customvision.StatusFailed:
		return nil
	}
	look := Look{Backups: standing}
	if err := v.listExports(ctx, iteration, &look); err != nil {
		return err
	}
	it.ID = iteration
	if why := p.unsaved(it, &look); why != "" {
		return faultf(state.NotSafe, "%s", why)
	}
	return nil
}

// bury records that an iteration which the app asked to delete is gone. One whose
// announcement isn't in the archive for an hour was never asked for: somebody else deleted
// it.
func (v *visit) bury(ctx context.Context, iteration string) error {
	known, now := v.seen.Project.Deletions[iteration], v.now().UTC()
	err := v.Archive.Bury(ctx, v.record.ID, iteration, known.ID, now)
	lacks := errors.Is(err, archive.ErrNotFound) || errors.Is(err, seal.ErrBroken)
	never := lacks && !known.Lacked.IsZero() && now.Sub(known.Lacked) >= lackedFor
	v.learn(func(p *state.Project) {
		switch d := p.Deletions[iteration]; {
		case d == nil:
		case err == nil:
			d.Gone = now
		case never:
			delete(p.Deletions, iteration)
		case lacks && d.Lacked.IsZero():
			d.Lacked = now
		}
	})
	if never {
		return nil
	}
	return err
}

// dropDeletions forgets what was asked for in vain: the iteration is still there.
func (v *visit) dropDeletions() {
	p := &plan{Rules: v.rules, o: v.seen}
	for id, d := range v.seen.Project.Deletions {
		if d.Open() && v.iteration(id) != nil && !p.deleting(d) {
			v.learn(func(p *state.Project) { delete(p.Deletions, id) })
		}
	}
}

// inTheWay are the iterations that are looked at because room may have to be made: of a
// project that is full and is looked at whole, those that can be spared.
func (v *visit) inTheWay() []string {
	p := &plan{Rules: v.rules, o: v.seen}
	if len(v.scope.iterations) > 0 || v.scope.ask != nil || !p.full() || !p.due(noRoom) || p.unsettling() || v.onlyTold() {
		return nil
	}
	var ids []string
	for _, it := range p.spare() {
		if it.Status == customvision.StatusCompleted {
			ids = append(ids, it.ID)
		}
	}
	return ids
}

// onlyTold reports whether a sweep could only say again what it would delete: the policy
// observes, and nothing has to be looked at besides.
func (v *visit) onlyTold() bool {
	return v.scope.whole && v.rules.Mode == policy.Observe && !slices.ContainsFunc(v.seen.Iterations, func(it customvision.Iteration) bool {
		return it.Status == customvision.StatusCompleted && !settled(v.rules, v.seen, it)
	})
}

// lookForSets sees which data sets of iterations are saved.
func (v *visit) lookForSets(ctx context.Context) error {
	list, err := v.Sets.Snapshots(ctx, v.record.ID)
	if err != nil {
		return err
	}
	v.seen.Sets = map[string]dataset.Snapshot{}
	for _, s := range list {
		if best, ok := dataset.Best(list, s.Of); ok && best.Verdict == dataset.Complete {
			v.seen.Sets[s.Of] = best
		}
	}
	return nil
}

// roomMade reports whether a condition of making room no longer stands.
func (v *visit) roomMade(c *state.Condition) bool {
	p := &plan{Rules: v.rules, o: v.seen}
	if v.listedAt.IsZero() || v.blind != nil || !v.inService() {
		return false
	}
	return !p.full() || c.Iteration != "" && !p.spares(c.Iteration)
}
