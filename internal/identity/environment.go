package identity

import (
	"fmt"

	"visionkeeper/internal/dotnet"
)

// What an identity is found by, besides its settings:
// https://learn.microsoft.com/azure/developer/go/sdk/authentication/credential-chains
var (
	environmentValues = []string{
		"AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_CLIENT_CERTIFICATE_PASSWORD",
		"AZURE_CLIENT_SEND_CERTIFICATE_CHAIN", "AZURE_USERNAME", "AZURE_PASSWORD", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST",
		"AZURE_REGIONAL_AUTHORITY_NAME", "AZURE_ADDITIONALLY_ALLOWED_TENANTS", "AZURE_TOKEN_CREDENTIALS", "DEFAULT_IDENTITY_CLIENT_ID",
	}
	// The platform gives these other values with each start: only whether they are there
	// says something of the identity.
	environmentMarks = []string{
		"IDENTITY_ENDPOINT", "IDENTITY_HEADER", "IDENTITY_SERVER_THUMBPRINT", "MSI_ENDPOINT", "MSI_SECRET", "IMDS_ENDPOINT",
	}
)

// environment is different for each environment in which azidentity may find another
// identity for the same settings. It holds the secrets that are in it.
func environment(c *dotnet.Configuration) string {
	var found []string
	for _, name := range environmentValues {
		found = append(found, c.Get(name))
	}
	for _, name := range environmentMarks {
		found = append(found, fmt.Sprint(c.Get(name) != ""))
	}
	return fmt.Sprintf("%q", found)
}
