package customvision

import (
	"context"
	"net/http"
	"net/url"
)

// ProjectExport is what a copy of a project is made by. Its Token is a secret: a signed link
// that is valid for a day.
type ProjectExport struct {
	Token string `json:"token" vital:""`
}

// UnmarshalJSON decodes the answer, field by field.
func (p *ProjectExport) UnmarshalJSON(data []byte) error {
	type plain ProjectExport
	return decodeFields(data, (*plain)(p))
}

// ExportProject asks for a token by which a copy of the project can be made (ExportProject).
// The project isn't changed. Exporting an iteration is something else: see Export.
func (c *Client) ExportProject(ctx context.Context, projectID string) (ProjectExport, error) {
	return call[ProjectExport](ctx, c, request{operation: "ExportProject", method: http.MethodGet, path: "projects/{}/export", ids: []string{projectID}})
}

// ImportProject makes a project by another one's token (ImportProject). It is sent once:
// after an error for which Lost is true, look for the name in Projects. The project has the
// status StatusImporting at first, and ends as StatusSucceeded or StatusFailed. Its tags and
// iterations have new ids. Where the name is taken, the service adds " (1)" to it.
func (c *Client) ImportProject(ctx context.Context, token, name string) (Project, error) {
	return call[Project](ctx, c, request{operation: "ImportProject", method: http.MethodPost, path: "projects/import",
		query: url.Values{"token": {token}, "name": {name}}})
}
