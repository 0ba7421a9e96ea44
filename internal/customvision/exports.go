package customvision

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

// The statuses of an export. The service may send others.
const (
	ExportExporting = "Exporting"
	ExportDone      = "Done"
	ExportFailed    = "Failed"
)

// Export is one exported package of an iteration's model. Platform and flavor
// identify it: the service gives it no id, no time, and no reason of a failure.
type Export struct {
	Platform string `json:"platform" vital:""`
	Flavor   string `json:"flavor" vital:""` // "" (null in JSON) means the platform's default
	Status   string `json:"status" vital:""`
	// DownloadURI is the address of the package, empty until Done. It is a signed
	// URL, a secret, valid for 24 hours from the call of Exports; or a relative
	// path for Artifact.
	DownloadURI string `json:"downloadUri"`
	// NewerVersionAvailable reports whether the service could now export a newer
	// version of the package.
	NewerVersionAvailable bool `json:"newerVersionAvailable"`
}

// UnmarshalJSON decodes the export, field by field.
func (e *Export) UnmarshalJSON(data []byte) error {
	type plain Export
	return decodeItem(data, (*plain)(e))
}

// SamePlatform reports whether two platforms are the same to the service, which
// ignores letter case.
func SamePlatform(a, b string) bool { return strings.EqualFold(a, b) }

// Export asks for a package of a trained iteration (ExportIteration). An empty
// flavor means the platform's default. The call is sent once: after an error for
// which Lost is true, look at Exports.
//
// The same package can't be asked for twice. The second call fails with
// BadRequestExportAlreadyInProgress, even long after the export is done.
func (c *Client) Export(ctx context.Context, projectID, iterationID, platform, flavor string) (Export, error) {
	query := url.Values{"platform": {platform}}
	setIf(query, "flavor", flavor)
	return call[Export](ctx, c, request{operation: "ExportIteration", method: http.MethodPost,
		path: "projects/{}/iterations/{}/export", ids: []string{projectID, iterationID}, query: query})
}

// Exports lists an iteration's packages, with fresh download URIs (GetExports).
func (c *Client) Exports(ctx context.Context, projectID, iterationID string) ([]Export, error) {
	return call[[]Export](ctx, c, request{operation: "GetExports", method: http.MethodGet,
		path: "projects/{}/iterations/{}/export", ids: []string{projectID, iterationID}})
}
