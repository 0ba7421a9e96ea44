// Package clouds tells Azure's clouds apart by the hosts of their services. It has
// what differs between them, each thing once.
package clouds

import (
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
)

// Cloud is one of Azure's clouds.
type Cloud struct {
	// StorageSuffix ends the hosts of its storage accounts, as in
	// NAME.blob.core.windows.net.
	StorageSuffix string
	// VisionScope is what a token for Custom Vision is asked for:
	// https://learn.microsoft.com/javascript/api/@azure-rest/ai-document-intelligence/knowndocumentintelligenceaudience
	VisionScope string
	// GridScope is what a token for a topic of Event Grid is asked for, by the hosts that
	// topics have in the cloud.
	GridScope string
	// SignIn is where identities sign in. The zero value leaves it to azidentity,
	// which reads AZURE_AUTHORITY_HOST.
	SignIn cloud.Configuration

	domains []string // of its services
}

var (
	public = Cloud{StorageSuffix: "core.windows.net", VisionScope: "https://cognitiveservices.azure.com/.default", GridScope: "https://eventgrid.azure.net/.default"}
	others = []Cloud{
		{"core.usgovcloudapi.net", "https://cognitiveservices.azure.us/.default", "https://eventgrid.azure.us/.default", cloud.AzureGovernment,
			[]string{".azure.us", ".microsoft.us", ".usgovcloudapi.net"}},
		{"core.chinacloudapi.cn", "https://cognitiveservices.azure.cn/.default", "https://eventgrid.azure.cn/.default", cloud.AzureChina,
			[]string{".azure.cn", ".chinacloudapi.cn"}},
	}
)

// Of is the cloud of a service's endpoint. It is the public one if the host says
// nothing else.
func Of(endpoint string) Cloud {
	u, err := url.Parse(strings.TrimSpace(endpoint))
	if err != nil {
		return public
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	for _, c := range others {
		for _, domain := range c.domains {
			if strings.HasSuffix(host, domain) {
				return c
			}
		}
	}
	return public
}
