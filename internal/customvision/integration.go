package customvision

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

// This file holds the calls of v3.4-preview, the only version whose published
// contract names the storage integration:
// https://github.com/Azure/azure-rest-api-specs/blob/main/specification/cognitiveservices/data-plane/CustomVision/Training/preview/v3.4-preview/Training.json

const previewPath = "/customvision/v3.4-preview/training/"

// Preview returns the same client for the API's v3.4-preview. That version may
// show storage URIs of a project that v3.3 leaves out.
func (c *Client) Preview() *Client {
	p := *c
	p.base = strings.Replace(c.base, basePath, previewPath, 1)
	return &p
}

// CreateProjectWithBody creates a project as the contract of v3.4-preview says
// (CreateProject): the storage URIs in a body with CreateProjectOptions, the rest
// in the query. Call it on the client that Preview returns. It is sent once.
// Compare the URIs with the project returned, as for CreateProject.
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

// DeleteProject deletes a project and everything in it, for good (DeleteProject).
// It is sent once.
func (c *Client) DeleteProject(ctx context.Context, projectID string) error {
	return c.do(ctx, request{operation: "DeleteProject", method: http.MethodDelete, path: "projects/{}", ids: []string{projectID}}, nil)
}
