package funchost

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2/queueerror"

	"visionkeeper/internal/storage"
)

// messageLock is how long a received message is hidden. It is renewed at half of
// that time while the function runs (QueueListener.cs).
const messageLock = 10 * time.Minute

var queueName = regexp.MustCompile(`^[a-z0-9](-?[a-z0-9])*$`)

// queueListener runs one function for the messages of its queue.
type queueListener struct {
	host     *Host
	function *function
	options  queueOptions
	lock     time.Duration

	name   string
	queue  *azqueue.QueueClient
	poison *azqueue.QueueClient // nil if the queue has none

	exists bool // whether the queue was there at the last look

	busy atomic.Int64
	done chan struct{} // receives when a message is finished
}

// newQueueListener resolves the queue's name and connection. It sends no request.
func (h *Host) newQueueListener(f *function) (*queueListener, error) {
	name, err := h.settings.resolve(f.trigger.QueueName)
	if err != nil {
		return nil, err
	}
	name = strings.ToLower(name)
	if !validQueueName(name) {
		return nil, fmt.Errorf("'%s' is not a queue name: 3 to 63 lower-case letters, digits and single hyphens", name)
	}
	connection, err := h.settings.resolve(f.trigger.Connection)
	if err != nil {
		return nil, err
	}
	if connection == "" {
		connection = "Storage"
	}
	account, err := storage.FromSettings(connection, &h.settings.values)
	if err != nil {
		return nil, err
	}
	if account.IsZero() {
		return nil, fmt.Errorf("storage account connection string '%s' does not exist: make sure that it is a defined App Setting", connection)
	}
	service, err := account.Queue(&azcore.ClientOptions{
		Telemetry: policy.TelemetryOptions{ApplicationID: "funchost"},
		Retry:     policy.RetryOptions{RetryDelay: h.timing.retry},
	})
	if err != nil {
		return nil, err
	}
	l := &queueListener{
		host: h, function: f, options: h.queues, lock: h.messageLock,
		name: name, queue: service.NewQueueClient(name), done: make(chan struct{}, 1),
	}
	if poison := name + "-poison"; !strings.HasSuffix(name, "-poison") && len(poison) <= 63 {
		l.poison = service.NewQueueClient(poison)
	}
	return l, nil
}

func validQueueName(name string) bool {
	return len(name) >= 3 && len(name) <= 63 && queueName.MatchString(name)
}

// run polls until ctx ends, or until an error ends the host. Messages received by
// then are still handled, so the requests use the host's own context.
func (l *queueListener) run(ctx context.Context) {
	pause := newBackoff(l.options.maxPollingInterval)
	foundSincePause, trouble := false, ""
	for ctx.Err() == nil {
		if !l.room(ctx) || !l.host.begin() {
			return
		}
		found, err := l.fetch()
		l.host.end()
		switch {
		case err == nil:
			trouble = ""
		case !passes(err):
			l.unhandled(err)
			return
		case err.Error() != trouble:
			trouble = err.Error()
			l.host.log.warnf("Queue '%s' of 'Functions.%s': %v", l.name, l.function.name, err)
		}
		if found {
			foundSincePause = true
			continue
		}
		if !sleep(ctx, pause.next(foundSincePause)) {
			return
		}
		foundSincePause = false
	}
}

// passes reports whether the listener polls on after an error of its look at the
// queue or of a receive (QueueListener.ExecuteAsync). Any other error ends the host.
func passes(err error) bool {
	return queueerror.HasCode(err, queueerror.QueueNotFound, queueerror.QueueBeingDeleted) || storage.Status(err) >= http.StatusInternalServerError
}

// room waits until at most newBatchThreshold messages are being handled. It
// reports whether that happened before ctx ended.
func (l *queueListener) room(ctx context.Context) bool {
	for l.busy.Load() > int64(l.options.newBatchThreshold) {
		select {
		case <-l.done:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// fetch receives a batch and starts handling its messages. Before the first batch,
// and after every error, it looks whether the queue exists. A queue that doesn't is
// an error that passes.
func (l *queueListener) fetch() (found bool, err error) {
	ctx := l.host.running
	if !l.exists {
		if _, err := l.queue.GetProperties(ctx, nil); err != nil {
			return false, storage.Explain("look at the queue", err)
		}
		l.exists = true
	}
	batch, err := l.queue.DequeueMessages(ctx, &azqueue.DequeueMessagesOptions{
		NumberOfMessages:  to.Ptr(int32(l.options.batchSize)),
		VisibilityTimeout: to.Ptr(seconds(l.lock)),
	})
	if err != nil {
		l.exists = false
		return false, storage.Explain("receive messages", err)
	}
	for _, m := range batch.Messages {
		l.busy.Add(1)
		l.host.mustBegin()
		go func() {
			defer l.host.end()
			l.handle(m)
			l.busy.Add(-1)
			select {
			case l.done <- struct{}{}:
			default:
			}
		}()
	}
	return len(batch.Messages) > 0, nil
}

// seconds returns a duration in whole seconds, rounded down, as the service takes
// it.
func seconds(d time.Duration) int32 { return int32(d / time.Second) }
