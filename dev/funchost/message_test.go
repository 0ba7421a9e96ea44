package funchost

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite/azuritetest"
)

func TestFailedMessageIsTriedMaxDequeueCountTimesThenPoison(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	name := azuritetest.Name("fail")
	q := withQueue(t, a, name)
	createQueue(t, q)
	raw := base64.StdEncoding.EncodeToString([]byte("x"))
	send(t, q, raw)
	a.set("extensions:queues:maxDequeueCount", 3)
	a.queue("failQueue", name, "")
	a.start()

	for want := int64(1); want <= 3; want++ {
		i := a.invocation()
		assert.Equal(t, want, i.DequeueCount)
		assert.ErrorContains(t, i.Err, "500 (Internal Server Error)")
	}
	poison := poisonOf(t, a, name)
	eventually(t, func() bool { return visible(t, poison) == raw }, "no poison message")
	eventually(t, func() bool { return length(t, q) == 0 }, "the message is still in its queue")
}

func poisonOf(t *testing.T, a *app, name string) *azqueue.QueueClient {
	t.Helper()
	return withQueue(t, a, name+"-poison")
}

func TestFailedMessageComesBackAfterVisibilityTimeout(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	name := azuritetest.Name("later")
	q := withQueue(t, a, name)
	createQueue(t, q)
	send(t, q, "eA==")
	a.set("extensions:queues:visibilityTimeout", "00:00:02")
	a.queue("failQueue", name, "")
	ended := make(chan time.Time, 100)
	a.options.OnInvocation = func(Invocation) { ended <- time.Now() } // before the message is released
	a.start()

	first := <-ended
	// The service counts whole seconds.
	assert.Greater(t, (<-ended).Sub(first), 900*time.Millisecond)
}

func TestUndecodableMessageGoesToPoisonUnseen(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	name := azuritetest.Name("raw")
	q := withQueue(t, a, name)
	createQueue(t, q)
	send(t, q, `{"a":1}`)
	a.queue("okQueue", name, "")
	a.start()

	poison := poisonOf(t, a, name)
	eventually(t, func() bool { return visible(t, poison) == `{"a":1}` }, "no poison message")
	a.logged("Message decoding has failed! Check MessageEncoding settings.")
	assert.Empty(t, a.seen())
}

func TestMessageEncodingNoneTakesTheTextAsItIs(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	name := azuritetest.Name("none")
	q := withQueue(t, a, name)
	createQueue(t, q)
	send(t, q, "aGVsbG8=")
	a.set("extensions:queues:messageEncoding", "none")
	a.queue("okQueue", name, "")
	a.start()

	a.invocation()

	assert.Contains(t, a.seen()[0].Body, `{"Data":{"msg":"\"aGVsbG8=\""}`)
}

func TestMessageBeyondMaxDequeueCountIsNotRun(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	name := azuritetest.Name("worn")
	q := withQueue(t, a, name)
	createQueue(t, q)
	send(t, q, "eA==")
	for range 2 {
		_, err := q.DequeueMessage(context.Background(), &azqueue.DequeueMessageOptions{VisibilityTimeout: to.Ptr(int32(1))})
		require.NoError(t, err)
		eventually(t, func() bool { return visible(t, q) != "" }, "the message does not come back")
	}
	a.set("extensions:queues:maxDequeueCount", 2)
	a.queue("okQueue", name, "")
	a.start()

	poison := poisonOf(t, a, name)
	eventually(t, func() bool { return visible(t, poison) == "eA==" }, "no poison message")
	assert.Empty(t, a.seen())
}

func TestTextThatIsNotUTF8IsABindingErrorAndPoison(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	name := azuritetest.Name("bytes")
	q := withQueue(t, a, name)
	createQueue(t, q)
	raw := base64.StdEncoding.EncodeToString([]byte{0xff, 0xfe})
	send(t, q, raw)
	a.set("extensions:queues:maxDequeueCount", 2)
	a.queue("okQueue", name, "")
	a.start()

	for range 2 {
		assert.ErrorContains(t, a.invocation().Err, "not UTF-8")
	}
	poison := poisonOf(t, a, name)
	eventually(t, func() bool { return visible(t, poison) == raw }, "no poison message")
	assert.Empty(t, a.seen())
}

func TestLockIsRenewedWhileTheFunctionRuns(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.options.MessageLock = 8 * time.Second // no machine is so busy that a renewal is half of it late
	name := azuritetest.Name("lock")
	q := withQueue(t, a, name)
	createQueue(t, q)
	send(t, q, "eA==")
	a.queue("holdQueue", name, "")
	front := withFront(t, a)
	a.start()
	eventually(t, func() bool { return len(a.seen()) == 1 }, "the message did not arrive")

	// Each at half-time, so one and a half times the lock; without renewal the
	// message would come again.
	eventually(t, func() bool { return len(front.updates()) >= 3 }, "the lock is not renewed")
	assert.Empty(t, visible(t, q), "the lock ran out")
	a.release()

	require.NoError(t, a.invocation().Err)
	eventually(t, func() bool { return length(t, q) == 0 }, "the renewed message was not deleted")
	assert.Len(t, a.seen(), 1)
}

func TestFailedMessageOfAPoisonQueueWaitsForItsLock(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.options.MessageLock = 2 * time.Second
	name := azuritetest.Name("own") + "-poison"
	q := withQueue(t, a, name)
	createQueue(t, q)
	send(t, q, "eA==")
	a.set("extensions:queues:maxDequeueCount", 2)
	a.queue("failQueue", name, "")
	front := withFront(t, a)
	a.start()

	a.invocation()
	a.invocation()
	assert.NotContains(t, front.updates(), "0", "it was released")
	a.logged("stays there")

	eventually(t, func() bool { return strings.Count(a.output.String(), "stays there") >= 2 }, "it was not received again")
	assert.Len(t, a.seen(), 2, "beyond maxDequeueCount it never runs again")
	assert.Equal(t, 1, length(t, q))
}

func TestMessageThatVanishesWhileItRunsDoesNoHarm(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.options.MessageLock = 2 * time.Second
	name := azuritetest.Name("gone")
	q := withQueue(t, a, name)
	createQueue(t, q)
	send(t, q, "eA==")
	a.queue("holdQueue", name, "")
	a.start()
	eventually(t, func() bool { return len(a.seen()) >= 1 }, "the message did not arrive")

	_, err := q.ClearMessages(context.Background(), nil)
	require.NoError(t, err)
	a.logged("renew a message's lock: storage answered 404 MessageNotFound")
	a.release()

	require.NoError(t, a.invocation().Err)
	a.logged("delete a message: storage answered 404 MessageNotFound")
	send(t, q, "eA==")
	require.NoError(t, a.invocation().Err)
}

func TestLastFailureIsPoisonAtOnce(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	name := azuritetest.Name("last")
	q := withQueue(t, a, name)
	createQueue(t, q)
	send(t, q, "eA==")
	a.set("extensions:queues:maxDequeueCount", 1)
	a.set("extensions:queues:visibilityTimeout", "01:00:00")
	a.queue("failQueue", name, "")
	a.start()

	poison := poisonOf(t, a, name)
	eventually(t, func() bool { return visible(t, poison) == "eA==" }, "no poison message")
}

func TestMessageLeftByAStoppedHostStaysHidden(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	name := azuritetest.Name("left")
	q := withQueue(t, a, name)
	createQueue(t, q)
	send(t, q, "eA==")
	a.queue("holdQueue", name, "")
	h := a.start()
	eventually(t, func() bool { return len(a.seen()) == 1 }, "the message did not arrive")

	require.NoError(t, h.Close())

	assert.Equal(t, 1, length(t, q))
	assert.Empty(t, visible(t, q))
	assert.Empty(t, a.finished)
}
