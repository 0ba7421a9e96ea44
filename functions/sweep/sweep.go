// Package sweep answers the timer trigger: it reconciles every project, so that
// nothing depends on a message that was lost, deals with what the host gave up,
// and writes health.json. Start reading at Function.
package sweep

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"

	"visionkeeper/handler"
	"visionkeeper/internal/messages"
	"visionkeeper/internal/reconcile"
	"visionkeeper/internal/state"
)

// Name is the function's, and its folder's.
const Name = "sweep"

// Function answers the timer.
type Function struct {
	Reconciler *reconcile.Reconciler
	Messages   messages.Handler
	Poison     *azqueue.QueueClient
	State      *state.Store
	Version    string
	Now        func() time.Time
	// Warnings are said with every sweep: what the app doesn't do, and why.
	Warnings []string
}

// Invoke sweeps once. The timer isn't retried; the next sweep goes on where this
// one's deadline cuts it.
func (f Function) Invoke(ctx context.Context, inv *handler.Invocation) error {
	for _, w := range f.Warnings {
		inv.Log.Error().Msg(w)
	}
	health := state.Health{Version: f.Version, Began: f.Now().UTC(), Warnings: f.Warnings}
	last, err := f.State.Health(ctx)
	if err != nil {
		return err
	}
	var drainErr error
	health.Poison, drainErr = f.drain(ctx)
	swept, err := f.Reconciler.Sweep(ctx, last.Resume)

	health.Projects, health.Outside, health.Resume, health.Round = swept.Projects, swept.Outside, swept.Resume, last.Round
	health.Covered, health.Failed, health.Counts, health.Conditions = swept.Covered, swept.Failed, swept.Counts, swept.Conditions
	if last.Resume != "" { // the round goes on
		health.Covered += last.Covered
		health.Failed += last.Failed
		health.Add(last.Counts)
		health.Conditions = append(last.Conditions, swept.Conditions...)
	}
	health.Ended = f.Now().UTC()
	if health.Failed == 0 && swept.Whole {
		health.Round = health.Ended
	}
	for _, err := range []error{drainErr, err} {
		health.Errors = append(health.Errors, lines(err)...)
	}
	event := inv.Log.Info().Int("projects", health.Projects).Int("covered", health.Covered).Int("failed", health.Failed).
		Int("unproven", health.Unproven).Int("blocked", health.Blocked)
	if !health.Oldest.IsZero() {
		event = event.Time("oldest", health.Oldest)
	}
	if health.Resume != "" {
		event = event.Str("resume", health.Resume)
	}
	event.Msg("swept")
	return errors.Join(drainErr, err, f.State.SetHealth(ctx, health))
}

// lines are an error's, one for each that was joined.
func lines(err error) []string {
	if err == nil {
		return nil
	}
	return strings.Split(err.Error(), "\n")
}
