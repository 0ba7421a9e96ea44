package customvision

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
)

// Performance is how well an iteration predicts its own training images at one
// threshold. All figures are between 0 and 1; one that the service has none of is nil.
type Performance struct {
	PerTag                []TagPerformance `json:"perTagPerformance"`
	Precision             *float64         `json:"precision"`
	PrecisionStdDeviation *float64         `json:"precisionStdDeviation"`
	Recall                *float64         `json:"recall"`
	RecallStdDeviation    *float64         `json:"recallStdDeviation"`
	AveragePrecision      *float64         `json:"averagePrecision"` // mean over the tags
}

// TagPerformance is how well an iteration predicts one tag.
type TagPerformance struct {
	ID                    string   `json:"id"`
	Name                  string   `json:"name"`
	Precision             *float64 `json:"precision"`
	PrecisionStdDeviation *float64 `json:"precisionStdDeviation"`
	Recall                *float64 `json:"recall"`
	RecallStdDeviation    *float64 `json:"recallStdDeviation"`
	AveragePrecision      *float64 `json:"averagePrecision"`
}

// UnmarshalJSON decodes the performance, field by field.
func (p *Performance) UnmarshalJSON(data []byte) error {
	type plain Performance
	return decodeFields(data, (*plain)(p))
}

// UnmarshalJSON decodes a tag's performance, field by field.
func (p *TagPerformance) UnmarshalJSON(data []byte) error {
	type plain TagPerformance
	err := decodeItem(data, (*plain)(p))
	p.ID = Canonical(p.ID)
	return err
}

// Performance gets an iteration's performance at a probability threshold
// (GetIterationPerformance). Object detection also has an overlap threshold. With
// overlap 0, the service chooses it.
func (c *Client) Performance(ctx context.Context, projectID, iterationID string, threshold, overlap float64) (Performance, error) {
	query := url.Values{"threshold": {strconv.FormatFloat(threshold, 'f', -1, 64)}}
	if overlap != 0 {
		query.Set("overlapThreshold", strconv.FormatFloat(overlap, 'f', -1, 64))
	}
	return call[Performance](ctx, c, request{operation: "GetIterationPerformance", method: http.MethodGet,
		path: "projects/{}/iterations/{}/performance", ids: []string{projectID, iterationID}, query: query})
}
