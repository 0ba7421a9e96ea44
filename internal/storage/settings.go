package storage

import (
	"fmt"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"visionkeeper/internal/remedy"
)

// FromSettings opens the connection called name, looking it up as the Functions
// host does: a connection string under AzureWebJobs<name>, ConnectionStrings__<name>
// or <name>, else the identity form <name>__accountName, __blobServiceUri,
// __queueServiceUri, __credential (managedidentity) and __clientId. The zero
// Account means that nothing is set.
func FromSettings(name string, getenv func(string) string) (Account, error) {
	for _, key := range []string{"ConnectionStrings__AzureWebJobs" + name, "AzureWebJobs" + name, "ConnectionStrings__" + name, name} {
		if s := getenv(key); s != "" {
			a, err := ParseConnectionString(s)
			if err != nil {
				return Account{}, fmt.Errorf("setting %s: %w", key, err)
			}
			return a, nil
		}
	}
	for _, prefix := range []string{"AzureWebJobs" + name, name} {
		field := func(f string) string { return getenv(prefix + "__" + f) }
		a := Account{BlobURL: field("blobServiceUri"), QueueURL: field("queueServiceUri"), name: field("accountName")}
		if a.name != "" {
			if a.BlobURL == "" {
				a.BlobURL = "https://" + a.name + ".blob.core.windows.net"
			}
			if a.QueueURL == "" {
				a.QueueURL = "https://" + a.name + ".queue.core.windows.net"
			}
		}
		if a.IsZero() {
			continue
		}
		if err := a.normalise(); err != nil {
			return Account{}, fmt.Errorf("setting %s__…: %w", prefix, err)
		}
		credential, err := Identity(field("credential"), field("clientId"))
		if err != nil {
			return Account{}, fmt.Errorf("setting %s__credential: %w", prefix, err)
		}
		a.credential, a.who = credential, fmt.Sprintf("%q", []string{field("credential"), field("clientId"), IdentityFrom(getenv)})
		return a, nil
	}
	return Account{}, nil
}

// Identity is the credential that kind and clientID name: "managedidentity" (of
// the system, or of the user where clientID is set), or, where kind is empty,
// what DefaultAzureCredential finds: workload identity, managed identity, the
// Azure CLI and others.
func Identity(kind, clientID string) (azcore.TokenCredential, error) {
	switch {
	case strings.EqualFold(kind, "managedidentity"):
		o := &azidentity.ManagedIdentityCredentialOptions{}
		if clientID != "" {
			o.ID = azidentity.ClientID(clientID)
		}
		return azidentity.NewManagedIdentityCredential(o)
	case kind == "":
		return azidentity.NewDefaultAzureCredential(nil)
	}
	return nil, remedy.New("use managedidentity, or leave it out", "%q is not known", kind)
}

// What an identity is found by, besides its settings:
// https://learn.microsoft.com/azure/developer/go/sdk/authentication/credential-chains
var (
	identityValues = []string{
		"AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_CLIENT_CERTIFICATE_PASSWORD",
		"AZURE_CLIENT_SEND_CERTIFICATE_CHAIN", "AZURE_USERNAME", "AZURE_PASSWORD", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST",
		"AZURE_REGIONAL_AUTHORITY_NAME", "AZURE_ADDITIONALLY_ALLOWED_TENANTS", "AZURE_TOKEN_CREDENTIALS", "DEFAULT_IDENTITY_CLIENT_ID",
	}
	// The platform gives these other values with each start: only whether they are there
	// says something of the identity.
	identityMarks = []string{
		"IDENTITY_ENDPOINT", "IDENTITY_HEADER", "IDENTITY_SERVER_THUMBPRINT", "MSI_ENDPOINT", "MSI_SECRET", "IMDS_ENDPOINT",
	}
)

// IdentityFrom is different for each environment that Identity may find another
// identity in. It holds the secrets that are in it.
func IdentityFrom(getenv func(string) string) string {
	var found []string
	for _, name := range identityValues {
		found = append(found, getenv(name))
	}
	for _, name := range identityMarks {
		found = append(found, fmt.Sprint(getenv(name) != ""))
	}
	return fmt.Sprintf("%q", found)
}
