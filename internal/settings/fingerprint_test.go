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
		"an identity of its own":    {"CUSTOMVISION_KEY": "", "CUSTOMVISION__clientId": "c"},
		"another one of its own":    {"CUSTOMVISION_KEY": "", "CUSTOMVISION__clientId": "d"},
	}
	for name := range defaults {
		value := "other"
		switch {
		case name == "VISIONKEEPER_CALLS_PER_SECOND":
			value = "17"
		case name[:6] == "VISION":
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

// The default credential reads the environment itself.
func TestTheEnvironmentOfAnIdentityIsInTheFingerprint(t *testing.T) {
	t.Parallel()
	key := map[string]string{
		"CUSTOMVISION_ENDPOINT": "https://a.cognitiveservices.azure.com", "CUSTOMVISION_KEY": "k", "NOTIFICATION_QUEUE": "queue",
		"CustomVisionStorage": "AccountName=models;AccountKey=a2V5",
	}
	service, account := maps.Clone(key), maps.Clone(key)
	delete(service, "CUSTOMVISION_KEY")
	delete(account, "CustomVisionStorage")
	account["CustomVisionStorage__accountName"] = "models"
	of := func(values map[string]string, name, value string) string {
		values = maps.Clone(values)
		values[name] = value
		s, err := Load(env(values))
		require.NoError(t, err)
		return s.Fingerprint()
	}
	for _, name := range []string{
		"AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_CLIENT_CERTIFICATE_PASSWORD",
		"AZURE_USERNAME", "AZURE_PASSWORD", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST", "AZURE_TOKEN_CREDENTIALS",
		"AZURE_ADDITIONALLY_ALLOWED_TENANTS", "IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT", "MSI_SECRET",
	} {
		for _, identity := range []map[string]string{service, account} {
			assert.NotEqual(t, of(identity, name, ""), of(identity, name, "1"), name)
		}
		assert.Equal(t, of(key, name, ""), of(key, name, "1"), "%s: nobody uses an identity", name)
		// The platform gives these anew with each start, and each instance others.
		changes := name[0] == 'A'
		assert.Equal(t, changes, of(service, name, "1") != of(service, name, "2"), name)
	}
}
