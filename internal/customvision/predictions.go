package customvision

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"
)

// Prediction is a stored prediction: a picture that somebody had classified. The service
// keeps it for 30 days. Raw is the service's own JSON, with the links in it.
type Prediction struct {
	ID               string          `json:"id"`
	Created          time.Time       `json:"created"`
	OriginalImageURI string          `json:"originalImageUri"`
	Raw              json.RawMessage `json:"-"`
}

// UnmarshalJSON decodes the prediction, field by field.
func (p *Prediction) UnmarshalJSON(data []byte) error {
	type plain Prediction
	p.Raw = slices.Clone(data)
	err := decodeItem(data, (*plain)(p))
	p.ID = Canonical(p.ID)
	return err
}

// PredictionPage is a page of stored predictions. Next asks for the page after it; nil after
// the last.
type PredictionPage struct {
	Predictions []Prediction
	Next        json.RawMessage
}

// FirstPredictions asks for the first page of stored predictions, the oldest or the newest
// first.
func FirstPredictions(order string, most int) json.RawMessage {
	token, _ := json.Marshal(map[string]any{"orderBy": order, "maxCount": most}) // texts and numbers can't fail
	return token
}

// Predictions lists a page of a project's stored predictions (QueryPredictions). It is sent
// once, though it changes nothing.
func (c *Client) Predictions(ctx context.Context, projectID string, token json.RawMessage) (PredictionPage, error) {
	answer, err := call[struct {
		Token   json.RawMessage `json:"token"`
		Results []Prediction    `json:"results"`
	}](ctx, c, request{operation: "QueryPredictions", method: http.MethodPost,
		path: "projects/{}/predictions/query", ids: []string{projectID}, body: token})
	page := PredictionPage{Predictions: answer.Results}
	var next struct {
		Continuation *string `json:"continuation"`
	}
	if json.Unmarshal(answer.Token, &next) == nil && next.Continuation != nil && *next.Continuation != "" && len(page.Predictions) > 0 {
		page.Next = answer.Token
	}
	return page, err
}
