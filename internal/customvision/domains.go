package customvision

import (
	"context"
	"net/http"
)

// Domain is what a project's models are built on. Models of a domain that isn't
// exportable (all but the compact ones) can never leave the service.
type Domain struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Type       string `json:"type"` // Classification or ObjectDetection
	Exportable bool   `json:"exportable"`
	Enabled    bool   `json:"enabled"`
}

// Domains lists the domains that projects can be built on (GetDomains).
func (c *Client) Domains(ctx context.Context) ([]Domain, error) {
	return call[[]Domain](ctx, c, request{operation: "GetDomains", method: http.MethodGet, path: "domains"})
}

// Domain gets one domain (GetDomain).
func (c *Client) Domain(ctx context.Context, id string) (Domain, error) {
	return call[Domain](ctx, c, request{operation: "GetDomain", method: http.MethodGet, path: "domains/{}", ids: []string{id}})
}
