package customvision

import (
	"net/http"
	"strconv"
	"strings"
)

// Remedy implements remedy.Remedied.
func (e *Error) Remedy() (why, do string) {
	if e.Status == 0 {
		return e.Operation + ": " + e.Message, "check CUSTOMVISION_ENDPOINT and the network; after 25 September 2028 there is no Custom Vision any more, but status, verify and restore go on working"
	}
	why = e.Operation + ": Custom Vision answered " + strconv.Itoa(e.Status)
	if code := strings.TrimPrefix(e.Code, strconv.Itoa(e.Status)); code != "" { // the gateway's code is the status
		why += " " + code
	}
	why += ": " + e.Message
	if do := e.refusal(); do != "" {
		return why, do
	}
	switch {
	case e.Status == http.StatusNotFound:
		do = "check the project's name or id, and that CUSTOMVISION_ENDPOINT is the training resource, not the prediction one"
	case e.Status == http.StatusTooManyRequests:
		do = "try again in a minute: all callers of a resource share ten calls a second"
	case e.Status >= 500:
		do = "try again in a minute; https://azure.status.microsoft shows outages"
	}
	return why, do
}

// refusal is what to do about a refusal that has one clear cause, which stays
// until a person acts; empty for all other answers.
func (e *Error) refusal() string {
	switch {
	case e.Code == "BadRequestExceedProjectLimit":
		return "delete a project that nobody needs, or raise the resource's tier with `az cognitiveservices account update --name NAME --resource-group GROUP --sku S0`"
	case Forbidden(e): // PermissionDenied, where a role is missing, comes with 401 too
		return "give the identity the role Cognitive Services Custom Vision Trainer on the training resource (Contributor, if it is to create, copy or delete projects), and check the resource's network rules"
	case e.Status != http.StatusUnauthorized:
		return ""
	case strings.Contains(e.Message, "audience is incorrect"):
		return "sign in to the tenant of the training resource with `az login --tenant TENANT`; the token is for https://cognitiveservices.azure.com, so in another cloud than Azure's public one set CUSTOMVISION_KEY instead"
	}
	return "copy CUSTOMVISION_KEY again from the training resource's page \"Keys and Endpoint\"; with an identity, CUSTOMVISION_ENDPOINT must be the resource's own subdomain"
}
