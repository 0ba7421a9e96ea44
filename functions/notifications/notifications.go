// Package notifications answers the queue trigger: one invocation for each message
// that Custom Vision put on the queue. What a message means is decided in messages.
// Start reading at Function.
package notifications

import (
	"context"

	"visionkeeper/handler"
	"visionkeeper/internal/events"
	"visionkeeper/internal/messages"
)

// Name is the name of the function and of its folder. binding is the name of its
// trigger in function.json.
const (
	Name    = "notifications"
	binding = "message"
)

// Function handles notifications.
type Function struct {
	Messages messages.Handler
	// LastDelivery is the host's maxDequeueCount: the message that comes for the
	// last time is left to the sweep rather than to the poison queue.
	LastDelivery int
	// Watch notices that sweeps don't come any more; nil for none.
	Watch *events.Watch
}

// Invoke deals with one message. An error leaves the message on the queue, to come
// again after the host's visibilityTimeout.
func (f Function) Invoke(ctx context.Context, inv *handler.Invocation) error {
	raw, err := inv.Bytes(binding)
	if err != nil {
		return err
	}
	inserted, _ := inv.Metadata.Time("InsertionTime") // zero where the host doesn't say it
	defer f.Watch.Look(ctx)
	return f.Messages.Deal(ctx, messages.Message{
		Raw: raw, Inserted: inserted, Cause: inv.ID, Again: inv.DequeueCount() > 1,
		Last: f.LastDelivery > 0 && inv.DequeueCount() >= f.LastDelivery,
	})
}
