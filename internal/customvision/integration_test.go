package customvision

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestThePreviewTakesTheStorageURIsInABody(t *testing.T) {
	t.Parallel()
	client, s := setup(t, answerWith(http.StatusOK, connected))
	p, err := client.Preview().CreateProjectWithBody(t.Context(), CreateProjectOptions{
		Name: "Trees", DomainID: "0732100f-1a38-4e49-a514-c9b44c697ab5",
		ExportModelContainerURI: "https://account.blob.core.windows.net/models", NotificationQueueURI: "https://account.queue.core.windows.net/notes",
	})
	require.NoError(t, err)
	assert.Equal(t, "https://account.queue.core.windows.net/notes", p.Settings.NotificationQueueURI)
	got := s.only(t)
	assert.Equal(t, "/customvision/v3.4-preview/training/projects", got.path)
	assert.Equal(t, url.Values{"name": {"Trees"}, "domainId": {"0732100f-1a38-4e49-a514-c9b44c697ab5"}}, got.query)
	assert.JSONEq(t, `{"exportModelContainerUri":"https://account.blob.core.windows.net/models","notificationQueueUri":"https://account.queue.core.windows.net/notes"}`, got.body)
}

func TestThePreviewLeavesTheClientAsItWas(t *testing.T) {
	t.Parallel()
	client, s := setup(t, answerWith(http.StatusOK, connected))
	_, err := client.Preview().Project(t.Context(), projectID)
	require.NoError(t, err)
	_, err = client.Project(t.Context(), projectID)
	require.NoError(t, err)
	got := s.received()
	require.Len(t, got, 2)
	assert.Equal(t, "/customvision/v3.4-preview/training/projects/"+projectID, got[0].path)
	assert.Equal(t, "/customvision/v3.3/training/projects/"+projectID, got[1].path)
	assert.Equal(t, testKey, got[0].header.Get("Training-Key"))
}

func TestAProjectIsDeletedOnce(t *testing.T) {
	t.Parallel()
	client, s := setup(t, answerWith(http.StatusServiceUnavailable, `{}`))
	require.Error(t, client.DeleteProject(t.Context(), projectID))
	assert.Equal(t, http.MethodDelete, s.only(t).method)
}
