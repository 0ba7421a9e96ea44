package identity

import (
	"context"
	"net"
	"os"
	"slices"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// newNamed is a search that begins with the user-assigned identity that the settings
// name without saying of which kind it is: the cluster's workload identity if there
// is one, the managed identity where Azure offers identities, and anyone elsewhere,
// such as the person who is signed in. In azidentity, other than in Azure.Identity for
// .NET, DefaultAzureCredential itself can't be told the name.
func newNamed(workload *azidentity.WorkloadIdentityCredentialOptions, managed *azidentity.ManagedIdentityCredentialOptions, anyone azcore.TokenCredential) (azcore.TokenCredential, error) {
	var chain []azcore.TokenCredential
	if credential, err := azidentity.NewWorkloadIdentityCredential(workload); err == nil && workload.ClientID != "" {
		chain = append(chain, credential)
	}
	credential, err := azidentity.NewManagedIdentityCredential(managed)
	if err != nil {
		return nil, err
	}
	return azidentity.NewChainedTokenCredential(append(chain, whereOffered{credential}, anyone), nil)
}

// whereOffered is a managed identity that is passed over where none is offered.
// Without that a laptop would wait for minutes.
type whereOffered struct{ azcore.TokenCredential }

// GetToken implements azcore.TokenCredential.
func (w whereOffered) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if !offered(ctx) {
		return azcore.AccessToken{}, azidentity.NewCredentialUnavailableError("no managed identity is offered here")
	}
	return w.TokenCredential.GetToken(ctx, o)
}

// The variables of hosts that offer identities: App Service and Functions, Service
// Fabric and Arc, Azure ML. Virtual machines answer at an address of their own:
// https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
var offers = []string{"IDENTITY_ENDPOINT", "MSI_ENDPOINT", "IMDS_ENDPOINT"}

const (
	machineAddress = "169.254.169.254:80"
	machineAnswers = time.Second
)

func offered(ctx context.Context) bool {
	if slices.ContainsFunc(offers, func(name string) bool { return os.Getenv(name) != "" }) {
		return true
	}
	conn, err := (&net.Dialer{Timeout: machineAnswers}).DialContext(ctx, "tcp", machineAddress)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}
