package customvision

import (
	"context"
	"errors"
	"net/http"
)

// noProject is the id of a project and of an iteration that can't be there.
const noProject = "00000000-0000-0000-0000-000000000000"

// Refusal asks for a training and an export of a project that can't be there, which
// changes nothing. It is an error if the caller is refused the one or the other, or if
// there is no answer. Rights are looked at before projects where they are those of a role
// (Azure RBAC), by its documents; that was never tried, so that nil proves no right.
func (c *Client) Refusal(ctx context.Context) error {
	_, err := c.Train(ctx, noProject, TrainOptions{})
	if refused := notForWant(err); refused != nil {
		return refused
	}
	_, err = c.Export(ctx, noProject, noProject, "ONNX", "")
	return notForWant(err)
}

// notForWant is nil for the refusal of what isn't there.
func notForWant(err error) error {
	var e *Error
	if errors.As(err, &e) && (e.Status == http.StatusNotFound || e.Status == http.StatusBadRequest) {
		return nil
	}
	return err
}
