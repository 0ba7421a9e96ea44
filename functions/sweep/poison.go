package sweep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2/queueerror"

	"visionkeeper/internal/messages"
	"visionkeeper/internal/storage"
)

const (
	// poisonBatch is the number of messages that one request receives. It is
	// small because every message received counts as tried, even if there is no
	// time for it. The service allows 32.
	poisonBatch = 8
	// poisonHidden is how long a message is hidden while it is handled, if the
	// invocation has no deadline.
	poisonHidden = 45 * time.Minute
	// poisonTries is how many times a poison message is handled before it becomes
	// a dead letter. Tries that failed for lack of time don't count.
	poisonTries = 3
)

// drain receives messages from the poison queue and handles each distinct one
// once more. A message that still fails becomes a dead letter. drain takes at
// most a quarter of the time, so that the sweep isn't delayed. It returns the
// number of messages removed from the queue.
func (f Function) drain(ctx context.Context) (int, error) {
	ctx, cancel := share(ctx)
	defer cancel()
	gone := 0
	var errs []error
	outcome := map[string]error{} // by the message's text: there are often many copies
	for ctx.Err() == nil {
		batch, err := f.Poison.DequeueMessages(ctx, &azqueue.DequeueMessagesOptions{
			NumberOfMessages: new(int32(poisonBatch)), VisibilityTimeout: new(f.hidden(ctx)),
		})
		if queueerror.HasCode(err, queueerror.QueueNotFound) {
			break // the host creates it when it first needs it
		}
		if err != nil {
			return gone, errors.Join(append(errs, storage.Explain("read the poison queue", err))...)
		}
		if len(batch.Messages) == 0 {
			break
		}
		for _, m := range batch.Messages {
			text := *m.MessageText
			err, known := outcome[text]
			if !known {
				message := messages.Message{Raw: []byte(text), Again: true, Last: true}
				if *m.DequeueCount >= poisonTries {
					message.GiveUp = fmt.Sprintf("it failed %d times after the host had given it up", *m.DequeueCount)
				}
				err = f.Messages.Deal(ctx, message)
				outcome[text] = err
			} else {
				err = messages.DealAsBefore(ctx, err)
			}
			if err == nil {
				_, err = f.Poison.DeleteMessage(ctx, *m.MessageID, *m.PopReceipt, nil)
				if queueerror.HasCode(err, queueerror.MessageNotFound) {
					err = nil // the answer was lost, and the message is gone already
				}
				err = storage.Explain("delete a message from the poison queue", err)
			}
			if err != nil {
				errs = append(errs, err)
				continue
			}
			gone++
		}
	}
	return gone, errors.Join(errs...)
}

// hidden returns how long, in seconds, a message is hidden while it is handled:
// until this invocation has ended. After a crash the message soon appears again.
func (f Function) hidden(ctx context.Context) int32 {
	left := poisonHidden
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
	}
	return int32(left/time.Second) + 1
}
