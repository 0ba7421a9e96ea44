// Package sweep answers the timer trigger: it reconciles every project, so that
// nothing depends on a message that was lost. Start reading at Function.
package sweep

import (
	"context"

	"visionkeeper/handler"
	"visionkeeper/reconcile"
)

// Name is the function's, and its folder's.
const Name = "sweep"

// Function answers the timer.
type Function struct {
	Reconciler *reconcile.Reconciler
	// Warnings are said with every sweep: what the app doesn't do, and why.
	Warnings []string
}

// Invoke sweeps once. The timer isn't retried; the next sweep is.
func (f Function) Invoke(ctx context.Context, inv *handler.Invocation) error {
	for _, w := range f.Warnings {
		inv.Log.Error().Msg(w)
	}
	projects, err := f.Reconciler.Sweep(ctx)
	if err != nil {
		return err
	}
	inv.Log.Info().Int("projects", projects).Msg("swept")
	return nil
}
