package settings

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func env(values map[string]string) func(string) string {
	return func(key string) string { return values[key] }
}

func TestLoadFillsInDefaults(t *testing.T) {
	t.Parallel()
	s, err := Load(env(map[string]string{"CustomVisionStorage": "UseDevelopmentStorage=true", "NOTIFICATION_QUEUE": "messages"}))
	require.NoError(t, err)
	assert.Equal(t, "http://127.0.0.1:10000/devstoreaccount1", s.Models.BlobURL)
	assert.Equal(t, s.Models, s.Archives, "one account serves both unless another is named")
	assert.Equal(t, "messages", s.Queue)
	assert.Equal(t, "archive", s.ArchiveContainer)
	assert.Equal(t, 10*time.Second, s.LookInterval)
}

func TestLoadListsEveryFault(t *testing.T) {
	t.Parallel()
	_, err := Load(env(map[string]string{
		"CUSTOMVISION_ENDPOINT": "http://example.com", "ARCHIVE_CONTAINER": "My_Archive",
		"VISIONKEEPER_STUCK_AFTER": "soon", "ArchiveStorage": "AccountName=a;AccountKey=not base64!",
	}))
	require.Error(t, err)
	for _, want := range []string{"CUSTOMVISION_ENDPOINT", "CustomVisionStorage is not set", "NOTIFICATION_QUEUE is not set", "ArchiveStorage", "ARCHIVE_CONTAINER", "VISIONKEEPER_STUCK_AFTER"} {
		assert.ErrorContains(t, err, want)
	}
	assert.NotContains(t, err.Error(), "not base64!", "a key never stands in an error")
}

func TestTheHostsOwnAccountIsKnownAndItsKeyIsASecret(t *testing.T) {
	t.Parallel()
	values := map[string]string{"CustomVisionStorage": "UseDevelopmentStorage=true", "NOTIFICATION_QUEUE": "messages",
		"AzureWebJobsStorage": "AccountName=hosts;AccountKey=aG9zdHM="}
	s, err := Load(env(values))
	require.NoError(t, err)
	assert.Equal(t, "https://hosts.blob.core.windows.net", s.Host.BlobURL)
	assert.Contains(t, s.Secrets(), "aG9zdHM=")

	values["AzureWebJobsStorage"] = "nonsense"
	s, err = Load(env(values))
	require.NoError(t, err, "the host reports that")
	assert.True(t, s.Host.IsZero())
}

func TestLoopbackNeedsEveryEndpointOnThisMachine(t *testing.T) {
	t.Parallel()
	local := map[string]string{"CustomVisionStorage": "UseDevelopmentStorage=true", "CUSTOMVISION_ENDPOINT": "http://127.0.0.1:5000", "NOTIFICATION_QUEUE": "messages"}
	s, err := Load(env(local))
	require.NoError(t, err)
	assert.Equal(t, []string{"127.0.0.1:5000", "127.0.0.1:10000", "127.0.0.1:10000"}, s.Loopback())

	local["CUSTOMVISION_ENDPOINT"] = "https://example.cognitiveservices.azure.com"
	s, err = Load(env(local))
	require.NoError(t, err)
	assert.Empty(t, s.Loopback())
}
