// Package notifications is the function behind the queue trigger. The host
// invokes it once for each message of Custom Vision. It reads the message,
// reconciles the project or iteration that the message names, and checks that
// the service shows what the message claims. It never fetches a URI from a
// message. Start reading at Function.
package notifications

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"visionkeeper/handler"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/reconcile"
	"visionkeeper/internal/state"
)

// Name is the name of the function and of its folder. binding is the name of its
// trigger in function.json.
const (
	Name    = "notifications"
	binding = "message"
)

// Function handles notifications.
type Function struct {
	Reconciler *reconcile.Reconciler
	State      *state.Store
	// ModelContainer is the model container's URL. A message may name a blob in
	// it.
	ModelContainer string
	// LastDelivery is the host's maxDequeueCount. A message that is delivered for
	// the last time is left to the sweep, to keep it out of the poison queue.
	LastDelivery int
	Now          func() time.Time
}

// Invoke handles one message. After an error the message stays on the queue, and
// the host delivers it again after its visibilityTimeout.
func (f Function) Invoke(ctx context.Context, inv *handler.Invocation) error {
	raw, err := inv.Bytes(binding)
	if err != nil {
		return err
	}
	return f.Deal(ctx, raw, f.LastDelivery > 0 && inv.DequeueCount() >= f.LastDelivery)
}

// Deal handles a message's bytes. A message that can never succeed is stored as a
// dead letter, which is no error. An error means that the message should come
// again. If last is true, a claim that the service doesn't confirm is left to the
// sweep and is no error.
func (f Function) Deal(ctx context.Context, raw []byte, last bool) error {
	n, err := customvision.ParseNotification(raw)
	if err != nil {
		return f.Bury(ctx, raw, err.Error())
	}
	err = f.react(ctx, n)
	switch {
	case errors.Is(err, reconcile.ErrUnknownProject):
		return f.Bury(ctx, raw, err.Error())
	case last && errors.Is(err, errUnconfirmed):
		zerolog.Ctx(ctx).Warn().Err(err).Str("project", n.ProjectID).Str("iteration", n.IterationID).Msg("left to the sweep")
		return nil
	}
	return err
}

func (f Function) react(ctx context.Context, n customvision.Notification) error {
	log := zerolog.Ctx(ctx).With().Str("type", string(n.Kind)).Str("project", n.ProjectID).Logger()
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

// Bury stores a message as a dead letter with the reason.
func (f Function) Bury(ctx context.Context, raw []byte, reason string) error {
	letter, err := f.State.Bury(ctx, raw, reason, f.Now().UTC())
	if err != nil {
		return err
	}
	zerolog.Ctx(ctx).Warn().Str("deadLetter", letter.ID).Str("because", reason).Int("count", letter.Count).Msg("kept as a dead letter")
	return nil
}
