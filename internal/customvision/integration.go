package customvision

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

// This file holds the forms of v3.4-preview, whose published contract alone names
// the storage integration:
// https://github.com/Azure/azure-rest-api-specs/blob/main/specification/cognitiveservices/data-plane/CustomVision/Training/preview/v3.4-preview/Training.json

const previewPath = "/customvision/v3.4-preview/training/"

// Preview is the same client for the API's v3.4-preview. Its projects may show
// storage URIs that v3.3 leaves out.
func (c *Client) Preview() *Client {
	p := *c
	p.base = strings.Replace(c.base, basePath, previewPath, 1)
	return &p
}

// CreateProjectWithBody creates a project as v3.4-preview's contract has it: the
// storage URIs in a body, all else in the query (CreateProject, with
// CreateProjectOptions). Call it on Preview. It is sent once; compare the URIs
// with the project returned, as for CreateProject.
func (c *Client) CreateProjectWithBody(ctx context.Context, o CreateProjectOptions) (Project, error) {
	query := url.Values{"name": {o.Name}}
	setIf(query, "description", o.Description)
	setIf(query, "domainId", o.DomainID)
	setIf(query, "classificationType", o.ClassificationType)
	setIf(query, "targetExportPlatforms", strings.Join(o.TargetExportPlatforms, ","))
	body := struct {
		Container string `json:"exportModelContainerUri,omitempty"`
		Queue     string `json:"notificationQueueUri,omitempty"`
	}{o.ExportModelContainerURI, o.NotificationQueueURI}
	return call[Project](ctx, c, request{operation: "CreateProject", method: http.MethodPost, path: "projects", query: query, body: body})
}

// DeleteProject deletes a project with all that is in it, for good
// (DeleteProject). It is sent once.
func (c *Client) DeleteProject(ctx context.Context, projectID string) error {
	return c.do(ctx, request{operation: "DeleteProject", method: http.MethodDelete, path: "projects/{}", ids: []string{projectID}}, nil)
}
