package customvision

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
)

// MaxTested is the largest picture that QuickTest takes, in bytes, by the description of
// the API.
const MaxTested = 6 << 20

// Predicted is what an iteration sees in a picture: a tag, where of object detection, and
// how likely.
type Predicted struct {
	TagID       string   `json:"tagId"`
	TagName     string   `json:"tagName"`
	Probability *float64 `json:"probability"` // nil where the service gives none
	Box         *Box     `json:"boundingBox"` // nil of classification
}

// Box is a part of a picture, in shares of its width and height.
type Box struct {
	Left   float64 `json:"left"`
	Top    float64 `json:"top"`
	Width  float64 `json:"width"`
	Height float64 `json:"height"`
}

// UnmarshalJSON decodes the prediction, field by field.
func (p *Predicted) UnmarshalJSON(data []byte) error {
	type plain Predicted
	err := decodeItem(data, (*plain)(p))
	p.TagID = Canonical(p.TagID)
	return err
}

// QuickTest asks what an iteration sees in a picture, which the service doesn't store
// (QuickTestImage with store=false). It is sent once, though it changes nothing: each one
// counts towards the service's limits.
func (c *Client) QuickTest(ctx context.Context, projectID, iterationID string, picture []byte) ([]Predicted, error) {
	r := request{operation: "QuickTestImage", method: http.MethodPost, path: "projects/{}/quicktest/image",
		ids: []string{projectID}, query: url.Values{"iterationId": {iterationID}, "store": {"false"}}, bytes: picture}
	var answer struct {
		Iteration   string      `json:"iteration"`
		Predictions []Predicted `json:"predictions"`
	}
	if err := c.do(ctx, r, &answer); err != nil {
		return nil, err
	}
	if answer.Iteration != "" && Canonical(answer.Iteration) != Canonical(iterationID) {
		return nil, &Error{Operation: r.operation, Status: http.StatusOK, Message: "the service answers by another iteration than the one that was asked for"}
	}
	if answer.Predictions == nil {
		return nil, &Error{Operation: r.operation, Status: http.StatusOK, Message: "the answer has no list of predictions"}
	}
	return answer.Predictions, nil
}

// setBytes makes a body of bytes as they are.
func setBytes(req *policy.Request, body []byte) error {
	if err := req.SetBody(streaming.NopCloser(bytes.NewReader(body)), "application/octet-stream"); err != nil {
		return fmt.Errorf("set the body: %w", err)
	}
	return nil
}
