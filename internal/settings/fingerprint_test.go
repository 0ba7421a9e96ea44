package settings

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What couldn't be done is tried again when a setting changes, so each must count.
func TestEverySettingIsInTheFingerprint(t *testing.T) {
	t.Parallel()
	connection := func(name, key, suffix string) string {
		return "AccountName=" + name + ";AccountKey=" + key + ";EndpointSuffix=" + suffix
	}
	base := map[string]string{
		"CUSTOMVISION_ENDPOINT": "https://a.cognitiveservices.azure.com", "CUSTOMVISION_KEY": "k", "NOTIFICATION_QUEUE": "queue",
		"CustomVisionStorage": connection("models", "a2V5", "core.windows.net"), "ArchiveStorage": connection("archives", "a2V5", "core.windows.net"),
	}
	changes := map[string]map[string]string{
		"another endpoint":          {"CUSTOMVISION_ENDPOINT": "https://b.cognitiveservices.azure.com"},
		"another key":               {"CUSTOMVISION_KEY": "l"},
		"an identity":               {"CUSTOMVISION_KEY": ""},
		"part of the key":           {"CUSTOMVISION_ENDPOINT": "https://a.cognitiveservices.azure.comk", "CUSTOMVISION_KEY": ""},
		"another account":           {"CustomVisionStorage": connection("models2", "a2V5", "core.windows.net")},
		"another account key":       {"CustomVisionStorage": connection("models", "a2V6", "core.windows.net")},
		"another archive":           {"ArchiveStorage": connection("archives2", "a2V5", "core.windows.net")},
		"another archive's key":     {"ArchiveStorage": connection("archives", "a2V6", "core.windows.net")},
		"the accounts exchanged":    {"CustomVisionStorage": connection("archives", "a2V5", "core.windows.net"), "ArchiveStorage": connection("models", "a2V5", "core.windows.net")},
		"an account by identity":    {"CustomVisionStorage": "", "CustomVisionStorage__accountName": "models"},
		"by a managed identity":     {"CustomVisionStorage": "", "CustomVisionStorage__accountName": "models", "CustomVisionStorage__credential": "managedidentity"},
		"by the identity of a user": {"CustomVisionStorage": "", "CustomVisionStorage__accountName": "models", "CustomVisionStorage__credential": "managedidentity", "CustomVisionStorage__clientId": "c"},
		"another blob endpoint":     {"CustomVisionStorage": "", "CustomVisionStorage__accountName": "models", "CustomVisionStorage__blobServiceUri": "https://models.z01.blob.storage.azure.net"},
		"another queue endpoint":    {"CustomVisionStorage": "", "CustomVisionStorage__accountName": "models", "CustomVisionStorage__queueServiceUri": "https://models.z01.queue.storage.azure.net"},
		"another queue":             {"NOTIFICATION_QUEUE": "queue2"},
	}
	for name := range defaults {
		value := "other"
		if name[:6] == "VISION" {
			value = "17m"
		}
		changes["another "+name] = map[string]string{name: value}
	}
	of := func(change map[string]string) string {
		values := maps.Clone(base)
		maps.Copy(values, change)
		s, err := Load(env(values))
		require.NoError(t, err)
		return s.Fingerprint()
	}
	seen := map[string]string{of(nil): "nothing"}
	for name, change := range changes {
		f := of(change)
		assert.Empty(t, seen[f], "%s can't be told from it", name)
		seen[f] = name
		assert.Equal(t, f, of(change), "%s: nothing changes by itself", name)
	}
}
