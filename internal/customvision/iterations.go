package customvision

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// An iteration's status. The list is open.
const (
	StatusNew       = "New"
	StatusTraining  = "Training"
	StatusCompleted = "Completed"
	StatusFailed    = "Failed"
)

// Iteration is one training of a project. The newest is the Completed one with
// the latest TrainedAt: lists come in no order, and Created is the time of the
// training before.
type Iteration struct {
	ID                        string     `json:"id"`
	ProjectID                 string     `json:"projectId"`
	Name                      string     `json:"name"`
	Status                    string     `json:"status"`
	Created                   time.Time  `json:"created"`
	LastModified              time.Time  `json:"lastModified"`
	TrainedAt                 *time.Time `json:"trainedAt,omitempty"` // nil until trained
	Exportable                bool       `json:"exportable"`
	ExportableTo              []string   `json:"exportableTo"`       // often nil though exportable
	DomainID                  string     `json:"domainId"`           // "" when null: not yet trained
	ClassificationType        string     `json:"classificationType"` // "" when null: not yet trained, or object detection
	TrainingType              string     `json:"trainingType"`       // Regular or Advanced
	ReservedBudgetInHours     int        `json:"reservedBudgetInHours"`
	TrainingTimeInMinutes     int        `json:"trainingTimeInMinutes"`
	PublishName               string     `json:"publishName"`               // "" when null: not published
	OriginalPublishResourceID string     `json:"originalPublishResourceId"` // "" when null
}

// TrainOptions say how to train. The zero value is a Regular training of all tags.
type TrainOptions struct {
	Type                  string // Regular or Advanced
	ReservedBudgetInHours int    // for Advanced
	Force                 bool   // train also when nothing changed since the last training
	NotificationEmail     string // told by the service when the training ends
	SelectedTags          []string
}

// Train starts a training (TrainProject). It is sent once: on an error for which
// Lost is true, look at Iterations. BadRequestTrainingNotNeeded says that nothing
// changed since the last training, BadRequestTrainingAlreadyInProgress that one
// runs.
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

// Iterations lists a project's iterations, at most 20, in no order (GetIterations).
func (c *Client) Iterations(ctx context.Context, projectID string) ([]Iteration, error) {
	return call[[]Iteration](ctx, c, request{operation: "GetIterations", method: http.MethodGet,
		path: "projects/{}/iterations", ids: []string{projectID}})
}

// Iteration gets one iteration (GetIteration).
func (c *Client) Iteration(ctx context.Context, projectID, iterationID string) (Iteration, error) {
	return call[Iteration](ctx, c, request{operation: "GetIteration", method: http.MethodGet,
		path: "projects/{}/iterations/{}", ids: []string{projectID, iterationID}})
}

// RenameIteration changes an iteration's name, all that can be changed of it
// (UpdateIteration).
func (c *Client) RenameIteration(ctx context.Context, projectID, iterationID, name string) (Iteration, error) {
	return call[Iteration](ctx, c, request{operation: "UpdateIteration", method: http.MethodPatch,
		path: "projects/{}/iterations/{}", ids: []string{projectID, iterationID}, body: map[string]string{"name": name}})
}

// DeleteIteration deletes an iteration with its exports, for good
// (DeleteIteration). It is sent once. A published one is refused with
// BadRequestIterationIsPublished.
func (c *Client) DeleteIteration(ctx context.Context, projectID, iterationID string) error {
	return c.do(ctx, request{operation: "DeleteIteration", method: http.MethodDelete,
		path: "projects/{}/iterations/{}", ids: []string{projectID, iterationID}}, nil)
}
