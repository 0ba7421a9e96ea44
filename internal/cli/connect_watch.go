package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/storage"
)

const (
	watchEvery  = time.Second
	peekAtMost  = 32 // the most that one request shows
	seenInQueue = "queue"
	seenInState = "state"
)

// watch looks for Custom Vision's test message: by peeking, which takes nothing
// from the app, and in the state, where the running app notes it when it was
// faster. Messages from before don't count.
type watch struct {
	c       *connection
	queue   *azqueue.QueueClient
	earlier map[string]bool // ids of the messages that were there before
	tested  *time.Time      // when the app had last noted one before
}

func (c *connection) newWatch(ctx context.Context) (*watch, error) {
	queues, err := c.settings.Models.Queue(nil)
	if err != nil {
		return nil, err
	}
	w := &watch{c: c, queue: queues.NewQueueClient(c.settings.Queue), earlier: map[string]bool{}}
	messages, err := w.peek(ctx)
	for _, m := range messages {
		w.earlier[*m.MessageID] = true
	}
	return w, err
}

// before notes what the state already says of a project that is there.
func (w *watch) before(ctx context.Context, project string) {
	if record, err := w.c.state.Load(ctx, project); err == nil { // without the state the queue alone tells
		w.tested = record.ConnectionTest
	}
}

func (w *watch) peek(ctx context.Context) ([]*azqueue.PeekedMessage, error) {
	most := int32(peekAtMost)
	got, err := w.queue.PeekMessages(ctx, &azqueue.PeekMessagesOptions{NumberOfMessages: &most})
	if err != nil {
		return nil, storage.Explain(fmt.Sprintf("peek at the queue %q", w.c.settings.Queue), err)
	}
	return got.Messages, nil
}

// until says where the message was seen; context.DeadlineExceeded if it wasn't
// until then.
func (w *watch) until(ctx context.Context, project string, deadline time.Time) (string, error) {
	for {
		if seen, err := w.look(ctx, project); seen != "" || err != nil {
			return seen, err
		}
		left := time.Until(deadline)
		if left <= 0 {
			return "", context.DeadlineExceeded
		}
		w.c.out.progress(int((w.c.patience-left)/time.Second), int(w.c.patience/time.Second), "waiting for the test message")
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(min(watchEvery, left)):
		}
	}
}

func (w *watch) look(ctx context.Context, project string) (string, error) {
	messages, err := w.peek(ctx)
	if err != nil {
		return "", err
	}
	for _, m := range messages {
		n, err := customvision.ParseNotification([]byte(*m.MessageText))
		if err == nil && n.Kind == customvision.KindConnectionTest && n.ProjectID == project && !w.earlier[*m.MessageID] {
			return seenInQueue, nil
		}
	}
	record, err := w.c.state.Load(ctx, project)
	if err == nil && record.ConnectionTest != nil && (w.tested == nil || record.ConnectionTest.After(*w.tested)) {
		return seenInState, nil
	}
	return "", ctx.Err()
}
