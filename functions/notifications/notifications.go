// Package notifications answers the queue trigger: one invocation for each
// message that Custom Vision put on the queue. It reads the message, reconciles
// what it is about, and checks that the service shows what the message claims.
// It never fetches anything that a message names. Start reading at Function.
package notifications

import (
	"context"
	"errors"
	"time"

	"visionkeeper/customvision"
	"visionkeeper/handler"
	"visionkeeper/reconcile"
	"visionkeeper/state"
)

// Name is the function's, and its folder's; binding is its trigger's in function.json.
const (
	Name    = "notifications"
	binding = "message"
)

// Function answers notifications.
type Function struct {
	Reconciler *reconcile.Reconciler
	State      *state.Store
	// ModelContainer is the model container's URL, to tell whether a message
	// names a blob in it.
	ModelContainer string
	// LastDelivery is the host's maxDequeueCount: the message that comes for the
	// last time is left to the sweep rather than to the poison queue.
	LastDelivery int
	Now          func() time.Time
}

// Invoke handles one message. An error leaves the message on the queue, to come
// again after the host's visibilityTimeout; what can never succeed is kept as a
// dead letter and answered as done.
func (f Function) Invoke(ctx context.Context, inv *handler.Invocation) error {
	raw, err := inv.Bytes(binding)
	if err != nil {
		return err
	}
	n, err := customvision.ParseNotification(raw)
	if err != nil {
		return f.bury(ctx, inv, raw, err.Error())
	}
	err = f.react(ctx, inv, n)
	switch {
	case errors.Is(err, reconcile.ErrUnknownProject):
		return f.bury(ctx, inv, raw, err.Error())
	case errors.Is(err, errUnconfirmed) && f.LastDelivery > 0 && inv.DequeueCount() >= f.LastDelivery:
		inv.Log.Warn().Err(err).Str("project", n.ProjectID).Str("iteration", n.IterationID).Msg("left to the sweep")
		return nil
	}
	return err
}

func (f Function) react(ctx context.Context, inv *handler.Invocation, n customvision.Notification) error {
	log := inv.Log.With().Str("type", string(n.Kind)).Str("project", n.ProjectID).Logger()
	if n.Kind == customvision.KindConnectionTest {
		if err := f.Reconciler.ConnectionTested(ctx, n.ProjectID); err != nil {
			return err
		}
		log.Info().Msg("Custom Vision reaches the queue")
		return nil
	}
	log.Info().Str("iteration", n.IterationID).Str("status", n.TrainingStatus+n.ExportStatus).Msg("notification")
	report, err := f.Reconciler.Reconcile(ctx, reconcile.Key{Project: n.ProjectID, Iteration: n.IterationID})
	if err != nil {
		return err
	}
	if report.Outside {
		log.Info().Msg("the policy leaves this project alone")
		return nil
	}
	return f.confirm(n, report)
}

func (f Function) bury(ctx context.Context, inv *handler.Invocation, raw []byte, reason string) error {
	letter, err := f.State.Bury(ctx, raw, reason, f.Now().UTC())
	if err != nil {
		return err
	}
	inv.Log.Warn().Str("deadLetter", letter.ID).Str("because", reason).Int("count", letter.Count).Msg("kept as a dead letter")
	return nil
}
