package funchost

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite"
	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/internal/storage"
)

// withQueue gives the app an Azurite, as its connections and AzureWebJobsStorage,
// and the client of a queue that does not exist yet.
func withQueue(t *testing.T, a *app, name string) *azqueue.QueueClient {
	t.Helper()
	connection := azuritetest.Start(t).ConnectionString(azurite.Customer)
	a.env("AzureWebJobsStorage="+connection, "Messages="+connection)
	account, err := storage.ParseConnectionString(connection)
	require.NoError(t, err)
	service, err := account.Queue(nil)
	require.NoError(t, err)
	a.set("extensions:queues:maxPollingInterval", "00:00:00.1")
	return service.NewQueueClient(name)
}

func createQueue(t *testing.T, q *azqueue.QueueClient) {
	t.Helper()
	_, err := q.Create(context.Background(), nil)
	require.NoError(t, err)
}

func send(t *testing.T, q *azqueue.QueueClient, text string) {
	t.Helper()
	_, err := q.EnqueueMessage(context.Background(), text, nil)
	require.NoError(t, err)
}

// length counts a queue's messages, hidden ones among them; -1 says there is none.
func length(t *testing.T, q *azqueue.QueueClient) int {
	t.Helper()
	properties, err := q.GetProperties(context.Background(), nil)
	if storage.Status(err) == http.StatusNotFound {
		return -1
	}
	require.NoError(t, err)
	return int(*properties.ApproximateMessagesCount)
}

// visible is the text of the first message that can be received, "" if there is none.
func visible(t *testing.T, q *azqueue.QueueClient) string {
	t.Helper()
	got, err := q.PeekMessages(context.Background(), &azqueue.PeekMessagesOptions{NumberOfMessages: to.Ptr(int32(1))})
	if err != nil || len(got.Messages) == 0 {
		return ""
	}
	return *got.Messages[0].MessageText
}

func TestQueueMessageRunsTheFunctionAndIsDeleted(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	name := azuritetest.Name("ok")
	q := withQueue(t, a, name)
	createQueue(t, q)
	send(t, q, base64.StdEncoding.EncodeToString([]byte(`{"a":1}`)))
	a.queue("okQueue", name, `,"dataType":"binary","connection":"Messages"`)
	a.start()

	i := a.invocation()

	require.NoError(t, i.Err)
	assert.Equal(t, "okQueue", i.Function)
	assert.EqualValues(t, 1, i.DequeueCount)
	assert.Equal(t, http.StatusOK, i.Status)
	eventually(t, func() bool { return length(t, q) == 0 }, "the message is still there")
	request := a.seen()[0]
	assert.Equal(t, "/okQueue", request.Path)
	assert.Equal(t, i.ID, request.Header.Get("X-Azure-Functions-InvocationId"))
	var body struct{ Data map[string]string }
	require.NoError(t, json.Unmarshal([]byte(request.Body), &body))
	assert.Equal(t, "eyJhIjoxfQ==", body.Data["msg"])
}

func TestQueueThatComesLaterIsPolled(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	name := azuritetest.Name("later")
	q := withQueue(t, a, name)
	a.queue("okQueue", name, "")
	a.start()
	a.logged("look at the queue: storage answered 404 QueueNotFound")

	createQueue(t, q)
	send(t, q, "eA==")

	require.NoError(t, a.invocation().Err)
}

func TestNextBatchWaitsForTheThreshold(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	name := azuritetest.Name("many")
	q := withQueue(t, a, name)
	createQueue(t, q)
	const messages = 9
	for range messages {
		send(t, q, "eA==")
	}
	a.set("extensions:queues:batchSize", 3)
	a.set("extensions:queues:newBatchThreshold", 2)
	a.queue("holdQueue", name, "")
	otherName := azuritetest.Name("other")
	other := withQueue(t, a, otherName)
	createQueue(t, other)
	a.queue("otherQueue", otherName, "")
	a.start()

	// Nothing ends, so after the first batch of 3 the threshold of 2 stops the next,
	// for longer than the messages of another queue take one after the other.
	eventually(t, func() bool { return a.runs("holdQueue") == 3 }, "the first batch did not arrive")
	for range 3 {
		send(t, other, "eA==")
		require.NoError(t, a.invocation().Err)
	}
	assert.Equal(t, 3, a.runs("holdQueue"))
	got, err := q.PeekMessages(context.Background(), &azqueue.PeekMessagesOptions{NumberOfMessages: to.Ptr(int32(32))})
	require.NoError(t, err)
	assert.Len(t, got.Messages, messages-3)
	a.release()
	for range messages {
		require.NoError(t, a.invocation().Err)
	}
}

func TestQueueNamesAreResolvedLoweredAndChecked(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	name := azuritetest.Name("named")
	q := withQueue(t, a, name)
	createQueue(t, q)
	send(t, q, "eA==")
	a.env("WORK_QUEUE=" + strings.ToUpper(name))
	a.queue("okQueue", "%work_queue%", `,"connection":"%WHERE%"`)
	a.env("WHERE=Messages")
	a.queue("missing", "%NO_SUCH%", "")
	a.queue("short", "ab", "")
	a.queue("nowhere", "some-queue", `,"connection":"NoSuchConnection"`)
	a.start()

	require.NoError(t, a.invocation().Err)
	a.logged("'Functions.missing' was unable to start: '%NO_SUCH%' does not resolve to a value")
	a.logged("'Functions.short' was unable to start: 'ab' is not a queue name")
	a.logged("'Functions.nowhere' was unable to start: storage account connection string 'NoSuchConnection' does not exist")
}

func TestRefusalIsOneLineWithoutSecrets(t *testing.T) {
	t.Parallel()
	storageService := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("x-ms-error-code", "AuthenticationFailed")
		w.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(storageService.Close)
	a := newApp(t)
	const key = "c2VjcmV0LWtleS1vZi10aGlzLXRlc3Q="
	a.env("Messages=AccountName=someone;AccountKey=" + key + ";QueueEndpoint=" + storageService.URL)
	a.set("extensions:queues:maxPollingInterval", "00:00:00.1")
	a.queue("okQueue", "some-queue", `,"connection":"Messages"`)

	assert.ErrorContains(t, a.start().Wait(), "look at the queue: storage answered 403 AuthenticationFailed")
	assert.Equal(t, 1, strings.Count(a.output.String(), "storage answered 403"), "the same trouble is said once")
	assert.NotContains(t, a.output.String(), key)
}
