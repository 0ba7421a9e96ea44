package sweep

import (
	"context"
	"errors"
	"fmt"

	"github.com/rs/zerolog"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
	"visionkeeper/internal/twin"
)

// twins goes on with the compact twins that people asked for, as the policy allows, in what
// time the sweep has left: a sweep that didn't come to its end has none. One that gets no
// answer leaves time for the others, and for what comes after. Without such a rule it asks
// nobody.
func (f Function) twins(ctx context.Context, states *state.Listing, p policy.Policy, log zerolog.Logger) error {
	if f.Reconciler.Service == nil || !p.Twins() {
		return nil
	}
	ctx, cancel := withReserve(ctx)
	defer cancel()
	projects, err := f.Reconciler.Service.Projects(ctx)
	if err != nil {
		return fmt.Errorf("list the projects that may have a twin: %w", err)
	}
	maker := &twin.Maker{Options: f.Reconciler.Options}
	var errs []error
	for _, project := range projects {
		if ctx.Err() != nil {
			break
		}
		if !twin.Allowed(p, project) {
			continue
		}
		record, err := states.Load(ctx, customvision.Canonical(project.ID))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if !record.Twin.Open() {
			continue
		}
		part, cancel := share(ctx)
		t, err := maker.Run(part, project)
		cancel()
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("make a twin of the project %s: %w", project.ID, err))
		case t.Open():
			log.Info().Str("project", project.ID).Msg("its twin " + t.Stage())
		}
	}
	return errors.Join(errs...)
}
