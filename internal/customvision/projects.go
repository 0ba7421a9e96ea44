package customvision

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Project is a Custom Vision project. Fields of the service that are not named
// here are kept, and sent back by UpdateProject.
type Project struct {
	ID            string          `json:"id,omitempty"`
	Name          string          `json:"name"`
	Description   *string         `json:"description"`
	Settings      ProjectSettings `json:"settings"`
	Created       time.Time       `json:"created,omitzero"`
	LastModified  time.Time       `json:"lastModified,omitzero"`
	ThumbnailURI  string          `json:"thumbnailUri,omitempty"`  // may be signed: a secret
	DRModeEnabled bool            `json:"drModeEnabled,omitempty"` // temporarily read-only
	Status        string          `json:"status,omitempty"`        // Succeeded, Importing or Failed

	unknown unknownFields
}

// ProjectSettings are a project's settings. Settings of the service that are not
// named here, such as image processing, are kept and sent back.
type ProjectSettings struct {
	DomainID              string   `json:"domainId,omitempty"`
	ClassificationType    *string  `json:"classificationType,omitempty"` // Multiclass or Multilabel; nil for object detection
	TargetExportPlatforms []string `json:"targetExportPlatforms,omitzero"`
	// The storage integration: plain URLs of a container and a queue, empty when
	// unset. An empty one is left out of an update, so it can't be used to clear.
	ExportModelContainerURI string `json:"exportModelContainerUri,omitempty"`
	NotificationQueueURI    string `json:"notificationQueueUri,omitempty"`

	unknown unknownFields
}

// UnmarshalJSON keeps what it doesn't know.
func (p *Project) UnmarshalJSON(data []byte) (err error) {
	type plain Project
	p.unknown, err = unmarshalKeeping(data, (*plain)(p))
	return err
}

// MarshalJSON gives the whole project, with what was kept.
func (p Project) MarshalJSON() ([]byte, error) {
	type plain Project
	return p.unknown.marshalWith(plain(p))
}

// UnmarshalJSON keeps what it doesn't know.
func (s *ProjectSettings) UnmarshalJSON(data []byte) (err error) {
	type plain ProjectSettings
	s.unknown, err = unmarshalKeeping(data, (*plain)(s))
	return err
}

// MarshalJSON gives all settings, with what was kept.
func (s ProjectSettings) MarshalJSON() ([]byte, error) {
	type plain ProjectSettings
	return s.unknown.marshalWith(plain(s))
}

// CreateProjectOptions say what to create. Only the name is required.
type CreateProjectOptions struct {
	Name, Description, DomainID, ClassificationType string
	TargetExportPlatforms                           []string
	ExportModelContainerURI, NotificationQueueURI   string
}

// Projects lists the resource's projects (GetProjects).
func (c *Client) Projects(ctx context.Context) ([]Project, error) {
	return call[[]Project](ctx, c, request{operation: "GetProjects", method: http.MethodGet, path: "projects"})
}

// Project gets one project (GetProject).
func (c *Client) Project(ctx context.Context, projectID string) (Project, error) {
	return call[Project](ctx, c, request{operation: "GetProject", method: http.MethodGet, path: "projects/{}", ids: []string{projectID}})
}

// CreateProject creates a project (CreateProject). It is sent once. The storage
// URIs go as the storage integration guide has it, though the API's description
// doesn't name them: success doesn't prove that they were kept, so compare them
// with the settings of the project returned.
func (c *Client) CreateProject(ctx context.Context, o CreateProjectOptions) (Project, error) {
	query := url.Values{"name": {o.Name}}
	setIf(query, "description", o.Description)
	setIf(query, "domainId", o.DomainID)
	setIf(query, "classificationType", o.ClassificationType)
	setIf(query, "targetExportPlatforms", strings.Join(o.TargetExportPlatforms, ","))
	setIf(query, "exportModelContainerUri", o.ExportModelContainerURI)
	setIf(query, "notificationQueueUri", o.NotificationQueueURI)
	return call[Project](ctx, c, request{operation: "CreateProject", method: http.MethodPost, path: "projects", query: query})
}

// UpdateProject changes a project to what p says (UpdateProject). Get it first
// and change that: all its settings are sent, because it is unknown whether the
// service clears those that a request leaves out. Storage URIs are to be
// compared with the project returned, as for CreateProject.
func (c *Client) UpdateProject(ctx context.Context, projectID string, p Project) (Project, error) {
	// Read-only in the API's description, but for the status, which is the
	// service's own all the same.
	p.ID, p.Created, p.LastModified, p.ThumbnailURI, p.DRModeEnabled, p.Status = "", time.Time{}, time.Time{}, "", false, ""
	return call[Project](ctx, c, request{operation: "UpdateProject", method: http.MethodPatch,
		path: "projects/{}", ids: []string{projectID}, body: p})
}
