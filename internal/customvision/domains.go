package customvision

import (
	"context"
	"net/http"
)

// Domain is the kind of model that a project trains. Models of a domain that
// isn't exportable can never leave the service. Only the compact domains are
// exportable.
type Domain struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Type       string `json:"type"` // Classification or ObjectDetection
	Exportable bool   `json:"exportable"`
	Enabled    bool   `json:"enabled"`
}

// UnmarshalJSON decodes the domain, field by field.
func (d *Domain) UnmarshalJSON(data []byte) error {
	type plain Domain
	err := decodeItem(data, (*plain)(d))
	d.ID = Canonical(d.ID)
	return err
}

// Domains lists the domains that a project can use (GetDomains).
func (c *Client) Domains(ctx context.Context) ([]Domain, error) {
	return call[[]Domain](ctx, c, request{operation: "GetDomains", method: http.MethodGet, path: "domains"})
}

// Domain gets one domain by its id (GetDomain).
func (c *Client) Domain(ctx context.Context, id string) (Domain, error) {
	return call[Domain](ctx, c, request{operation: "GetDomain", method: http.MethodGet, path: "domains/{}", ids: []string{id}})
}
