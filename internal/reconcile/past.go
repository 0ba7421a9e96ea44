package reconcile

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

// begin looks after a project that the app sees for the first time in the service.
// If it has a past, what was remembered of it may have been lost, and with it the
// trainings that were started: the failures so far, and that of a training underway,
// are never answered, what was trained so far isn't published, and until a sweep has
// looked at all of it nothing is trained.
// While the project is being imported more of its past may come, dated as of then.
func (v *visit) begin() {
	for _, it := range v.seen.Iterations {
		if it.Status == customvision.StatusFailed && v.seen.Project.Iteration(it.ID).Ended.IsZero() {
			v.learn(func(p *state.Project) {
				if p.Iteration(it.ID).Ended.IsZero() {
					p.Iteration(it.ID).Ended = it.LastModified
				}
			})
		}
	}
	if !v.seen.Project.Seen.IsZero() {
		return
	}
	now, all := v.now(), v.seen.Iterations
	v.learn(func(p *state.Project) {
		if !p.Seen.IsZero() {
			return // another process has begun meanwhile, or nothing was lost after all
		}
		if !v.importing {
			p.Seen = now
		}
		for _, it := range all {
			if it.Status == customvision.StatusNew {
				continue
			}
			if it.Status != customvision.StatusTraining {
				p.Rebuilt = true
			}
			if it.Status == customvision.StatusCompleted {
				p.Iteration(it.ID).Before = true
			}
			// One that is still training may be our own answer to a failure.
			if it.Status != customvision.StatusCompleted && answerTo(p.Trainings, state.FailureOf(it.ID)) == nil {
				p.Trainings = append(p.Trainings, &state.Training{Cause: state.FailureOf(it.ID), Asked: now, Nothing: "it was trained before the app knew the project"})
			}
		}
	})
}

// unlessGone makes ErrUnknownProject of an error that says, in the service's own
// words, that there is no such project. The 404 of a gateway is an outage.
func (v *visit) unlessGone(ctx context.Context, err error) error {
	if !customvision.NotFound(err) {
		return err
	}
	if _, again := v.Service.Project(ctx, v.record.ID); customvision.NotFound(again) {
		err := fmt.Errorf("project %s: %w", v.record.ID, ErrUnknownProject)
		v.strangers.note(v.record.ID, answer{err: err, at: v.Clock.Now()})
		return err
	}
	return err
}

// confirmGone asks for a project that the service doesn't list, before anything is
// forgotten because of that: a list may lack it for one look. One that is there is looked
// at as any other.
func (v *visit) confirmGone(ctx context.Context) error {
	switch {
	case v.Service == nil || !v.scope.vanished || v.deleted:
		return nil
	case len(v.seen.Blobs) == 0 && !v.remembersMore(): // nothing is to be asked for any more
		v.shown(state.Scope{}, nil)
		return nil
	}
	moved := v.seen.Project.Condition(state.Scope{})
	if moved != nil && moved.Code == state.Elsewhere && !due(moved, v.rules.Under, v.now()) {
		v.blind, v.elsewhere = errors.New(moved.Why), true
		return nil
	}
	p, err := v.Service.Project(ctx, v.record.ID)
	var refused *customvision.Error
	switch {
	case customvision.NotFound(err):
		v.deleted = true
		return nil
	case errors.As(err, &refused) && refused.Status == http.StatusForbidden:
		v.blind, v.elsewhere = err, true
		f := fault{code: state.Elsewhere, why: fmt.Sprintf("the list of projects lacks it, and the service refuses to show it: it may be another resource's now: %s", err)}
		v.learn(func(p *state.Project) { note(p, state.Scope{}, false, f, false, v.rules.Under, v.now()) })
		return nil
	case err == nil:
		v.scope.vanished = false
		v.learnProject(p)
		return v.findRule(ctx)
	}
	return v.orBlind(ctx, fmt.Errorf("look at project %s: %w", v.record.ID, err))
}

// remembersMore reports whether the state has more of the project than the blobs that are
// archived and still lie in the model container.
func (v *visit) remembersMore() bool {
	if v.seen.Project.Promotion != nil {
		return true
	}
	held, _ := v.held()
	for id, it := range v.seen.Project.Iterations {
		if it.Settled != nil || len(it.Exports) > 0 || it.Facts != nil || !it.Ended.IsZero() || v.scope.blobsKnown && !held[id] {
			return true
		}
	}
	return slices.ContainsFunc(v.seen.Project.Conditions, func(c *state.Condition) bool { return c.Blob == "" && c.Destination == "" && c.Scope != state.Scope{} })
}
