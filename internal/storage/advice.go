package storage

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"visionkeeper/internal/pattern"
	"visionkeeper/internal/remedy"
)

// advice is what an answer means, as the end of a sentence, and what to do.
type advice struct{ meaning, do string }

// refusals are the codes that have one clear cause, which stays until a person
// acts: https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes
var refusals = map[string]advice{
	"KeyBasedAuthenticationNotPermitted": {"so this account takes no keys",
		"replace the connection string by CustomVisionStorage__accountName (for the archive's account: ArchiveStorage__accountName), and give the identity Storage Blob Data Contributor and Storage Queue Data Contributor on the account"},
	"AuthorizationPermissionMismatch": {"so the identity lacks the role for it",
		"give it Storage Blob Data Contributor on the container, or Storage Queue Data Contributor on the queue; a new role takes up to ten minutes to work"},
	"AuthorizationFailure": {"so the account's firewall or key policy refuses the call",
		"allow this network in the storage account, or, where keys are disabled, use an identity in the settings"},
	"AuthorizationSourceIPMismatch": {"so the account doesn't allow this machine's address",
		"allow it with `az storage account network-rule add --account-name ACCOUNT --ip-address ADDRESS`, or run this in a network that the account allows"},
	"AuthorizationProtocolMismatch": {"so the account takes https only",
		"write DefaultEndpointsProtocol=https in the connection string, or begin CustomVisionStorage__blobServiceUri and CustomVisionStorage__queueServiceUri (ArchiveStorage__blobServiceUri) with https://"},
	"InvalidAuthenticationInfo": {"so it can't use the token, which may be of another tenant or too old",
		"sign in to the tenant of the account with `az login --tenant TENANT`, or name the app's identity in CustomVisionStorage__clientId (ArchiveStorage__clientId), and check this machine's clock"},
	"NoAuthenticationInformation": {"so the request came without its signature",
		"check what stands between this machine and the account, HTTPS_PROXY for one: every request is sent with a key's signature or a token"},
	"AccountIsDisabled": {"so the account's subscription is disabled",
		"look at its state with `az account list --all --output table`, and enable the subscription again in the Azure portal"},
	"PublicAccessNotPermitted": {"so a link without a signature was used, and the account has no public access",
		"leave public access off, and check that nothing on the way cuts the query off a link; a fresh export has a fresh link"},
	"ContainerNotFound": {"so it is not there", createIt},
	"QueueNotFound":     {"so it is not there", createIt},
}

const createIt = "create it with `visionkeeper connect --create-storage`, or name the right one in the settings"

// advice is what is known of an answer: by its code, else by its status.
func (e *Error) advice() advice {
	if a, ok := refusals[e.Code]; ok {
		return a
	}
	switch {
	case e.unanswered():
		return advice{do: "check the account's name in the settings, and the network; on your machine, that Azurite runs"}
	case e.Status == http.StatusForbidden:
		return advice{"so it does not accept the key or the token",
			"copy the connection string again from the portal, or sign in again, and check this machine's clock"}
	case e.Status == http.StatusTooManyRequests || e.Status >= 500:
		return advice{do: "try again in a minute; https://azure.status.microsoft shows outages"}
	}
	return advice{}
}

// unanswered reports whether the request got no answer, or its answer broke off. An
// error without a status may have another cause, such as a source that changed.
func (e *Error) unanswered() bool {
	var network net.Error
	return e.Status == 0 && (errors.As(e.err, &network) || errors.Is(e.err, io.ErrUnexpectedEOF))
}

// OfAccount reports whether the cause lies with the whole account or with the way to it,
// rather than with the one thing that was asked for.
func (e *Error) OfAccount() bool {
	if e.Code == "AuthorizationPermissionMismatch" {
		return false // a role may be that of one container
	}
	return e.unanswered() || e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden || e.Status >= 500
}

// Remedy implements remedy.Remedied.
func (e *Error) Remedy() (why, do string) {
	if inner, do := remedy.Of(e.err); do != "" {
		return e.Op + ": " + inner, do
	}
	a := e.advice()
	switch {
	case e.unanswered():
		why = fmt.Sprintf("%s: no answer came from the storage account: %s", e.Op, e.Reason())
	case e.Status == 0:
		why = e.Error()
	case a.meaning == "":
		why = fmt.Sprintf("%s: storage answered %d %s", e.Op, e.Status, e.Code)
	default:
		why = fmt.Sprintf("%s: storage answered %d %s, %s", e.Op, e.Status, e.Code, a.meaning)
	}
	return why, a.do
}

// HowToSignIn is what to do about an error that is NotSignedIn.
const HowToSignIn = "sign in with `az login`, or see that the managed or workload identity is set up; a connection string or CUSTOMVISION_KEY works without one"

// NotSignedIn reports whether err is that no identity gave a token. azidentity's
// own errors don't always come through, but their texts do: many lines, which
// name its credentials and hold raw answers.
func NotSignedIn(err error) bool {
	var failed *azidentity.AuthenticationFailedError
	text := err.Error()
	return errors.As(err, &failed) || strings.Contains(text, "Credential: failed to acquire a token") ||
		strings.Contains(text, "Credential authentication failed") || credentialFailed().MatchString(text)
}

var credentialFailed = pattern.Of(`\b(ManagedIdentity|WorkloadIdentity|AzureCLI|Environment|DefaultAzure)Credential: `)
