package connect

import (
	"context"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
	"visionkeeper/internal/storage"
)

// Seen is where the test message was seen.
type Seen string

const (
	NotSeen     Seen = ""
	SeenInQueue Seen = "queue"
	SeenInState Seen = "state" // the running app had already taken it
)

// TestBlob is what became of the blob by which Custom Vision tests the container. It is
// there for a short time only.
type TestBlob string

const (
	BlobNotSeen TestBlob = "not-seen"
	BlobSeen    TestBlob = "seen"
	// BlobGone: the test was made, since its message came, but the blob had gone already
	// when it was looked for, or was never written.
	BlobGone TestBlob = "gone"
)

// testFolder is where Custom Vision writes that blob:
// https://learn.microsoft.com/azure/ai-services/custom-vision-service/storage-integration
const testFolder = "CustomVision-TestPermission"

const (
	lookEvery  = time.Second
	peekAtMost = 32 // the most that one request shows
)

// test looks for Custom Vision's test message and its test blob: it peeks, which takes nothing from
// the app, and reads the state, where the running app notes the message when it
// was faster. Messages from before don't count.
type test struct {
	name     string // of the queue
	queue    *azqueue.QueueClient
	state    *state.Store
	deadline time.Time
	progress Progress
	earlier  map[string]bool // ids of the messages that were there before
	noted    *time.Time      // when the app had last noted one before

	container *container.Client
	blobs     map[string]bool // names of the test blobs that were there before
	blob      bool            // another one was seen
}

func newTest(ctx context.Context, o Options) (test, error) {
	queues, err := o.Settings.Models.Queue(nil)
	if err != nil {
		return test{}, err
	}
	t := test{
		name: o.Settings.Queue, queue: queues.NewQueueClient(o.Settings.Queue), state: o.State,
		deadline: time.Now().Add(o.Patience), progress: o.Progress, earlier: map[string]bool{},
	}
	messages, err := t.peek(ctx)
	if err != nil {
		return t, err
	}
	for _, m := range messages {
		t.earlier[*m.MessageID] = true
	}
	models, err := o.Settings.Models.Blob(nil)
	if err != nil {
		return t, err
	}
	t.container = models.NewContainerClient(o.Settings.ModelContainer)
	t.blobs, err = t.testBlobs(ctx)
	return t, err
}

// testBlobs are the names of the test blobs in the model container.
func (t *test) testBlobs(ctx context.Context) (map[string]bool, error) {
	prefix, found := testFolder, map[string]bool{}
	page, err := t.container.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Prefix: &prefix}).NextPage(ctx)
	if err != nil {
		return nil, storage.Explain("look for the test blob in the model container", err)
	}
	for _, b := range page.Segment.BlobItems {
		found[*b.Name] = true
	}
	return found, nil
}

// noteEarlier notes what the state already has of a project that is there.
func (t *test) noteEarlier(ctx context.Context, project string) {
	if record, err := t.state.Load(ctx, project); err == nil { // without the state, the queue has to do
		t.noted = record.ConnectionTest
	}
}

func (t *test) peek(ctx context.Context) ([]*azqueue.PeekedMessage, error) {
	got, err := t.queue.PeekMessages(ctx, &azqueue.PeekMessagesOptions{NumberOfMessages: new(int32(peekAtMost))})
	if err != nil {
		return nil, storage.Explain(fmt.Sprintf("peek at the queue %q", t.name), err)
	}
	return got.Messages, nil
}

// AwaitTest waits for the test message, within what is left of the patience, and says
// where it was seen, and whether the test blob was. No message is no error.
func (c Connection) AwaitTest(ctx context.Context) (Seen, TestBlob, error) {
	for {
		seen, err := c.test.look(ctx, c.Project.ID)
		switch {
		case err != nil:
			return seen, BlobNotSeen, err
		case seen != NotSeen && c.test.blob:
			return seen, BlobSeen, nil
		case seen != NotSeen:
			return seen, BlobGone, nil
		}
		left := time.Until(c.test.deadline)
		switch {
		case left <= 0 && c.test.blob:
			return NotSeen, BlobSeen, nil
		case left <= 0:
			return NotSeen, BlobNotSeen, nil
		}
		c.test.progress.Waiting(left)
		select {
		case <-ctx.Done():
			return NotSeen, BlobNotSeen, ctx.Err()
		case <-time.After(min(lookEvery, left)):
		}
	}
}

func (t *test) look(ctx context.Context, project string) (Seen, error) {
	blobs, err := t.testBlobs(ctx)
	if err != nil {
		return NotSeen, err
	}
	for name := range blobs {
		t.blob = t.blob || !t.blobs[name]
	}
	messages, err := t.peek(ctx)
	if err != nil {
		return NotSeen, err
	}
	for _, m := range messages {
		n, err := customvision.ParseNotification([]byte(*m.MessageText))
		if err == nil && n.Kind == customvision.KindConnectionTest && n.ProjectID == project && !t.earlier[*m.MessageID] {
			return SeenInQueue, nil
		}
	}
	record, err := t.state.Load(ctx, project)
	if err == nil && record.ConnectionTest != nil && (t.noted == nil || record.ConnectionTest.After(*t.noted)) {
		return SeenInState, nil
	}
	return NotSeen, ctx.Err()
}
