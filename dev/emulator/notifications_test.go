package emulator

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// notified is a project whose queue is empty, on an emulator with storage.
func notified(t *testing.T, change ...func(*Options)) (*cloud, *fixture, string) {
	t.Helper()
	c := newCloud(t)
	s := start(t, append(change, c.connected, noValidation)...)
	project := s.project("notificationQueueUri", c.queueURL)
	require.Len(t, c.receive(), 1, "the connection test")
	return c, s, project
}

// types of the messages received, in their order.
func (c *cloud) types() []string {
	c.t.Helper()
	var all []string
	for _, text := range c.receive() {
		_, rest, _ := strings.Cut(decoded(c.t, text), `"type":"`)
		name, _, _ := strings.Cut(rest, `"`)
		all = append(all, name)
	}
	return all
}

func TestRawMessages(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	s := start(t, c.connected, noValidation, answering(MessageEncoding, "raw"))
	project := s.project("notificationQueueUri", c.queueURL)
	s.exported(s.trained(project), "ONNX", "")
	messages := c.receive() // decoded from the XML that they came in
	require.Len(t, messages, 3)
	for _, m := range messages {
		assert.True(t, strings.HasPrefix(m, `{"version":"1.0","type":"`), m)
	}
	assert.Contains(t, messages[2], "&sig=", "the link's & survives")
}

func TestFailedTrainingIsTold(t *testing.T) {
	t.Parallel()
	c, s, project := notified(t)
	s.FailTrainings(1)
	s.trained(project)
	messages := c.receive()
	require.Len(t, messages, 1)
	assert.Contains(t, decoded(t, messages[0]), `"trainingStatus":"TrainingFailed"}}`)
}

func TestMessageMayComeBeforeTheState(t *testing.T) {
	t.Parallel()
	c, s, project := notified(t, answering(MessageTiming, "before-state"))
	iteration := s.trained(project)
	assert.Equal(t, []string{"Training"}, c.types())
	assert.Equal(t, "Training", s.call("GET", iteration, nil, nil).ok()["status"])
	s.Advance(messageLead)
	assert.Equal(t, "Completed", s.call("GET", iteration, nil, nil).ok()["status"])
	assert.Empty(t, c.types())

	assert.Equal(t, "Exporting", s.exported(iteration, "ONNX", "")["status"])
	assert.Equal(t, []string{"Export"}, c.types())
	s.Advance(messageLead)
	e := s.call("GET", iteration+"/export", nil, nil).list()[0]
	assert.Equal(t, "Done", e["status"])
	unpack(t, download(t, e["downloadUri"].(string)))
	assert.Empty(t, c.types())
}

func TestMessageFaults(t *testing.T) {
	t.Parallel()
	c, s, project := notified(t)
	train := func() { s.trained(project) }

	s.post("fault-notifications?do=drop&count=2")
	train()
	train()
	assert.Empty(t, c.types())

	s.post("fault-notifications?do=double")
	train()
	assert.Equal(t, []string{"Training", "Training"}, c.types())

	s.post("fault-notifications?do=delay&delay=1h")
	train()
	assert.Empty(t, c.types())
	s.Advance(time.Hour)
	assert.Equal(t, []string{"Training"}, c.types())

	s.post("fault-notifications?do=unknown-type")
	s.post("fault-notifications?do=unknown-version")
	train()
	train()
	messages := c.receive()
	require.Len(t, messages, 2)
	assert.Contains(t, decoded(t, messages[0]), `"type":"Publish"`)
	assert.Contains(t, decoded(t, messages[1]), `"version":"2.0"`)

	s.post("fault-notifications?do=garble")
	train()
	messages = c.receive()
	require.Len(t, messages, 1)
	assert.NotContains(t, decoded(t, messages[0]), "}")

	s.post("fault-notifications?do=unreachable")
	train()
	assert.Empty(t, c.types())
	last := s.Messages()[len(s.Messages())-1]
	assert.Equal(t, Unreachable, last.Fault)
	assert.False(t, last.Sent)
	assert.NotEmpty(t, last.Error)

	train()
	assert.Equal(t, []string{"Training"}, c.types(), "all is well again")
	for _, i := range s.call("GET", project+"/iterations", nil, nil).list() {
		assert.Equal(t, "Completed", i["status"], "the state goes on in any case")
	}
}

func TestMissingModelURI(t *testing.T) {
	t.Parallel()
	c, s, project := notified(t)
	iteration := s.trained(project)
	c.receive()
	s.post("fault-notifications?do=no-model-uri")
	s.exported(iteration, "ONNX", "")
	messages := c.receive()
	require.Len(t, messages, 1)
	assert.True(t, strings.HasSuffix(decoded(t, messages[0]), `"exportStatus":"ExportCompleted"}}`))
}

func TestReorderedMessages(t *testing.T) {
	t.Parallel()
	c, s, project := notified(t)
	s.post("fault-notifications?do=reorder&count=3")
	iteration := s.trained(project)
	s.exported(iteration, "ONNX", "")
	assert.Empty(t, c.types(), "held until all three are there")
	s.exported(iteration, "CoreML", "")
	messages := c.receive()
	require.Len(t, messages, 3)
	assert.Contains(t, decoded(t, messages[0]), ".CoreML.zip")
	assert.Contains(t, decoded(t, messages[1]), ".ONNX.zip")
	assert.Contains(t, decoded(t, messages[2]), `"type":"Training"`)
}

func TestUnreachableQueueFailsTheConnectionTest(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	s := start(t, c.connected)
	require.NoError(t, s.FaultNotifications(1, Unreachable, 0))
	s.call("POST", "projects", q("name", "a", "notificationQueueUri", c.queueURL), nil).refused(400, "BadRequestInvalidUri")
}

func TestStateAdvancesWithoutItsQueue(t *testing.T) {
	t.Parallel()
	c, s, project := notified(t)
	queues, err := c.account.Queue(nil)
	require.NoError(t, err)
	_, err = queues.DeleteQueue(t.Context(), c.queue, nil)
	require.NoError(t, err)
	assert.Equal(t, "Completed", s.call("GET", s.trained(project), nil, nil).ok()["status"])
	assert.Contains(t, s.Messages()[1].Error, "404 QueueNotFound")
}

func TestUnknownNotificationFaultIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, path := range []string{"fault-notifications?do=explode", "fault-notifications?do=delay", "fault-notifications?do=drop&count=-1", "fault-notifications"} {
		response, err := http.Post(s.url+controlPrefix+path, "", nil)
		require.NoError(t, err)
		response.Body.Close()
		assert.Equal(t, 400, response.StatusCode, path)
	}
}
