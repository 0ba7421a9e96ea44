package customvision

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// The statuses of an iteration. The service may send others.
const (
	StatusNew       = "New"
	StatusTraining  = "Training"
	StatusCompleted = "Completed"
	StatusFailed    = "Failed"
)

// The types of trainings.
const (
	TypeRegular  = "Regular"
	TypeAdvanced = "Advanced"
)

// Iteration is one training of a project. The newest is the Completed one with
// the latest TrainedAt. Created doesn't help: it is the time of the previous
// training. Lists have no order.
type Iteration struct {
	ID                        string     `json:"id" vital:""`
	ProjectID                 string     `json:"projectId"`
	Name                      string     `json:"name"`
	Status                    string     `json:"status" vital:""`
	Created                   time.Time  `json:"created"`
	LastModified              time.Time  `json:"lastModified"`
	TrainedAt                 *time.Time `json:"trainedAt,omitempty"` // nil until trained
	Exportable                bool       `json:"exportable"`
	ExportableTo              []string   `json:"exportableTo"`       // often nil although the iteration is exportable
	DomainID                  string     `json:"domainId"`           // "" (null in JSON) before training
	ClassificationType        string     `json:"classificationType"` // "" (null in JSON) before training and for object detection
	TrainingType              string     `json:"trainingType"`       // TypeRegular or TypeAdvanced
	ReservedBudgetInHours     int        `json:"reservedBudgetInHours"`
	TrainingTimeInMinutes     int        `json:"trainingTimeInMinutes"`
	PublishName               string     `json:"publishName"`               // "" (null in JSON) if not published
	OriginalPublishResourceID string     `json:"originalPublishResourceId"` // "" (null in JSON) if not published
}

// UnmarshalJSON decodes the iteration, field by field.
func (i *Iteration) UnmarshalJSON(data []byte) error {
	type plain Iteration
	return decodeItem(data, (*plain)(i))
}

// TrainOptions are the options of a training. The zero value is a Regular
// training of all tags.
type TrainOptions struct {
	Type                  string // TypeRegular, which the service takes for none, or TypeAdvanced
	ReservedBudgetInHours int    // for Advanced
	Force                 bool   // train although nothing changed since the last training
	NotificationEmail     string // gets a mail of the service when the training ends
	SelectedTags          []string
}

// Train starts a training (TrainProject). It is sent once: after an error for
// which Lost is true, look at Iterations. The service refuses with
// BadRequestTrainingNotNeeded if nothing changed since the last training, and
// with BadRequestTrainingAlreadyInProgress while one runs.
func (c *Client) Train(ctx context.Context, projectID string, o TrainOptions) (Iteration, error) {
	query := url.Values{}
	setIf(query, "trainingType", o.Type)
	setIf(query, "notificationEmailAddress", o.NotificationEmail)
	if o.ReservedBudgetInHours != 0 {
		query.Set("reservedBudgetInHours", strconv.Itoa(o.ReservedBudgetInHours))
	}
	if o.Force {
		query.Set("forceTrain", "true")
	}
	r := request{operation: "TrainProject", method: http.MethodPost, path: "projects/{}/train", ids: []string{projectID}, query: query}
	if len(o.SelectedTags) > 0 {
		r.body = map[string][]string{"selectedTags": o.SelectedTags}
	}
	return call[Iteration](ctx, c, r)
}

// Iterations lists a project's iterations in no order (GetIterations). A project
// has at most 20. Those of a project are asked for in every sweep, and decoded only when
// the answer is another than the last. What an iteration points to is shared, and must not
// be changed.
func (c *Client) Iterations(ctx context.Context, projectID string) (list []Iteration, err error) {
	r := request{operation: "GetIterations", method: http.MethodGet, path: "projects/{}/iterations", ids: []string{projectID}}
	err = c.ask(ctx, r, func(body []byte) (err error) {
		list, err = c.iterations.Read(Canonical(projectID), body, func() (list []Iteration, err error) {
			err = decodeAnswer(body, &list)
			return list, err
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return slices.Clone(list), nil
}

// Iteration gets one iteration (GetIteration).
func (c *Client) Iteration(ctx context.Context, projectID, iterationID string) (Iteration, error) {
	return call[Iteration](ctx, c, request{operation: "GetIteration", method: http.MethodGet,
		path: "projects/{}/iterations/{}", ids: []string{projectID, iterationID}})
}

// DeleteIteration deletes an iteration and its exports, for good
// (DeleteIteration). It is sent once. A published iteration is refused with
// BadRequestIterationIsPublished.
func (c *Client) DeleteIteration(ctx context.Context, projectID, iterationID string) error {
	return c.do(ctx, request{operation: "DeleteIteration", method: http.MethodDelete,
		path: "projects/{}/iterations/{}", ids: []string{projectID, iterationID}}, nil)
}
