package customvision

import (
	"context"
	"errors"
	"net/http"
	"net/url"
)

// Publish publishes an iteration under a name to a prediction resource, which
// predictionID names by its full Azure Resource Manager id (PublishIteration). It
// is sent once: after an error for which Lost is true, look at the iteration's
// PublishName. An iteration that is published already is refused with
// BadRequestIterationIsPublished, even with overwrite. One whose name another iteration
// has is refused, as NameTaken reports.
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

// NameTaken reports whether a Publish was refused because another iteration has the name.
func NameTaken(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == "BadRequestInvalidPublishName"
}

// Unpublish frees the name of a published iteration (UnpublishIteration). It is sent once.
// Who asks for predictions under the name gets none from then on.
func (c *Client) Unpublish(ctx context.Context, projectID, iterationID string) error {
	return c.do(ctx, request{operation: "UnpublishIteration", method: http.MethodDelete,
		path: "projects/{}/iterations/{}/publish", ids: []string{projectID, iterationID}}, nil)
}
