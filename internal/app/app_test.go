package app

import (
	"testing"

	"github.com/stretchr/testify/assert"
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
