package funchost

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2/queueerror"

	"visionkeeper/internal/storage"
)

// handle handles one received message to its end (QueueProcessor.cs).
func (l *queueListener) handle(m *azqueue.DequeuedMessage) {
	text, count := value(m.MessageText), value(m.DequeueCount)
	receipt := value(m.PopReceipt)
	if count > int64(l.options.maxDequeueCount) {
		l.toPoison(m, receipt, fmt.Sprintf("Message has reached MaxDequeueCount of %d", l.options.maxDequeueCount))
		return
	}
	body := []byte(text)
	if l.options.base64 {
		decoded, err := decodeBase64(text)
		if err != nil {
			l.host.log.warnf("Message decoding has failed! Check MessageEncoding settings. MessageId=%s.", value(m.MessageID))
			l.toPoison(m, receipt, "it is not Base64")
			return
		}
		body = decoded
	}
	o, receipt := l.invoke(m, body, receipt)
	switch {
	case errors.Is(o.err, errAbandoned):
		// The message appears again when its lock ends, as after a host's crash.
	case o.err == nil:
		l.settle("delete a message", l.delete(m, receipt))
	case count >= int64(l.options.maxDequeueCount):
		l.toPoison(m, receipt, fmt.Sprintf("Message has reached MaxDequeueCount of %d", l.options.maxDequeueCount))
	case l.poison != nil:
		_, err := l.queue.UpdateMessage(l.host.running, value(m.MessageID), receipt, text,
			&azqueue.UpdateMessageOptions{VisibilityTimeout: to.Ptr(seconds(l.options.visibilityTimeout))})
		l.settle("release a message", err)
	}
	// Without a poison queue, the host neither releases nor deletes a failed message.
}

// invoke runs the function while the message's lock is renewed. It returns the
// receipt that is valid afterwards. A message that can't be bound has failed.
func (l *queueListener) invoke(m *azqueue.DequeuedMessage, body []byte, receipt string) (outcome, string) {
	f, id := l.function, newGUID()
	c := call{function: f, id: id, dequeueCount: value(m.DequeueCount),
		reason: fmt.Sprintf("New queue message detected on '%s'.", l.name)}
	payload, err := queueEnvelope(f, queueMessage{
		body: body, id: value(m.MessageID), popReceipt: receipt, dequeueCount: c.dequeueCount,
		inserted: value(m.InsertionTime), expires: value(m.ExpirationTime), appear: value(m.TimeNextVisible),
	}, time.Now())
	if err == nil {
		c.request, err = l.host.envelopeRequest(f, id, payload)
	}
	if err != nil {
		o := outcome{err: err}
		l.host.report(c, o, 0)
		return o, receipt
	}
	lock := l.keepLock(m, receipt)
	o := l.host.execute(c)
	return o, lock.release()
}

// heldLock is the lock of a message. It is renewed in the background.
type heldLock struct {
	stop    context.CancelFunc
	stopped sync.WaitGroup
	receipt string
}

// keepLock renews the message's lock at half of its time, until release, or until
// the first failure (UpdateQueueMessageVisibilityCommand.cs).
func (l *queueListener) keepLock(m *azqueue.DequeuedMessage, receipt string) *heldLock {
	ctx, stop := context.WithCancel(l.host.running)
	held := &heldLock{stop: stop, receipt: receipt}
	held.stopped.Go(func() {
		for sleep(ctx, l.lock/2) {
			// Not ctx: the new receipt of a renewal that is cut short would be unknown.
			updated, err := l.queue.UpdateMessage(l.host.running, value(m.MessageID), held.receipt, value(m.MessageText),
				&azqueue.UpdateMessageOptions{VisibilityTimeout: to.Ptr(seconds(l.lock))})
			if err != nil {
				l.settle("renew a message's lock", err)
				return
			}
			held.receipt = value(updated.PopReceipt)
		}
	})
	return held
}

func (held *heldLock) release() string {
	held.stop()
	held.stopped.Wait()
	return held.receipt
}

// toPoison copies the message unchanged to <queue>-poison and deletes it. If it
// can't be copied, the host ends (QueueProcessor.HandlePoisonMessageAsync). Without
// a poison queue it does nothing, and the message appears again when its lock
// ends.
func (l *queueListener) toPoison(m *azqueue.DequeuedMessage, receipt, why string) {
	if l.poison == nil {
		l.host.log.warnf("Message %s of queue '%s' stays there, for the queue has no poison queue: %s", value(m.MessageID), l.name, why)
		return
	}
	l.host.log.warnf("%s. Moving message %s to queue '%s-poison'.", why, value(m.MessageID), l.name)
	ctx := l.host.running
	_, err := l.poison.EnqueueMessage(ctx, value(m.MessageText), nil)
	if queueerror.HasCode(err, queueerror.QueueNotFound) {
		if _, err = l.poison.Create(ctx, nil); err == nil {
			_, err = l.poison.EnqueueMessage(ctx, value(m.MessageText), nil)
		}
	}
	if err != nil {
		l.unhandled(storage.Explain("copy a message to the poison queue", err))
		return
	}
	l.settle("delete a message that is in the poison queue", l.delete(m, receipt))
}

func (l *queueListener) delete(m *azqueue.DequeuedMessage, receipt string) error {
	_, err := l.queue.DeleteMessage(l.host.running, value(m.MessageID), receipt, nil)
	return err
}

// settle ends the host for an error of a request about a received message, unless
// the message is another's by now or is gone, or its queue is
// (QueueProcessor.cs, UpdateQueueMessageVisibilityCommand.cs).
func (l *queueListener) settle(op string, err error) {
	switch {
	case err == nil:
	case queueerror.HasCode(err, queueerror.PopReceiptMismatch, queueerror.MessageNotFound, queueerror.QueueNotFound, queueerror.QueueBeingDeleted):
		l.host.log.warnf("Queue '%s': %v", l.name, storage.Explain(op, err))
	default:
		l.unhandled(storage.Explain(op, err))
	}
}

// unhandled ends the host.
func (l *queueListener) unhandled(err error) {
	l.host.unhandled(fmt.Errorf("queue '%s' of 'Functions.%s': %w", l.name, l.function.name, err))
}

// decodeBase64 decodes as Convert.FromBase64String of .NET: white space is
// ignored, and padding is required.
func decodeBase64(text string) ([]byte, error) {
	return base64.StdEncoding.Strict().DecodeString(strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return r == ' ' || r == '\t' || r == '\r' || r == '\n'
	}), ""))
}

// value returns what p points to, or the zero value.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
