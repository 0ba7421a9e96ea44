package sweep

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/rescue"
	"visionkeeper/internal/state"
)

// rescueReserve is the time that is left unused after the last slice, to write what was
// done.
const rescueReserve = 20 * time.Second

// leastSlice is the time that a project gets at least, if there is any: less might not
// bring it on at all.
const leastSlice = time.Minute

// toRescue lists the projects whose data set the policy wants saved, with what is saved of
// each. Without such a rule it asks nobody.
func (f Function) toRescue(ctx context.Context, p policy.Policy) (wanted []wish, covered []state.Coverage, err error) {
	if f.Rescuer == nil || !p.Rescues() {
		return nil, nil, nil
	}
	projects, err := f.Reconciler.Service.Projects(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("list the projects to rescue: %w", err)
	}
	for _, one := range projects {
		id, err := customvision.ParseID(one.ID)
		rule, named := p.For(id, one.Name)
		if err != nil || !named || !rule.Rescue {
			continue
		}
		progress, _, err := f.Rescuer.Progress(ctx, id)
		if err != nil {
			return wanted, covered, err
		}
		served := progress.Looked
		if progress.Taking != nil {
			served = progress.Taking.Moved
		}
		wanted = append(wanted, wish{id, served, rescue.Wish{Predictions: rule.Predictions}})
		progress.Name = one.Name
		covered = append(covered, progress.Covered)
	}
	slices.SortStableFunc(wanted, func(a, b wish) int { return a.served.Compare(b.served) })
	return wanted, covered, nil
}

// wish is a project whose data set is to be saved.
type wish struct {
	project string    // id
	served  time.Time // when it had its last slice; who waits longest comes first
	rescue.Wish
}

// rescue saves data sets in what time the sweep has left: each project gets an equal share
// of it, though not less than leastSlice, and hands on what it doesn't need. Backups come
// first: a sweep that didn't come to its end has none left.
func (f Function) rescue(ctx context.Context, wanted []wish, log zerolog.Logger) error {
	ctx, cancel := withReserve(ctx)
	defer cancel()
	var errs []error
	for n, w := range wanted {
		if ctx.Err() != nil {
			break
		}
		progress, err := f.slice(ctx, w, len(wanted)-n)
		switch {
		case errors.Is(err, rescue.ErrBusy):
			log.Info().Str("project", w.project).Msg("another process saves its data set")
		case err != nil:
			errs = append(errs, fmt.Errorf("save the data set of project %s: %w", w.project, err))
		case progress.Taking != nil:
			log.Info().Str("project", w.project).Int("images", progress.Taking.Images).Int("of", progress.Taking.Asked.Images).Msg("its data set is being saved")
		}
	}
	return errors.Join(errs...)
}

// withReserve ends before ctx does, if that has a deadline.
func withReserve(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-min(rescueReserve, time.Until(deadline)/4)))
}

// slice goes on with a project, for a share of the time.
func (f Function) slice(ctx context.Context, w wish, shares int) (rescue.Progress, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, max(leastSlice, time.Until(deadline)/time.Duration(shares)))
		defer cancel()
	}
	return f.Rescuer.Run(ctx, w.project, w.Wish)
}
