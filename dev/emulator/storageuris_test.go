package emulator

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// uris are the storage URIs of a project as it is read back.
func (s *fixture) uris(project string) (container, queue any) {
	s.t.Helper()
	settings := s.call("GET", project, nil, nil).ok()["settings"].(map[string]any)
	return settings["exportModelContainerUri"], settings["notificationQueueUri"]
}

func TestStorageURIsByQueryBodyAndPatch(t *testing.T) {
	t.Parallel()
	const container, queue = "https://a.blob.core.windows.net/c", "https://a.queue.core.windows.net/q"
	pair := map[string]any{"exportModelContainerUri": container, "notificationQueueUri": queue}
	for _, version := range []string{v33, v34} {
		s := start(t)
		s.version = version
		byQuery := s.project("exportModelContainerUri", container, "notificationQueueUri", queue)
		byBody := "projects/" + s.call("POST", "projects", q("name", "b"), pair).ok()["id"].(string)
		byPatch := s.project()
		gotContainer, gotQueue := s.uris(byPatch)
		assert.Nil(t, gotContainer)
		assert.Nil(t, gotQueue)
		s.call("PATCH", byPatch, nil, map[string]any{"settings": pair}).ok()
		for _, project := range []string{byQuery, byBody, byPatch} {
			gotContainer, gotQueue = s.uris(project)
			assert.Equal(t, container, gotContainer)
			assert.Equal(t, queue, gotQueue)
		}
	}
}

func TestStorageURIsMayBeDropped(t *testing.T) {
	t.Parallel()
	const queue = "https://a.queue.core.windows.net/q"
	s := start(t, noValidation, answering(StorageURIs, "dropped"))
	project := s.project("notificationQueueUri", queue)
	s.call("PATCH", project, nil, map[string]any{"settings": map[string]any{"notificationQueueUri": queue}}).ok()
	_, got := s.uris(project)
	assert.Nil(t, got)
	s.trained(project)
	assert.Empty(t, s.Messages())
}

func TestStorageURIsMayBeOfThePreviewOnly(t *testing.T) {
	t.Parallel()
	const queue = "https://a.queue.core.windows.net/q"
	s := start(t, answering(StorageURIs, "preview-only"))
	_, got := s.uris(s.project("notificationQueueUri", queue))
	assert.Nil(t, got)
	s.version = v34
	project := s.project("notificationQueueUri", queue)
	_, got = s.uris(project)
	assert.Equal(t, queue, got)
	s.version = v33
	_, got = s.uris(project)
	assert.Nil(t, got)
}

func TestPatchOfStorageURIs(t *testing.T) {
	t.Parallel()
	const container, queue = "https://a.blob.core.windows.net/c", "https://a.queue.core.windows.net/q"
	other := map[string]any{"classificationType": "Multiclass"}
	null := map[string]any{"notificationQueueUri": nil, "exportModelContainerUri": ""}
	for _, c := range []struct {
		question Question
		answer   string
		settings map[string]any
		kept     bool
	}{
		{PatchWithoutURIs, "kept", other, true},
		{PatchWithoutURIs, "cleared", other, false},
		{PatchEmptyURIs, "cleared", null, false},
		{PatchEmptyURIs, "kept", null, true},
		{PatchURIs, "ignored", null, true},
	} {
		s := start(t, answering(c.question, c.answer))
		project := s.project("exportModelContainerUri", container, "notificationQueueUri", queue)
		s.call("PATCH", project, nil, map[string]any{"settings": c.settings}).ok()
		gotContainer, gotQueue := s.uris(project)
		assert.Equal(t, c.kept, gotContainer == container, "%s %s", c.question, c.answer)
		assert.Equal(t, c.kept, gotQueue == queue, "%s %s", c.question, c.answer)
	}
}

func TestPatchWithoutSettingsKeepsStorageURIs(t *testing.T) {
	t.Parallel()
	s := start(t, answering(PatchWithoutURIs, "cleared"))
	project := s.project("notificationQueueUri", "https://a.queue.core.windows.net/q")
	s.call("PATCH", project, nil, map[string]any{"name": "new"}).ok()
	_, got := s.uris(project)
	assert.NotNil(t, got)
}

func TestConnectionTestRefusesWhatItCantReach(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	s := start(t, c.connected)
	for _, pair := range [][]string{
		{"notificationQueueUri", c.queueURL + "x"},
		{"notificationQueueUri", "https://elsewhere.queue.core.windows.net/q"},
		{"notificationQueueUri", c.queueURL + "?sig=secret"},
		{"notificationQueueUri", "no url"},
		{"exportModelContainerUri", c.blobURL + "x"},
		{"exportModelContainerUri", c.queueURL},
		{"exportModelContainerUri", c.blobURL + "/below"},
	} {
		message := s.call("POST", "projects", q("name", "a", pair[0], pair[1]), nil).refused(400, "BadRequestInvalidUri")
		assert.NotContains(t, message, "secret")
	}
	project := s.project()
	s.call("PATCH", project, nil, map[string]any{"settings": map[string]any{"notificationQueueUri": c.queueURL + "x"}}).refused(400, "BadRequestInvalidUri")
	_, queue := s.uris(project)
	assert.Nil(t, queue)
	assert.Len(t, s.call("GET", "projects", nil, nil).list(), 1)
}

func TestConnectionTestMayRefuseWhatWorks(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	s := start(t, c.connected, answering(ConnectionTest, "refused"))
	s.call("POST", "projects", q("name", "a", "notificationQueueUri", c.queueURL), nil).refused(400, "BadRequestInvalidUri")
	assert.Empty(t, c.receive())
}

func TestConnectionTestOfUnchangedQueue(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]int{"tested": 2, "silent": 1} {
		c := newCloud(t)
		s := start(t, c.connected, answering(UnchangedURI, answer))
		project := s.project("notificationQueueUri", c.queueURL)
		s.call("PATCH", project, nil, map[string]any{"settings": map[string]any{"notificationQueueUri": c.queueURL}}).ok()
		assert.Len(t, c.receive(), want, answer)
		s.call("PATCH", project, nil, map[string]any{"name": "new"}).ok()
		assert.Empty(t, c.receive(), "a PATCH of something else tests nothing")
	}
}

func TestQueueAndContainerWorkAlone(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	s := start(t, c.connected, noValidation)

	queueOnly := s.trained(s.project("notificationQueueUri", c.queueURL))
	s.exported(queueOnly, "ONNX", "")
	messages := c.receive()
	require.Len(t, messages, 3)
	assert.Contains(t, decoded(t, messages[2]), `"modelUri":"`+c.serviceStorage.BlobURL+"/m-")
	assert.Contains(t, decoded(t, messages[2]), "&sig=", "without a container it is a signed link")
	assert.Empty(t, c.blobNames())

	containerOnly := s.trained(s.project("exportModelContainerUri", c.blobURL))
	s.Advance(testBlobLife)
	s.exported(containerOnly, "ONNX", "")
	assert.Len(t, c.blobNames(), 1)
	assert.Empty(t, c.receive())
	assert.False(t, strings.HasSuffix(c.blobNames()[0], ".zip"))
}
