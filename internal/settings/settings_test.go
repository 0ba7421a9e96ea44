package settings

import (
	"encoding/json"
	"os"
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
	s, err := Load(env(map[string]string{"CustomVisionStorage": "UseDevelopmentStorage=true"}))
	require.NoError(t, err)
	assert.Equal(t, "http://127.0.0.1:10000/devstoreaccount1", s.Models.BlobURL)
	assert.Equal(t, s.Models, s.Archives, "one account serves both unless another is named")
	assert.Equal(t, "customvision-notifications", s.Queue)
	assert.Equal(t, 10*time.Second, s.LookInterval)
}

func TestLoadListsEveryFault(t *testing.T) {
	t.Parallel()
	_, err := Load(env(map[string]string{
		"CUSTOMVISION_ENDPOINT": "http://example.com", "ARCHIVE_CONTAINER": "My_Archive",
		"VISIONKEEPER_STUCK_AFTER": "soon", "ArchiveStorage": "AccountName=a;AccountKey=not base64!",
	}))
	require.Error(t, err)
	for _, want := range []string{"CUSTOMVISION_ENDPOINT", "CustomVisionStorage is not set", "ArchiveStorage", "ARCHIVE_CONTAINER", "VISIONKEEPER_STUCK_AFTER"} {
		assert.ErrorContains(t, err, want)
	}
	assert.NotContains(t, err.Error(), "not base64!", "a key never stands in an error")
}

func TestLoopbackNeedsEveryEndpointOnThisMachine(t *testing.T) {
	t.Parallel()
	local := map[string]string{"CustomVisionStorage": "UseDevelopmentStorage=true", "CUSTOMVISION_ENDPOINT": "http://127.0.0.1:5000"}
	s, err := Load(env(local))
	require.NoError(t, err)
	assert.Equal(t, []string{"127.0.0.1:5000", "127.0.0.1:10000", "127.0.0.1:10000"}, s.Loopback())

	local["CUSTOMVISION_ENDPOINT"] = "https://example.cognitiveservices.azure.com"
	s, err = Load(env(local))
	require.NoError(t, err)
	assert.Empty(t, s.Loopback())
}

func TestTheExampleShowsEverySetting(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../local.settings.json.example")
	require.NoError(t, err)
	var file struct{ Values map[string]string }
	require.NoError(t, json.Unmarshal(data, &file))

	asked := map[string]bool{}
	_, err = Load(func(key string) string {
		asked[key] = true
		return file.Values[key]
	})
	require.NoError(t, err)
	for _, key := range []string{"CUSTOMVISION_ENDPOINT", "CUSTOMVISION_KEY", "CustomVisionStorage", "ArchiveStorage", "NOTIFICATION_QUEUE", "MODEL_CONTAINER", "ARCHIVE_CONTAINER", "STATE_CONTAINER"} {
		assert.True(t, asked[key], "%s is read", key)
		assert.Contains(t, file.Values, key)
	}
	for key := range file.Values {
		if !asked[key] {
			assert.Contains(t, []string{"AzureWebJobsStorage", "FUNCTIONS_WORKER_RUNTIME", "SWEEP_SCHEDULE"}, key, "a setting that nothing reads")
		}
	}
}
