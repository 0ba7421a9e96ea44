package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/models"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
)

// Swept is what one sweep found.
type Swept struct {
	Projects int // that the policy names
	Covered  int // of them by this sweep: everything was looked at
	Failed   int // of them by this sweep, but not whole: there are errors
	Outside  int // that the policy leaves alone
	// Resume is the project after which the next sweep has to go on, because this
	// one's time was up or it couldn't begin; "" where it came to the end.
	Resume string
	// Gap reports whether something wasn't seen that isn't one of the failed projects: the
	// list of projects, or what is left of one that is gone. Whole reports whether it came
	// to the end and looked at everything on its way.
	Gap, Whole bool
	// Lists is a fingerprint of what tells which projects there are, if this sweep looked at
	// all that only the state remembers besides; "" where it didn't.
	Lists string
	// Conditions are those of all projects of this sweep; Counts as in Report, over all
	// of them.
	Conditions []state.ProjectCondition
	// Untold are the projects with events that not every destination has yet.
	Untold []string
	// Unmeasured are the projects of which pictures of a hold-out set are still to be asked.
	Unmeasured []string
	state.Counts
}

// Before is what a sweep is told that was seen before it; nothing is known where it is zero.
type Before struct {
	// States is the listing of the state to go by; where it is nil, the sweep makes one.
	States *state.Listing
	Resume string // as in Swept
	Lists  string // as in Swept
	// Unended reports whether it may have come to no end: the process may have died of
	// what it found.
	Unended bool
}

// reserve is the time that a sweep leaves unused at its end, to write what it found.
const reserve = 20 * time.Second

// Sweep reconciles all projects after the one where the sweep before ended, in the order
// of their ids, until there are no more or ctx's deadline is near. One listing of the
// model container finds every blob that isn't archived yet. It goes on after a failure
// and returns all errors together: where the projects can't be listed, over those that
// the state knows. A project that takes too long is left for the next round: it must
// not keep the sweeps from the others.
func (r *Reconciler) Sweep(ctx context.Context, before Before) (Swept, error) {
	ctx, cancel := r.bounded(ctx)
	defer cancel()
	swept := Swept{Resume: before.Resume}
	todo, lists, err := r.todo(ctx, before, &swept)
	errs := []error{err}
	swept.Gap = err != nil
	if len(todo) == 0 && err != nil {
		return swept, err
	}
	swept.Projects = countFunc(todo, scope.counts)
	for i, s := range todo {
		if s.project <= before.Resume {
			continue
		}
		// A run ends by a timer of its own, at the same time.
		if deadline, ok := ctx.Deadline(); ctx.Err() != nil || ok && !time.Now().Before(deadline) {
			return swept, errors.Join(errs...)
		}
		s.again, s.followed = before.Unended, i < len(todo)-1
		report, err := r.pace.join(ctx, s, "", r.run)
		swept.Resume = s.project
		if all := errors.Join(err, report.Err("")); all != nil {
			errs = append(errs, fmt.Errorf("project %s: %w", s.project, all))
		}
		seen := err == nil && s.blobsKnown && !report.Unseen
		if left := len(report.Conditions) + report.Unproven; (!s.counts() || report.Outside) && (!seen || left > 0) {
			lists = "" // it is to be gone over again
		}
		switch {
		case !s.counts():
			swept.Gap = swept.Gap || !seen
		case report.Outside:
			swept.Projects--
			swept.Outside++
		case seen:
			swept.Covered++
		default:
			swept.Failed++
		}
		swept.Add(report.Counts)
		if report.Untold {
			swept.Untold = append(swept.Untold, s.project)
		}
		if report.Unmeasured {
			swept.Unmeasured = append(swept.Unmeasured, s.project)
		}
		for _, c := range report.Conditions {
			swept.Conditions = append(swept.Conditions, state.ProjectCondition{Project: s.project, Name: report.Name, Condition: c})
		}
	}
	swept.Resume, swept.Whole = "", !swept.Gap && swept.Failed == 0
	if before.Resume == "" && !swept.Gap {
		swept.Lists = lists
	}
	return swept, errors.Join(errs...)
}

// bounded ends before ctx does, if that has a deadline.
func (r *Reconciler) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-min(reserve, time.Until(deadline)/4)))
}

// todo lists what a sweep goes over, in order: the service's projects that the
// policy names, those that only the model container still knows, and those that only the
// state does, to forget of them what is gone. These are asked for when the lists aren't
// those that a sweep before saw: then none can have become one since. With an error
// comes what is known without what couldn't be listed.
func (r *Reconciler) todo(ctx context.Context, before Before, swept *Swept) (list []scope, lists string, err error) {
	blobs, blobsErr := r.blobsByProject(ctx)
	var listed []customvision.Project
	var listErr error
	if r.Service != nil {
		if listed, listErr = r.Service.Projects(ctx); listErr != nil {
			listErr = fmt.Errorf("list the projects: %w", listErr)
			swept.unlisted(listErr, r.Clock.Now())
		}
	}
	inForce, err := r.Policy.Now(ctx)
	if err != nil {
		return nil, "", errors.Join(blobsErr, listErr, err)
	}
	lists = r.fingerprint(blobs, listed, inForce)
	if before.States == nil {
		before.States, _ = r.State.List(ctx, r.Clock.Now) // Projects says why it failed
	}
	var remembered []string
	var stateErr error
	if lists != before.Lists || blobsErr != nil || listErr != nil {
		remembered, stateErr = before.States.Projects()
	}
	todo := map[string]scope{}
	add := func(id string, known *customvision.Project, vanished bool) {
		if _, err := customvision.ParseID(id); err == nil {
			todo[id] = scope{project: id, known: known, whole: true, states: before.States, listed: listed, blobs: blobs[id], blobsKnown: blobsErr == nil, vanished: vanished}
		}
	}
	for id := range blobs {
		add(id, nil, listErr == nil)
	}
	for _, id := range remembered {
		add(id, nil, listErr == nil)
	}
	seen := map[string]bool{}
	for _, p := range listed {
		id, err := customvision.ParseID(p.ID)
		if err != nil {
			swept.unusable(p, r.Clock.Now())
			continue
		}
		if seen[id] {
			continue
		}
		seen[id] = true
		// Of one that the policy leaves alone the state remembers the name at most.
		if _, ok := inForce.For(id, p.Name); !ok && !slices.Contains(remembered, id) {
			zerolog.Ctx(ctx).Debug().Str("project", id).Msg("the policy leaves this project alone")
			swept.Outside++
			delete(todo, id)
			continue
		}
		add(id, &p, false)
	}
	list = slices.SortedFunc(maps.Values(todo), func(a, b scope) int { return cmp.Compare(a.project, b.project) })
	return list, lists, errors.Join(blobsErr, stateErr, listErr)
}

// fingerprint is that of all that tells which projects there are and which of them the
// policy names. It is another one after a while, since a project may come and go between
// two sweeps.
func (r *Reconciler) fingerprint(blobs map[string][]models.Blob, listed []customvision.Project, inForce policy.InForce) string {
	of := []string{r.Clock.Now().Truncate(r.Times.SettledFor).UTC().String()}
	unlisted := maps.Clone(blobs)
	for _, p := range listed {
		_, named := inForce.For(p.ID, p.Name)
		of = append(of, fmt.Sprintf("%q %q %t", p.ID, p.Name, named))
		delete(unlisted, strings.ToLower(p.ID))
	}
	of = append(of, slices.Collect(maps.Keys(unlisted))...)
	slices.Sort(of)
	return fingerprint(of...)
}

// counts reports whether a project of a sweep counts as one: of one that only the state
// remembers there is nothing left to do but to forget it.
func (s scope) counts() bool { return !s.vanished || len(s.blobs) > 0 }

// unlisted counts that the projects couldn't be listed. No state has it: who wants to know
// since when has to remember it.
func (s *Swept) unlisted(err error, now time.Time) {
	s.Blocked++
	s.Conditions = append(s.Conditions, state.ProjectCondition{
		Condition: state.Condition{Code: state.Unseen, Why: err.Error(), First: now, Last: now, Attempts: 1, Next: now},
	})
}

// unusable counts a project whose id is no GUID: nothing can be stored under it, so
// who wants to know since when has to remember it. The first sweep of a round counts it.
func (s *Swept) unusable(p customvision.Project, now time.Time) {
	if s.Resume != "" {
		return
	}
	s.Blocked++
	s.Conditions = append(s.Conditions, state.ProjectCondition{
		Project: shorten(p.ID), Name: shorten(p.Name), Condition: state.Condition{Code: state.BadName, Why: "its id is no GUID, so nothing can be stored under it", First: now, Last: now},
	})
}

// blobsByProject lists the model container's blobs that are named as Custom
// Vision names its backups.
func (r *Reconciler) blobsByProject(ctx context.Context) (map[string][]models.Blob, error) {
	projects := map[string][]models.Blob{}
	for b, err := range r.Models.Blobs(ctx, "") {
		if err != nil {
			return map[string][]models.Blob{}, err
		}
		projects[b.Project] = append(projects[b.Project], b)
	}
	return projects, nil
}
