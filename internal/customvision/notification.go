package customvision

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
)

// Kind is the type of a notification.
type Kind string

const (
	KindConnectionTest Kind = "ConnectionTest" // the queue was connected to a project
	KindTraining       Kind = "Training"
	KindExport         Kind = "Export"
)

// The statuses of a training or an export in a notification. The service may
// send others.
const (
	NotifiedTrainingCompleted = "TrainingCompleted"
	NotifiedTrainingFailed    = "TrainingFailed"
	NotifiedExportCompleted   = "ExportCompleted"
	NotifiedExportFailed      = "ExportFailed"
)

const notificationVersion = "1.0"

// ErrMalformed is the error for a message that breaks the documented format:
// broken JSON, a missing field, an id that isn't a GUID.
var ErrMalformed = errors.New("malformed notification")

// ErrUnknown is the error for a well-formed message of a type or version that
// is not documented.
var ErrUnknown = errors.New("unknown notification")

// Notification is a message that Custom Vision puts on a project's storage queue.
// Treat it as a hint: anyone who may write to the queue can forge one.
type Notification struct {
	Kind           Kind
	ProjectID      string // canonical GUID
	IterationID    string // canonical GUID; empty in a ConnectionTest
	TrainingStatus string // of a KindTraining: NotifiedTrainingCompleted, …
	ExportStatus   string // of a KindExport: NotifiedExportCompleted, …

	// ModelURI is the message's text, unchecked. It is the URL of the blob in the
	// project's container. If the project has no container it is a signed URL,
	// which is a secret. A failed export may have none.
	ModelURI string
}

// envelope is the documented form. "Content" alone begins with a capital letter.
type envelope struct {
	Version string  `json:"version"`
	Type    Kind    `json:"type"`
	Content content `json:"Content"`
}

type content struct {
	ProjectID      string `json:"projectId"`
	IterationID    string `json:"iterationId,omitempty"`
	TrainingStatus string `json:"trainingStatus,omitempty"`
	ExportStatus   string `json:"exportStatus,omitempty"`
	ModelURI       string `json:"modelUri,omitempty"`
}

// ParseNotification reads a queue message. The message may be raw JSON or Base64
// text: which of the two the service writes is not documented.
//
// Errors are ErrMalformed or ErrUnknown (errors.Is). Their text quotes nothing of
// the message but an unknown type or version, shortened.
func ParseNotification(raw []byte) (Notification, error) {
	text, err := messageText(raw)
	if err != nil {
		return Notification{}, err
	}
	// Content is decoded after type and version are checked: in another version
	// it may have another shape.
	var e struct {
		Version *string         `json:"version"`
		Type    *string         `json:"type"`
		Content json.RawMessage `json:"Content"`
	}
	if err := json.Unmarshal(text, &e); err != nil {
		return Notification{}, malformed(err)
	}
	switch {
	case e.Version == nil || *e.Version == "":
		return Notification{}, missing("version")
	case e.Type == nil || *e.Type == "":
		return Notification{}, missing("type")
	case *e.Version != notificationVersion:
		return Notification{}, fmt.Errorf("%w: version %.20q", ErrUnknown, *e.Version)
	}
	kind := Kind(*e.Type)
	if kind != KindConnectionTest && kind != KindTraining && kind != KindExport {
		return Notification{}, fmt.Errorf("%w: type %.40q", ErrUnknown, *e.Type)
	}
	var c *content
	if len(e.Content) == 0 {
		return Notification{}, missing("Content")
	}
	if err := json.Unmarshal(e.Content, &c); err != nil {
		return Notification{}, malformed(err)
	}
	if c == nil {
		return Notification{}, missing("Content")
	}
	return c.notification(kind)
}

// notification checks that the fields of this kind are there. Fields that don't
// belong to the kind are dropped.
func (c *content) notification(kind Kind) (n Notification, err error) {
	n.Kind = kind
	if n.ProjectID, err = ParseID(c.ProjectID); err != nil {
		return Notification{}, fmt.Errorf("%w: projectId is not a GUID", ErrMalformed)
	}
	if kind == KindConnectionTest {
		return n, nil
	}
	if n.IterationID, err = ParseID(c.IterationID); err != nil {
		return Notification{}, fmt.Errorf("%w: iterationId is not a GUID", ErrMalformed)
	}
	switch {
	case kind == KindTraining && c.TrainingStatus == "":
		return Notification{}, missing("trainingStatus")
	case kind == KindTraining:
		n.TrainingStatus = c.TrainingStatus
	case c.ExportStatus == "":
		return Notification{}, missing("exportStatus")
	case c.ExportStatus == NotifiedExportCompleted && c.ModelURI == "":
		return Notification{}, missing("modelUri")
	default:
		n.ExportStatus, n.ModelURI = c.ExportStatus, c.ModelURI
	}
	return n, nil
}

// MarshalJSON writes the notification in the documented form and casing.
func (n Notification) MarshalJSON() ([]byte, error) {
	return json.Marshal(envelope{notificationVersion, n.Kind, content{n.ProjectID, n.IterationID, n.TrainingStatus, n.ExportStatus, n.ModelURI}})
}

// messageText returns the JSON of a message. A message that doesn't begin with a
// brace is decoded from Base64.
func messageText(raw []byte) ([]byte, error) {
	text := trimmed(raw)
	if bytes.HasPrefix(text, []byte("{")) {
		return text, nil
	}
	// Padding is optional: with it cut off, one decoder reads both forms.
	unpadded := bytes.TrimRight(text, "=")
	decoded, err := base64.RawStdEncoding.AppendDecode(nil, unpadded)
	if err != nil || len(decoded) == 0 || len(text)-len(unpadded) > 2 {
		return nil, fmt.Errorf("%w: neither a JSON object nor Base64", ErrMalformed)
	}
	if text = trimmed(decoded); !bytes.HasPrefix(text, []byte("{")) {
		return nil, fmt.Errorf("%w: Base64 of something else than a JSON object", ErrMalformed)
	}
	return text, nil
}

func trimmed(b []byte) []byte {
	return bytes.TrimSpace(bytes.TrimPrefix(bytes.TrimSpace(b), []byte("\ufeff")))
}

func malformed(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("%w: broken JSON at byte %d", ErrMalformed, syntax.Offset)
	}
	var field *json.UnmarshalTypeError
	if errors.As(err, &field) && field.Field != "" {
		return fmt.Errorf("%w: %s is of the wrong JSON type", ErrMalformed, field.Field)
	}
	return fmt.Errorf("%w: Content is not an object", ErrMalformed)
}

func missing(field string) error { return fmt.Errorf("%w: %s is missing", ErrMalformed, field) }
