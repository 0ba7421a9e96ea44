package app

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/internal/dotnet"
	"visionkeeper/internal/settings"
)

func TestLinksLeadToTheCloudOfTheEndpoint(t *testing.T) {
	t.Parallel()
	for endpoint, want := range map[string]string{
		"https://kitchen.cognitiveservices.azure.com/":            "blob.core.windows.net",
		"https://westeurope.api.cognitive.microsoft.com":          "blob.core.windows.net",
		"https://kitchen.cognitiveservices.azure.us":              "blob.core.usgovcloudapi.net",
		"https://Kitchen.CognitiveServices.Azure.US:443/":         "blob.core.usgovcloudapi.net",
		"https://usgovvirginia.api.cognitive.microsoft.us":        "blob.core.usgovcloudapi.net",
		"https://kitchen.cognitiveservices.azure.cn":              "blob.core.chinacloudapi.cn",
		"https://chinaeast2.api.cognitive.azure.cn":               "blob.core.chinacloudapi.cn",
		"https://cognitiveservices.azure.us.example.com":          "blob.core.windows.net",
		"https://kitchen.privatelink.cognitiveservices.azure.com": "blob.core.windows.net",
		"http://127.0.0.1:5000":                                   "blob.core.windows.net",
		"":                                                        "blob.core.windows.net",
	} {
		assert.Equal(t, want, blobSuffix(endpoint), endpoint)
	}
}

func TestEachDestinationThatIsSetIsOpened(t *testing.T) {
	t.Parallel()
	values := map[string]string{"CustomVisionStorage": "UseDevelopmentStorage=true", "NOTIFICATION_QUEUE": "messages"}
	opened := func() []string {
		var list []dotnet.Setting
		for name, value := range values {
			list = append(list, dotnet.Setting{Name: name, Value: value})
		}
		s, err := settings.Load(dotnet.NewConfiguration(list...))
		require.NoError(t, err)
		postman, err := OpenEvents(s, nil, nil)
		require.NoError(t, err)
		return postman.Names()
	}
	assert.Equal(t, []string{}, opened(), "not nil: the app knows that there are none")
	values["EVENTS_QUEUE"] = "events"
	values["EVENTS_WEBHOOK_URL"], values["EVENTS_WEBHOOK_SECRET"] = "https://example.com", "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
	values["EVENTS_GRID_ENDPOINT"], values["EVENTS_GRID_KEY"] = "https://t.eventgrid.azure.net/api/events", "key"
	assert.Equal(t, []string{"queue", "webhook", "eventgrid"}, opened())
}
