package customvision

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// These operations return what the service answers as it is, for who keeps all of it.
// Links are in there.

// document is an object as it was answered.
type document struct{ raw json.RawMessage }

// UnmarshalJSON keeps the object.
func (d *document) UnmarshalJSON(data []byte) error {
	d.raw = slices.Clone(data)
	return nil
}

// ProjectJSON is a project as the service answers it (GetProject).
func (c *Client) ProjectJSON(ctx context.Context, projectID string) (json.RawMessage, error) {
	d, err := call[document](ctx, c, request{operation: "GetProject", method: http.MethodGet,
		path: "projects/{}", ids: []string{projectID}})
	return d.raw, err
}

// DomainJSON is a domain as the service answers it (GetDomain).
func (c *Client) DomainJSON(ctx context.Context, id string) (json.RawMessage, error) {
	d, err := call[document](ctx, c, request{operation: "GetDomain", method: http.MethodGet, path: "domains/{}", ids: []string{id}})
	return d.raw, err
}

// TagsJSON are a project's tags in an iteration as the service answers them (GetTags).
// An empty iterationID means the current tags.
func (c *Client) TagsJSON(ctx context.Context, projectID, iterationID string) ([]json.RawMessage, error) {
	query := url.Values{}
	setIf(query, "iterationId", iterationID)
	return call[[]json.RawMessage](ctx, c, request{operation: "GetTags", method: http.MethodGet,
		path: "projects/{}/tags", ids: []string{projectID}, query: query})
}

// IterationsJSON are a project's iterations as the service answers them (GetIterations).
func (c *Client) IterationsJSON(ctx context.Context, projectID string) ([]json.RawMessage, error) {
	return call[[]json.RawMessage](ctx, c, request{operation: "GetIterations", method: http.MethodGet,
		path: "projects/{}/iterations", ids: []string{projectID}})
}

// PerformanceJSON is an iteration's performance at a probability threshold as the
// service answers it (GetIterationPerformance). It chooses the overlap threshold.
func (c *Client) PerformanceJSON(ctx context.Context, projectID, iterationID string, threshold float64) (json.RawMessage, error) {
	d, err := call[document](ctx, c, request{operation: "GetIterationPerformance", method: http.MethodGet,
		path: "projects/{}/iterations/{}/performance", ids: []string{projectID, iterationID},
		query: url.Values{"threshold": {strconv.FormatFloat(threshold, 'f', -1, 64)}}})
	return d.raw, err
}
