package customvision

import (
	"context"
	"net/http"
	"net/url"
)

// Publish publishes an iteration under a name to a prediction resource, which
// predictionID names by its full Azure Resource Manager id (PublishIteration). It
// is sent once: after an error for which Lost is true, look at the iteration's
// PublishName. An iteration that is published already is refused with
// BadRequestIterationIsPublished, even with overwrite.
func (c *Client) Publish(ctx context.Context, projectID, iterationID, name, predictionID string, overwrite bool) error {
	query := url.Values{"publishName": {name}, "predictionId": {predictionID}}
	if overwrite {
		query.Set("overwrite", "true")
	}
	r := request{operation: "PublishIteration", method: http.MethodPost,
		path: "projects/{}/iterations/{}/publish", ids: []string{projectID, iterationID}, query: query}
	var published bool
	if err := c.do(ctx, r, &published); err != nil {
		return err
	}
	if !published {
		return &Error{Operation: r.operation, Status: http.StatusOK, Message: "the service says that it didn't publish, without a reason"}
	}
	return nil
}
