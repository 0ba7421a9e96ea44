package reconcile

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/rs/zerolog"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/models"
	"visionkeeper/internal/state"
)

// unknownBlobs are the blobs of the model container that may have to be archived:
// the state doesn't know them in this version, and no condition puts them off.
func (v *visit) unknownBlobs() map[string][]models.Blob {
	put := map[state.Scope]bool{}
	for _, c := range v.seen.Project.Conditions {
		put[c.Scope] = !due(c, v.rules.Under, v.seen.Now)
	}
	unknown := map[string][]models.Blob{}
	for _, b := range v.scope.blobs {
		known := v.seen.Project.Iterations[b.Iteration]
		if (known == nil || known.Blobs[b.Name] != b.ETag) && !put[state.Scope{Iteration: b.Iteration, Blob: b.Name, ETag: b.ETag}] {
			unknown[b.Iteration] = append(unknown[b.Iteration], b)
		}
	}
	return unknown
}

// observe looks once: the state, the list of iterations, and of every iteration
// that needs it the exports and the backups. A settled iteration costs nothing. Of a
// project that the service doesn't list, or where there is no endpoint, the blobs of
// the model container are all there is to see. With an error comes what was seen before
// it; nil if that is nothing.
func (r *Reconciler) observe(ctx context.Context, s scope) (*visit, error) {
	record, err := r.State.Load(ctx, s.project)
	if err != nil {
		return nil, err
	}
	if record.Lost != nil {
		zerolog.Ctx(ctx).Error().Err(record.Lost).Str("project", s.project).Msg("what was remembered is lost, and is made anew")
	}
	v := r.visit(s, record)
	switch {
	case !v.inService():
	case s.known != nil:
		v.learnProject(*s.known)
	case record.Name == "":
		if err := v.meet(ctx); err != nil {
			return v, err
		}
	}
	if err := v.applyPolicy(ctx); err != nil || v.outside {
		return v, err
	}
	if v.settled = v.isSettledSince(); v.settled {
		return v, nil
	}
	v.seen.Blobs = v.unknownBlobs()
	if !v.inService() {
		if err := v.confirmGone(ctx); err != nil {
			return v, err
		}
		return v, v.look(ctx)
	}
	if a, _ := v.strangers.recall(s.project); a.err != nil && !s.whole {
		return nil, a.err
	}
	if err := v.listIterations(ctx); err != nil {
		return v, err
	}
	v.begin()
	if s.ask != nil {
		for id := range s.iterations {
			v.learn(func(p *state.Project) { s.ask.retry(p, id) })
		}
		if err := v.applyPolicy(ctx); err != nil { // by the iterations that are known now
			return v, err
		}
	}
	return v, v.look(ctx)
}

// ask learns what the service says of the project.
func (v *visit) ask(ctx context.Context) error {
	p, err := v.Service.Project(ctx, v.record.ID)
	if err != nil {
		return v.unlessGone(ctx, fmt.Errorf("look at project %s: %w", v.record.ID, err))
	}
	v.askedAt = v.Clock.Now()
	v.strangers.note(v.record.ID, answer{project: p, at: v.askedAt})
	v.learnProject(p)
	return nil
}

func (v *visit) learnProject(p customvision.Project) {
	v.importing = p.Status == customvision.StatusImporting
	container := p.Settings.ExportModelContainerURI != ""
	if p.Name != v.seen.Project.Name || container != v.seen.Project.Container {
		v.learn(func(s *state.Project) { s.Name, s.Container = p.Name, container })
	}
}

// listIterations sees the project's iterations, with ids comparable to ours.
func (v *visit) listIterations(ctx context.Context) error {
	all, err := v.Service.Iterations(ctx, v.record.ID)
	if err != nil {
		return v.unlessGone(ctx, fmt.Errorf("list the iterations of project %s: %w", v.record.ID, err))
	}
	v.listedAt = v.Clock.Now()
	v.seen.Iterations, v.seen.Unusable = nil, nil
	for _, it := range all {
		id, err := customvision.ParseID(it.ID)
		if err != nil {
			v.seen.Unusable = append(v.seen.Unusable, state.Scope{Iteration: shorten(it.ID)})
			continue
		}
		it.ID = id
		switch known := v.iteration(id); {
		case known == nil:
			v.seen.Iterations = append(v.seen.Iterations, it)
		case it.Status == customvision.StatusCompleted: // of two entries for one iteration
			*known = it
		}
	}
	return nil
}

// shorten bounds a name of others that is recorded though nothing can be stored
// under it, and takes out of it what could steer a terminal.
func shorten(name string) string {
	const most = 64
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(name, "?"))
	if len(name) > most {
		name = strings.ToValidUTF8(name[:most], "") + "…"
	}
	return name
}

// look sees the exports and backups of the iterations that need it.
func (v *visit) look(ctx context.Context) error {
	v.seen.Looks = map[string]*Look{}
	var wanted []string
	for _, it := range v.seen.Iterations {
		_, asked := v.scope.iterations[it.ID]
		if v.scope.ask != nil && !asked {
			continue
		}
		if it.Status == customvision.StatusCompleted && (asked || len(v.seen.Blobs[it.ID]) > 0 || !settled(v.rules, v.seen, it)) {
			wanted = append(wanted, it.ID)
		}
	}
	wanted = append(wanted, slices.Collect(maps.Keys(v.seen.Blobs))...) // some are of iterations that the service doesn't list as completed
	slices.Sort(wanted)
	wanted = slices.Compact(wanted)
	backups, err := v.backupsOf(ctx, wanted)
	if err != nil {
		return err
	}
	for _, id := range wanted {
		look := &Look{Backups: backups[id]}
		if it := v.iteration(id); it != nil && it.Status == customvision.StatusCompleted {
			share, cancel := shareOf(ctx)
			err := v.listExports(share, id, look)
			cancel()
			if err != nil {
				if ctx.Err() != nil {
					return err
				}
				// The others are looked at all the same.
				v.unseen = true
				a := Action{Step: Step{Kind: Inspect, Scope: state.Scope{Iteration: id}}}
				v.fail(v.log(ctx, a), a, err)
				continue
			}
		}
		v.seen.Looks[id] = look
	}
	return nil
}

// shareOf bounds a call that may hang: it gets a quarter of the time that is left, so
// that it leaves time for its neighbours.
func shareOf(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(deadline)/4)
}

// mostListings is how many iterations' backups are listed each by itself. A project
// has at most 20 iterations; the model container may still hold blobs of many more.
const mostListings = 20

// backupsOf lists the backups of iterations: each by a listing of its own, since the
// archive of the whole project grows for years, unless they are many.
func (v *visit) backupsOf(ctx context.Context, iterations []string) (map[string][]archive.Backup, error) {
	found := map[string][]archive.Backup{}
	if len(iterations) > mostListings {
		iterations = []string{""}
	}
	for _, id := range iterations {
		backups, err := v.Archive.Backups(ctx, v.record.ID, id)
		if err != nil {
			return nil, err
		}
		for _, b := range backups {
			found[b.Iteration] = append(found[b.Iteration], b)
		}
	}
	return found, nil
}

// listExports sees an iteration's exports, one for each key.
func (v *visit) listExports(ctx context.Context, iteration string, look *Look) error {
	exports, err := v.Service.Exports(ctx, v.record.ID, iteration)
	if err != nil {
		return fmt.Errorf("list the exports of iteration %s: %w", iteration, err)
	}
	look.Exports, look.Unusable = nil, nil
	for _, e := range exports {
		key, err := archive.NewKey(v.record.ID, iteration, e.Platform, e.Flavor)
		if err != nil {
			look.Unusable = append(look.Unusable, quoted(e))
			continue
		}
		look.see(key, e)
	}
	return nil
}

// quoted is what an export is called that nothing can be stored under; no other's
// name has quotes.
func quoted(e customvision.Export) string {
	name := e.Platform
	if e.Flavor != "" {
		name += "." + e.Flavor
	}
	return `"` + shorten(name) + `"`
}
