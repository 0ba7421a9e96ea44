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
		a.credential, a.who = credential, fmt.Sprintf("%q", []string{field("credential"), field("clientId")})
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
