package messages

import (
	"context"
	"errors"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"

	"visionkeeper/internal/state"
	"visionkeeper/internal/storage"
)

// Replay puts a dead letter back on the queue, byte for byte, and drops it after that.
// Where it fails between the two, both are left, and the message is only dealt with once
// more. (Put Message, Delete Blob)
func Replay(ctx context.Context, letters *state.Store, queues *azqueue.ServiceClient, queue string, l state.HeldLetter) error {
	// It never expires: until somebody puts the app right, nobody takes it.
	if err := storage.Enqueue(ctx, queues, queue, l.Raw); err != nil {
		return err
	}
	err := letters.DropDeadLetter(context.WithoutCancel(ctx), l)
	if errors.Is(err, state.ErrBuriedAgain) {
		return nil // the app was faster, and has kept it again
	}
	return err
}
