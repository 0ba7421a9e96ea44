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
	// poisonBatch is how many messages one request takes: few, since what there is
	// no time for counts as tried all the same. The service allows 32.
	poisonBatch = 8
	// poisonHidden is how long a message that is being dealt with is hidden where
	// the invocation has no deadline.
	poisonHidden = 45 * time.Minute
	// poisonTries is how often a poison message is dealt with before it becomes a
	// dead letter, whatever the reason but for lack of time.
	poisonTries = 3
)

// drain takes the messages that the host gave up from the poison queue: each
// distinct one is dealt with once more, and what still fails becomes a dead
// letter. It takes a quarter of the time at most, so that the sweep isn't kept
// waiting. It says how many are gone from the queue.
func (f Function) drain(ctx context.Context) (int, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/4)
		defer cancel()
	}
	gone := 0
	var errs []error
	outcome := map[string]error{} // by text: the same message often comes many times
	for ctx.Err() == nil {
		batch, err := f.Poison.DequeueMessages(ctx, &azqueue.DequeueMessagesOptions{
			NumberOfMessages: new(int32(poisonBatch)), VisibilityTimeout: new(f.hidden(ctx)),
		})
		if queueerror.HasCode(err, queueerror.QueueNotFound) {
			break // the host makes it when it first needs it
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
				err = f.Messages.Deal(ctx, messages.Message{Raw: []byte(text), Last: true})
				// What there was no time for comes again, until the sweep has done the work.
				if err != nil && !errors.Is(err, context.DeadlineExceeded) && *m.DequeueCount >= poisonTries {
					err = f.Messages.Bury(ctx, []byte(text), fmt.Sprintf("it failed %d times after the host had given it up: %s", *m.DequeueCount, err))
				}
				outcome[text] = err
			}
			if err == nil {
				_, err = f.Poison.DeleteMessage(ctx, *m.MessageID, *m.PopReceipt, nil)
				if queueerror.HasCode(err, queueerror.MessageNotFound) {
					err = nil // an answer was lost, and the repeat found it gone
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

// hidden is how long, in seconds, a message is hidden while it is dealt with:
// until this invocation has ended. After a crash it is soon seen again.
func (f Function) hidden(ctx context.Context) int32 {
	left := poisonHidden
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
	}
	return int32(left/time.Second) + 1
}
