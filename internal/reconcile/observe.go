package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

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
// project that the service doesn't list or doesn't show now, or where there is no
// endpoint, the blobs of the model container are all there is to see. With an error
// comes what was seen before it; nil if that is nothing.
func (r *Reconciler) observe(ctx context.Context, s scope) (*visit, error) {
	v, err := r.admitted(ctx, s)
	if err != nil || v.outside || v.known {
		return v, err
	}
	v.seen.Blobs = v.unknownBlobs()
	if err := v.confirmGone(ctx); err != nil || v.outside {
		return v, err
	}
	if v.inService() && v.blind == nil {
		if a, _ := v.strangers.recall(s.project); errors.Is(a.err, ErrUnknownProject) && !s.whole {
			return v, a.err
		}
		if err := v.orBlind(ctx, v.listIterations(ctx)); err != nil {
			return v, err
		}
	}
	if v.inService() && v.blind == nil {
		v.begin()
	}
	if s.ask != nil {
		for id := range s.iterations {
			v.learn(func(p *state.Project) { s.ask.retry(p, id) })
		}
		if err := v.applyPolicy(ctx); err != nil { // by the iterations that are known now
			return v, err
		}
	}
	if err := v.look(ctx); err != nil {
		return v, err
	}
	if err := v.seeHoldOut(ctx); err != nil {
		return v, err
	}
	share, cancel := shareOf(ctx)
	defer cancel()
	if err := v.weigh(share); err != nil {
		if ctx.Err() != nil {
			return v, err
		}
		a := Action{Step: Step{Kind: Inspect, Scope: trainingScope}}
		v.fail(v.log(ctx, a), a, err)
	}
	return v, nil
}

// identify learns the project's name as far as it isn't known, and the rule that counts
// for it. A sweep asks for any project; messages share a bound for those that the state
// doesn't know.
func (v *visit) identify(ctx context.Context) error {
	switch {
	case !v.inService():
	case v.scope.known != nil:
		v.learnProject(*v.scope.known)
	case v.record.Name != "":
	case !v.scope.whole:
		if err := v.meet(ctx); err != nil {
			return err
		}
	default:
		if err := v.orBlind(ctx, v.ask(ctx)); err != nil {
			return err
		}
	}
	return v.findRule(ctx)
}

// findRule finds the rule that counts for the project. Of one that is left alone
// nothing is to be done, so nothing can't be.
func (v *visit) findRule(ctx context.Context) error {
	err := v.applyPolicy(ctx)
	if err == nil && v.outside && v.scope.whole && len(v.seen.Project.Conditions) > 0 {
		v.learn(func(p *state.Project) { p.Conditions = nil })
	}
	return err
}

// orBlind learns whether the service showed the project. A sweep goes on with what lies in
// the model container if it didn't. An error ends the run.
func (v *visit) orBlind(ctx context.Context, err error) error {
	switch {
	case err == nil:
	case ctx.Err() != nil || !v.scope.whole && errors.Is(err, ErrUnknownProject):
		return err
	case v.scope.known == nil && errors.Is(err, ErrUnknownProject):
		v.scope.vanished, v.deleted = true, true
		return nil
	}
	v.blind = err
	v.shown(state.Scope{}, err)
	return nil
}

// ask learns what the service says of the project.
func (v *visit) ask(ctx context.Context) error {
	p, err := v.Service.Project(ctx, v.record.ID)
	if err != nil {
		err = v.unlessGone(ctx, fmt.Errorf("look at project %s: %w", v.record.ID, err))
		if ctx.Err() == nil {
			v.strangers.note(v.record.ID, answer{err: err, at: v.Clock.Now()})
		}
		return err
	}
	v.askedAt = v.Clock.Now()
	v.strangers.note(v.record.ID, answer{project: p, at: v.askedAt})
	v.learnProject(p)
	return nil
}

func (v *visit) learnProject(p customvision.Project) {
	v.importing, v.modified = p.Status == customvision.StatusImporting, p.LastModified
	uri, _, _ := strings.Cut(p.Settings.ExportModelContainerURI, "?")
	if p.Name != v.seen.Project.Name || (uri != "") != v.seen.Project.Container || uri != v.seen.Project.ContainerURI {
		v.learn(func(s *state.Project) { s.Name, s.Container, s.ContainerURI = p.Name, uri != "", uri })
	}
}

// listIterations sees the project's iterations, with ids comparable to ours.
func (v *visit) listIterations(ctx context.Context) error {
	all, err := v.Service.Iterations(ctx, v.record.ID)
	if err != nil {
		return v.unlessGone(ctx, fmt.Errorf("list the iterations of project %s: %w", v.record.ID, err))
	}
	v.listedAt = v.Clock.Now()
	v.shown(state.Scope{}, nil)
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
	v.confirmMissing(ctx, false)
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
	inTheWay := v.inTheWay()
	if len(inTheWay) > 0 && v.rules.Rescue && v.Sets != nil {
		if err := v.lookForSets(ctx); err != nil {
			return err
		}
	}
	wanted = append(wanted, inTheWay...)
	wanted = append(wanted, slices.Collect(maps.Keys(v.seen.Blobs))...) // some are of iterations that the service doesn't list as completed
	slices.Sort(wanted)
	wanted = slices.Compact(wanted)
	if len(wanted) > 0 {
		if err := v.confirm(ctx); err != nil {
			return err
		}
	}
	backups, err := v.backupsOf(ctx, wanted)
	if err != nil {
		return err
	}
	for _, id := range wanted {
		look := &Look{Backups: backups[id], Unlisted: v.blind != nil}
		if it := v.iteration(id); it != nil && it.Status == customvision.StatusCompleted {
			share, cancel := shareOf(ctx)
			err := v.listExports(share, id, look)
			cancel()
			if err != nil && ctx.Err() != nil {
				return err
			}
			v.shown(state.Scope{Iteration: id, Fact: state.FactExports}, err)
			if err != nil { // the others are looked at all the same
				v.unseen, look.Unlisted = true, true
				a := Action{Step: Step{Kind: Inspect, Scope: state.Scope{Iteration: id}}}
				v.fail(v.log(ctx, a), a, err)
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

// backupsOf lists the backups of iterations: by one request where that is enough, else each
// by a listing of its own, since the archive of the whole project grows for years, unless
// they are many.
func (v *visit) backupsOf(ctx context.Context, iterations []string) (map[string][]archive.Backup, error) {
	var list []archive.Backup
	if len(iterations) > 1 {
		backups, all, err := v.Archive.BackupsAtOnce(ctx, v.record.ID)
		switch {
		case err != nil:
			return nil, err
		case all:
			list, iterations = backups, nil
		case len(iterations) > mostListings:
			iterations = []string{""}
		}
	}
	for _, id := range iterations {
		backups, err := v.Archive.Backups(ctx, v.record.ID, id)
		if err != nil {
			return nil, err
		}
		list = append(list, backups...)
	}
	found := map[string][]archive.Backup{}
	for _, b := range list {
		found[b.Iteration] = append(found[b.Iteration], b)
	}
	return found, nil
}

// listExports sees an iteration's exports, one for each key.
func (v *visit) listExports(ctx context.Context, iteration string, look *Look) error {
	at := v.Clock.Now()
	exports, err := v.Service.Exports(ctx, v.record.ID, iteration)
	if err != nil {
		return fmt.Errorf("list the exports of iteration %s: %w", iteration, err)
	}
	look.Exports, look.Unusable, look.At = nil, nil, at
	for _, e := range exports {
		key, err := archive.NewKey(v.record.ID, iteration, e.Platform, e.Flavor)
		if err != nil {
			look.Unusable = append(look.Unusable, e)
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
