package clouds

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTheCloudOfAnEndpoint(t *testing.T) {
	t.Parallel()
	for endpoint, want := range map[string]string{
		"https://kitchen.cognitiveservices.azure.com/":           "https://cognitiveservices.azure.com/.default",
		"https://westeurope.api.cognitive.microsoft.com":         "https://cognitiveservices.azure.com/.default",
		"https://kitchen.cognitiveservices.azure.us":             "https://cognitiveservices.azure.us/.default",
		"https://Kitchen.CognitiveServices.Azure.US.:443/":       "https://cognitiveservices.azure.us/.default",
		"https://kitchen.privatelink.cognitiveservices.azure.us": "https://cognitiveservices.azure.us/.default",
		"https://usgovvirginia.api.cognitive.microsoft.us":       "https://cognitiveservices.azure.us/.default",
		"https://models.blob.core.usgovcloudapi.net":             "https://cognitiveservices.azure.us/.default",
		"https://kitchen.cognitiveservices.azure.cn":             "https://cognitiveservices.azure.cn/.default",
		"https://chinaeast2.api.cognitive.azure.cn":              "https://cognitiveservices.azure.cn/.default",
		"https://models.queue.core.chinacloudapi.cn/":            "https://cognitiveservices.azure.cn/.default",
		"https://cognitiveservices.azure.us.example.com":         "https://cognitiveservices.azure.com/.default",
		"https://notazure.us":                                    "https://cognitiveservices.azure.com/.default",
		"http://127.0.0.1:5000":                                  "https://cognitiveservices.azure.com/.default",
		"":                                                       "https://cognitiveservices.azure.com/.default",
		"%":                                                      "https://cognitiveservices.azure.com/.default",
	} {
		assert.Equal(t, want, Of(endpoint).VisionScope, endpoint)
	}
}
