package cli

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/storage"
)

// storageProblem says what the storage service's answer means and what to do.
// The codes: https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes
func storageProblem(e *storage.Error) problem {
	p := problem{Why: fmt.Sprintf("storage answered %d %s", e.Status, e.Code), Do: checkHint, RequestID: e.RequestID}
	switch {
	case e.Status == 0:
		p.Why = "no answer came from the storage account: " + e.Reason()
		p.Do = "Check the account's name in the settings, the network, and that an identity is signed in"
	case e.Code == "AuthorizationPermissionMismatch":
		p.Why += ", so the identity lacks the role for it"
		p.Do = "Give it Storage Blob Data Contributor on the container, or Storage Queue Data Contributor on the queue; a new role takes up to ten minutes to work"
	case e.Code == "AuthorizationFailure":
		p.Why += ", so the account's firewall or key policy refuses the call"
		p.Do = "Allow this network in the storage account, or, where keys are disabled, use an identity in the settings"
	case e.Status == http.StatusForbidden:
		p.Why += ", so it does not accept the key or the token"
		p.Do = "Copy the connection string again from the portal, or sign in again, and check this machine's clock"
	case e.Code == "ContainerNotFound", e.Code == "QueueNotFound":
		p.Why += ", so it is not there"
		p.Do = "Create it with `visionkeeper connect --create-storage`, or name the right one in the settings"
	case e.Status == http.StatusTooManyRequests || e.Status >= 500:
		p.Do = "Try again in a minute; https://azure.status.microsoft tells of outages"
	}
	return p
}

// serviceProblem says the same of Custom Vision's answer.
func serviceProblem(e *customvision.Error) problem {
	code := strings.TrimPrefix(e.Code, strconv.Itoa(e.Status)) // the gateway's code is the status
	p := problem{Do: checkHint, RequestID: e.RequestID}
	p.Why = strings.Join(strings.Fields(fmt.Sprintf("Custom Vision answered %d %s", e.Status, code)), " ") + ": " + e.Message
	switch {
	case e.Status == 0:
		p.Why = e.Message
		p.Do = "Check CUSTOMVISION_ENDPOINT and the network; after 25 September 2028 there is no Custom Vision any more, but status, verify and restore go on working"
	case e.Status == http.StatusUnauthorized:
		p.Do = "Copy CUSTOMVISION_KEY again from the training resource's page \"Keys and Endpoint\"; with an identity, CUSTOMVISION_ENDPOINT must be the resource's own subdomain"
	case e.Status == http.StatusForbidden:
		p.Do = "Give the identity the role Cognitive Services Custom Vision Contributor on the training resource (Trainer is not enough), and check the resource's network rules"
	case e.Status == http.StatusNotFound:
		p.Do = "Check the project's name or id, and that CUSTOMVISION_ENDPOINT is the training resource, not the prediction one"
	case e.Status == http.StatusTooManyRequests:
		p.Do = "Try again in a minute: all callers of a resource share ten calls a second"
	case e.Status >= 500:
		p.Do = "Try again in a minute; https://azure.status.microsoft tells of outages"
	}
	return p
}
