// Package sweep is the function behind the timer trigger. It reconciles every
// project, so that a lost message does no harm; it handles the messages in the
// poison queue; and it writes health.json. Start reading at Function.
package sweep

import (
	"context"
	"errors"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"

	"visionkeeper/functions/notifications"
	"visionkeeper/handler"
	"visionkeeper/internal/reconcile"
	"visionkeeper/internal/state"
)

// Name is the name of the function and of its folder.
const Name = "sweep"

// Function handles the timer's invocations.
type Function struct {
	Reconciler    *reconcile.Reconciler
	Notifications notifications.Function
	Poison        *azqueue.QueueClient
	State         *state.Store
	Version       string
	Now           func() time.Time
	// Warnings are logged with every sweep: what the app isn't doing, and why.
	Warnings []string
}

// Invoke runs one sweep. The host doesn't retry a timer. If the deadline cuts
// this sweep, the next one continues where it ended.
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
	health.Covered, health.Failed = swept.Covered, swept.Failed
	health.Unproven, health.Oldest, health.Blocked = swept.Unproven, swept.Oldest, swept.Blocked
	if last.Resume != "" { // the round continues
		health.Covered += last.Covered
		health.Failed += last.Failed
		health.Unproven += last.Unproven
		health.Blocked += last.Blocked
		if health.Oldest.IsZero() || !last.Oldest.IsZero() && last.Oldest.Before(health.Oldest) {
			health.Oldest = last.Oldest
		}
	}
	health.Ended = f.Now().UTC()
	if swept.Resume == "" && health.Failed == 0 && err == nil {
		health.Round = health.Ended
	}
	if err := errors.Join(drainErr, err); err != nil {
		health.Errors = []string{err.Error()}
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
