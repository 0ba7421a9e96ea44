package rescue

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/dataset"
	"visionkeeper/internal/state"
)

// maxCovered bounds what a coverage lists.
const maxCovered = 20

// coverage says what of a project is saved, by the progress and by the models that are
// safe in the archive, by iteration.
func (p Progress) coverage(safe map[string]bool) state.Coverage {
	c := state.Coverage{Project: p.Project, Name: p.Name, Wanted: 1, Looked: p.Looked, Stuck: []state.Stuck{}, Missing: []string{}}
	lacks := func(format string, a ...any) {
		if len(c.Missing) < maxCovered {
			c.Missing = append(c.Missing, fmt.Sprintf(format, a...))
		}
	}
	if p.Trouble != "" {
		lacks("the last look ended early: %s", p.Trouble)
	}
	p.covers(&c, dataset.Workspace, "the workspace", lacks)
	if kept := p.Kept[dataset.Workspace]; kept != nil {
		c.Images, c.Saved, c.Bytes = kept.Asked.Images, kept.Found.Images-min(kept.Found.Images, kept.Missing), kept.Bytes
	}
	for _, it := range p.Iterations {
		if it.Status != customvision.StatusCompleted {
			continue
		}
		c.Trained++
		c.Wanted++
		switch {
		case safe[it.ID]:
			c.Safe++
		case !it.Exportable:
			c.Stuck = append(c.Stuck, state.Stuck{Iteration: it.ID, Name: it.Name, Domain: cmp.Or(it.Domain, it.DomainID), Since: it.TrainedAt})
		default:
			lacks("the model of %s has no backup", it.Name)
		}
		p.covers(&c, it.ID, it.Name, lacks)
	}
	for of, kept := range p.Kept { // of iterations that the service no longer has, or that nobody asked it for
		if of != dataset.Workspace && !slices.ContainsFunc(p.Iterations, func(it SeenIteration) bool { return it.ID == of }) {
			c.Wanted++
			p.covers(&c, of, cmp.Or(kept.Name, of), lacks)
		}
	}
	return c
}

// covers counts a snapshot that there should be.
func (p Progress) covers(c *state.Coverage, of, name string, lacks func(string, ...any)) {
	switch kept := p.Kept[of]; {
	case kept != nil && kept.Verdict == dataset.Complete:
		c.Complete++
	case kept != nil:
		lacks("the data set of %s is %s: %s", name, kept.Verdict, kept.Why)
	case p.Taking != nil && p.Taking.Of == of:
		lacks("the data set of %s is being saved: %d of %d images", name, p.Taking.Images, p.Taking.Asked.Images)
	default:
		lacks("the data set of %s isn't saved yet", name)
	}
}

// Progress reads how far a project has come, without looking at the service. ok is false
// where nothing was ever saved of it.
func (r *Rescuer) Progress(ctx context.Context, project string) (p Progress, ok bool, err error) {
	v, err := r.load(ctx, project)
	if err != nil {
		return Progress{}, false, err
	}
	return v.p, !v.p.Looked.IsZero() || len(v.p.Kept) > 0, nil
}

// cover counts what of the project is saved. (List Blobs; where a model can't be exported,
// another one, and Get Blob for each twin)
func (v *run) cover(ctx context.Context) error {
	backups, err := v.Archive.Backups(ctx, v.id, "")
	if err != nil {
		return err
	}
	safe := map[string]bool{}
	for _, b := range backups {
		if b.Verdict.Counts() {
			safe[b.Iteration] = true
		}
	}
	v.p.Covered = v.p.coverage(safe)
	if len(v.p.Covered.Stuck) == 0 {
		return nil
	}
	twins, err := v.Archive.Twins(ctx, v.id)
	for _, t := range twins { // of several the newest
		for i, s := range v.p.Covered.Stuck {
			if s.Iteration == t.Original.Iteration {
				v.p.Covered.Stuck[i].Twin = t.Blob()
			}
		}
	}
	return err
}

// Covered says of each project of which anything was ever saved, or tried, what is saved: by
// the state, and, where that is nil or has nothing of a project, by the archive alone. One
// listing of the snapshots and one of the state; for each project one listing of its
// backups, and one read of the state or of each of its newest proofs. They are in the
// order of their names.
func Covered(ctx context.Context, a *archive.Archive, sets *dataset.Store, states *state.Store) ([]state.Coverage, error) {
	projects := map[string]bool{}
	list, err := sets.Snapshots(ctx, "")
	if err != nil {
		return nil, err
	}
	for _, s := range list {
		projects[s.Project] = true
	}
	if states != nil {
		known, err := states.Rescues(ctx)
		if err != nil {
			return nil, err
		}
		for _, id := range known {
			projects[id] = true
		}
	}
	r := New(Options{Archive: a, Sets: sets, State: states})
	all := []state.Coverage{}
	for _, id := range slices.Sorted(maps.Keys(projects)) {
		v, err := r.load(ctx, id)
		if err == nil {
			err = v.cover(ctx)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, v.p.Covered)
	}
	slices.SortStableFunc(all, func(a, b state.Coverage) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}
