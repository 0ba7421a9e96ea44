package customvision

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

// An export's status. The list is open.
const (
	ExportExporting = "Exporting"
	ExportDone      = "Done"
	ExportFailed    = "Failed"
)

// Export is one package of an iteration's model, known by its platform and
// flavor: there is no id, and neither a time nor a reason of failure.
type Export struct {
	Platform string `json:"platform"`
	Flavor   string `json:"flavor"` // "" when null: the platform's default
	Status   string `json:"status"`
	// DownloadURI leads to the package: a signed URL, hence a secret, valid for
	// 24 hours from the call of Exports, or a relative path for Artifact. It is
	// empty until Done.
	DownloadURI string `json:"downloadUri"`
	// NewerVersionAvailable says that the package could be made anew.
	NewerVersionAvailable bool `json:"newerVersionAvailable"`
}

// SamePlatform compares platforms as the service does: without letter case.
func SamePlatform(a, b string) bool { return strings.EqualFold(a, b) }

// Export asks for a package of a trained iteration; an empty flavor means the
// platform's default (ExportIteration). It is sent once: on an error for which
// Lost is true, look at Exports. The same package can't be asked for twice: that
// gives BadRequestExportAlreadyInProgress, also long after it is done.
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
