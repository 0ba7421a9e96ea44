package reconcile

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

// senderTime bounds how long one sender may take between its intent and the
// answer, where its context has no deadline.
const senderTime = 5 * time.Minute

// errTooSlow says that the service answered so slowly that no time was left.
var errTooSlow = errors.New("there was no time left to ask Custom Vision for it: it is left to the next run")

// errOvertaken says that another process wrote the state since this one looked.
var errOvertaken = errors.New("another process was first")

// send asks the service for exports and trainings: effects that can't be undone
// and are never repeated blindly. All of them are announced by one write to the
// state, on top of the very version that the plan was made from; who loses that
// race sends nothing and leaves it to the winner. Nothing is sent later than the
// announcement says: by then another may send it. What becomes of a lost answer
// the next look shows.
func (v *visit) send(ctx context.Context, effects []Action) []error {
	if len(effects) == 0 {
		return nil
	}
	token, until := rand.Text(), v.until(ctx)
	planned := v.record.Revision
	err := v.State.Update(ctx, v.record, func(p *state.Project) error {
		if p.Revision != planned {
			return errOvertaken
		}
		v.apply(p)
		for _, a := range effects {
			v.announce(p, a, token, until)
		}
		return nil
	})
	if errors.Is(err, errOvertaken) {
		return []error{v.yield(ctx, effects)}
	}
	if err != nil {
		return []error{v.failAll(effects, err)}
	}
	v.changes = nil // written
	v.seen.Project = v.record.Clone()

	ctx, cancel := context.WithTimeout(ctx, until.Sub(v.now()))
	defer cancel()
	var errs []error
	for _, a := range effects {
		switch {
		case !v.now().Before(until):
			v.withdraw(a, token)
			err = errTooSlow
		case a.Kind == Export:
			err = v.sendExport(ctx, a, token)
		default:
			err = v.sendTraining(ctx, a, token)
		}
		errs = append(errs, v.outcome(ctx, a, err))
	}
	return errs
}

// withdraw takes back the announcement of what the service surely didn't get, or
// refused for now.
func (v *visit) withdraw(a Action, token string) {
	v.learn(func(p *state.Project) {
		if a.Kind == Export {
			e := p.Iteration(a.Iteration).Export(a.Export)
			e.Attempts, e.Asked, e.Until = e.Attempts-1, time.Time{}, time.Time{}
			return
		}
		p.Trainings = slices.DeleteFunc(slices.Clone(p.Trainings), func(t *state.Training) bool { return t.Token == token && t.Cause == a.Iteration })
	})
}

// yield takes over what the other process wrote, and looks anew, since what the
// other asked for may have begun by now: the next plan starts from that.
func (v *visit) yield(ctx context.Context, effects []Action) error {
	v.seen.Project, v.seen.Now, v.loaded = v.record.Clone(), v.record.Seen, v.Clock.Now()
	v.apply(&v.seen.Project)
	err := v.listIterations(ctx)
	if err == nil {
		err = v.look(ctx)
	}
	if err != nil {
		return v.failAll(effects, err)
	}
	return nil
}

func (v *visit) failAll(actions []Action, err error) error {
	for _, a := range actions {
		v.seen.Failed[a] = true
	}
	return err
}

// until is when this sender gives up at the latest, by the storage service's clock.
func (v *visit) until(ctx context.Context) time.Time {
	left := senderTime
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
	}
	return v.now().Add(left)
}

// announce writes the intent. It may be called anew for another version.
func (v *visit) announce(p *state.Project, a Action, token string, until time.Time) {
	if a.Kind == Export {
		e := p.Iteration(a.Iteration).Export(a.Export)
		e.Attempts++
		e.Asked, e.Until = v.now(), until
		return
	}
	for _, t := range p.Trainings {
		if t.Cause == a.Iteration && t.Open() {
			t.Refused = "nothing came of it: its sender ended before it was sent"
		}
	}
	var known []string
	for _, it := range v.seen.Iterations {
		if it.Status != customvision.StatusNew {
			known = append(known, it.ID)
		}
	}
	p.Trainings = append(recent(p.Trainings, v.now()), &state.Training{
		Token: token, Cause: a.Iteration, Known: known, Asked: v.now(), Until: until,
	})
}

// recent drops trainings that no rule looks back to.
func recent(trainings []*state.Training, now time.Time) []*state.Training {
	return slices.DeleteFunc(slices.Clone(trainings), func(t *state.Training) bool { return now.Sub(t.Asked) > 2*month })
}

func (v *visit) sendExport(ctx context.Context, a Action, token string) error {
	key, err := v.key(a)
	if err != nil {
		return err
	}
	before := v.exportStatus(a.Iteration, a.Export)
	e, err := v.Service.Export(ctx, key.Project, key.Iteration, key.Platform, key.Flavor)
	if customvision.Lost(err) {
		return err // the intent stays open
	}
	v.learn(func(p *state.Project) { p.Iteration(a.Iteration).Export(a.Export).Until = time.Time{} })
	switch {
	case err == nil:
		v.see(a, key, e)
		return nil
	case customvision.IsCode(err, "BadRequestExportAlreadyInProgress") && before != customvision.ExportFailed:
		// Somebody asked for it since the look: as good as our own.
		v.see(a, key, customvision.Export{Status: customvision.ExportExporting})
		return nil
	case definite(err):
		return impossible("the service refuses to export it: " + err.Error())
	}
	v.withdraw(a, token)
	return err
}

// see puts what became of an export into the service's list.
func (v *visit) see(a Action, key archive.Key, e customvision.Export) {
	e.Platform, e.Flavor = key.Platform, key.Flavor
	if known := v.export(a.Iteration, a.Export); known != nil {
		*known = e
		return
	}
	look := v.seen.Looks[a.Iteration]
	look.Exports = append(look.Exports, e)
}

func (v *visit) sendTraining(ctx context.Context, a Action, token string) error {
	failed := v.iteration(a.Iteration)
	it, err := v.Service.Train(ctx, v.record.ID, customvision.TrainOptions{
		Type: failed.TrainingType, ReservedBudgetInHours: failed.ReservedBudgetInHours, Force: v.rules.Retrain.Force,
	})
	mine := func(change func(*state.Training)) {
		v.learn(func(p *state.Project) {
			for _, t := range p.Trainings {
				if t.Token == token && t.Cause == a.Iteration {
					change(t)
				}
			}
		})
	}
	switch {
	case err == nil:
		if it.ID, err = customvision.ParseID(it.ID); err != nil {
			return err
		}
		v.seen.Iterations = append(slices.DeleteFunc(v.seen.Iterations, func(o customvision.Iteration) bool { return o.ID == it.ID }), it)
		mine(func(t *state.Training) { t.Result = it.ID })
		return nil
	case customvision.IsCode(err, "BadRequestTrainingAlreadyInProgress"):
		return err // whose it is the next look shows
	case definite(err):
		mine(func(t *state.Training) { t.Refused = err.Error() })
		return impossible("the service refuses to train: " + err.Error())
	case !customvision.Lost(err):
		v.withdraw(a, token)
	}
	return err
}
