package customvision

import (
	"context"
	"net/http"
	"net/url"
)

// Tag is a label of a project's images.
type Tag struct {
	ID          string  `json:"id"`
	Name        string  `json:"name"`
	Description *string `json:"description"`
	Type        string  `json:"type"` // Regular, Negative or GeneralProduct
	ImageCount  int     `json:"imageCount"`
}

// UnmarshalJSON decodes the tag, field by field.
func (t *Tag) UnmarshalJSON(data []byte) error {
	type plain Tag
	err := decodeItem(data, (*plain)(t))
	t.ID = Canonical(t.ID)
	return err
}

// Tags lists a project's tags in an iteration (GetTags). An empty iterationID
// means the current tags.
func (c *Client) Tags(ctx context.Context, projectID, iterationID string) ([]Tag, error) {
	query := url.Values{}
	setIf(query, "iterationId", iterationID)
	return call[[]Tag](ctx, c, request{operation: "GetTags", method: http.MethodGet,
		path: "projects/{}/tags", ids: []string{projectID}, query: query})
}
