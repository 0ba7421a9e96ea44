package customvision

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// The statuses of a project. The service may send others.
const (
	StatusSucceeded = "Succeeded"
	StatusImporting = "Importing" // a copy of another is being made of it; it ends as Succeeded or Failed
)

// Project is a Custom Vision project. Fields of the service that are not named
// here are kept, and UpdateProject sends them back.
type Project struct {
	ID            string          `json:"id,omitempty" vital:""`
	Name          string          `json:"name"`
	Description   *string         `json:"description"`
	Settings      ProjectSettings `json:"settings" vital:""`
	Created       time.Time       `json:"created,omitzero"`
	LastModified  time.Time       `json:"lastModified,omitzero"`
	ThumbnailURI  string          `json:"thumbnailUri,omitempty"`  // may be signed: a secret
	DRModeEnabled bool            `json:"drModeEnabled,omitempty"` // temporarily read-only
	Status        string          `json:"status,omitempty"`        // StatusSucceeded, StatusImporting or StatusFailed

	unknown unknownFields
}

// ProjectSettings are a project's settings. Settings of the service that are not
// named here, such as image processing, are kept and sent back.
type ProjectSettings struct {
	DomainID              string   `json:"domainId,omitempty"`
	ClassificationType    *string  `json:"classificationType,omitempty"` // Multiclass or Multilabel; nil for object detection
	TargetExportPlatforms []string `json:"targetExportPlatforms,omitzero"`
	// The storage integration: plain URLs of a container and a queue, empty if
	// not set. An update leaves an empty URL out, so it can't clear one.
	ExportModelContainerURI string `json:"exportModelContainerUri,omitempty"`
	NotificationQueueURI    string `json:"notificationQueueUri,omitempty"`

	unknown unknownFields
}

// UnmarshalJSON decodes the project and keeps the fields that Project doesn't
// name.
func (p *Project) UnmarshalJSON(data []byte) error {
	type plain Project
	p.unknown = fieldsUnknownTo(*p, data)
	return decodeItem(data, (*plain)(p))
}

// MarshalJSON encodes the project with the fields that were kept.
func (p Project) MarshalJSON() ([]byte, error) {
	type plain Project
	return p.unknown.marshalWith(plain(p))
}

// UnmarshalJSON decodes the settings and keeps those that ProjectSettings doesn't
// name.
func (s *ProjectSettings) UnmarshalJSON(data []byte) error {
	type plain ProjectSettings
	s.unknown = fieldsUnknownTo(*s, data)
	return decodeFields(data, (*plain)(s))
}

// MarshalJSON encodes the settings with those that were kept.
func (s ProjectSettings) MarshalJSON() ([]byte, error) {
	type plain ProjectSettings
	return s.unknown.marshalWith(plain(s))
}

// Clearing is how an update asks the service to forget storage URIs.
type Clearing string

const (
	ClearByEmpty   Clearing = `""`
	ClearByNull    Clearing = `null`
	ClearByAbsence Clearing = ""
)

// WithoutURIs is the project for an update that clears its storage URIs in this way.
func (p Project) WithoutURIs(how Clearing) Project {
	p.Settings.ExportModelContainerURI, p.Settings.NotificationQueueURI = "", ""
	if how != ClearByAbsence {
		fields := unknownFields{}
		maps.Copy(fields, p.Settings.unknown)
		fields["exportModelContainerUri"], fields["notificationQueueUri"] = json.RawMessage(how), json.RawMessage(how)
		p.Settings.unknown = fields
	}
	return p
}

// CreateProjectOptions describe a new project. Only Name is required.
type CreateProjectOptions struct {
	Name, Description, DomainID, ClassificationType string
	TargetExportPlatforms                           []string
	ExportModelContainerURI, NotificationQueueURI   string
}

// Projects lists the resource's projects (GetProjects).
func (c *Client) Projects(ctx context.Context) ([]Project, error) {
	list, err := call[[]Project](ctx, c, request{operation: "GetProjects", method: http.MethodGet, path: "projects"})
	if err == nil {
		listed := map[string]bool{}
		for _, p := range list {
			listed[Canonical(p.ID)] = true
		}
		c.iterations.Keep(func(id string) bool { return listed[id] })
	}
	return list, err
}

// Project gets one project (GetProject).
func (c *Client) Project(ctx context.Context, projectID string) (Project, error) {
	return call[Project](ctx, c, request{operation: "GetProject", method: http.MethodGet, path: "projects/{}", ids: []string{projectID}})
}

// CreateProject creates a project (CreateProject). It is sent once.
//
// The storage URIs are sent as the storage integration guide says, although the
// API's description doesn't name them. Success doesn't prove that the service
// kept them: compare them with the settings of the project returned.
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

// UpdateProject replaces a project's name, description and settings
// (UpdateProject). Get the project first and change what you got: all its
// settings are sent, because it is unknown whether the service clears settings
// that a request leaves out. Compare storage URIs with the project returned, as
// for CreateProject.
func (c *Client) UpdateProject(ctx context.Context, projectID string, p Project) (Project, error) {
	// These are read-only in the API's description. Status is not, but the
	// service sets it.
	p.ID, p.Created, p.LastModified, p.ThumbnailURI, p.DRModeEnabled, p.Status = "", time.Time{}, time.Time{}, "", false, ""
	return call[Project](ctx, c, request{operation: "UpdateProject", method: http.MethodPatch,
		path: "projects/{}", ids: []string{projectID}, body: p})
}
