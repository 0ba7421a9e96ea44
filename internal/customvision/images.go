package customvision

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
)

// TaggingStatus selects images by whether they are labelled.
type TaggingStatus string

const (
	AllImages      TaggingStatus = "All"
	TaggedImages   TaggingStatus = "Tagged"
	UntaggedImages TaggingStatus = "Untagged"
)

// ImageCount counts a project's images as an iteration had them, or as they are
// now where iterationID is empty (GetImageCount).
func (c *Client) ImageCount(ctx context.Context, projectID, iterationID string, status TaggingStatus) (int, error) {
	query := url.Values{}
	setIf(query, "iterationId", iterationID)
	setIf(query, "taggingStatus", string(status))
	// A json.Number, because the official examples write counts as text.
	var count json.Number
	r := request{operation: "GetImageCount", method: http.MethodGet, path: "projects/{}/images/count", ids: []string{projectID}, query: query}
	if err := c.do(ctx, r, &count); err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(count.String())
	if err != nil {
		return 0, &Error{Operation: r.operation, Status: http.StatusOK, Message: "the answer is not a count"}
	}
	return n, nil
}
