package customvision

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
)

// TaggingStatus selects images by whether they have tags.
type TaggingStatus string

const (
	AllImages      TaggingStatus = "All"
	TaggedImages   TaggingStatus = "Tagged"
	UntaggedImages TaggingStatus = "Untagged"
)

// ImageCount returns the number of a project's images in an iteration
// (GetImageCount). An empty iterationID means the current images.
func (c *Client) ImageCount(ctx context.Context, projectID, iterationID string, status TaggingStatus) (int, error) {
	query := url.Values{}
	setIf(query, "iterationId", iterationID)
	setIf(query, "taggingStatus", string(status))
	// A json.Number: the official examples write counts as strings.
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
