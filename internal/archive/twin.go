package archive

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"visionkeeper/internal/pattern"
	"visionkeeper/internal/seal"
)

// NotTheSame is what each Twin says.
const NotTheSame = "not the same model"

// Twin says that a model which can't be exported has a compact twin, whose exports are in
// the archive, and how well both predict. It is sealed JSON where the backups of the
// original would be, written once.
type Twin struct {
	Layout int    `json:"layout"`
	ID     string `json:"twinId"`
	Says   string `json:"says"` // NotTheSame
	// Original is the model that can't be exported; its exports are none.
	Original Trained `json:"original"`
	Twin     Trained `json:"twin"`
	// Threshold is the probability at which both were measured.
	Threshold float64 `json:"threshold"`
	// Copied is when the twin's project was made of the original: it was trained with the
	// data set as it was then.
	Copied time.Time `json:"copied"`
	// Hours were reserved for its training.
	Hours int `json:"budgetHours"`
	// Keep reports whether the twin was to stay a project in Custom Vision.
	Keep    bool      `json:"keep"`
	Written time.Time `json:"written"`
	Version string    `json:"version"` // of the program
}

// Trained is one of the two models that a Twin is about.
type Trained struct {
	Project       string     `json:"projectId"`
	ProjectName   string     `json:"projectName"`
	Iteration     string     `json:"iterationId"`
	IterationName string     `json:"iterationName"`
	Domain        string     `json:"domain"`    // its name
	TrainedAt     *time.Time `json:"trainedAt"` // null where that isn't known
	// Performance is what Custom Vision measured, on a part of the images that each was
	// trained with; null where it doesn't say.
	Performance json.RawMessage `json:"performance"`
	Proofs      []string        `json:"proofs"` // of its exports that are a backup
}

var twinFile = pattern.Of(`^twin-([0-9]{8}T[0-9]{6}Z-[a-z2-7]{8})\.json$`)

// TwinID names a twin that was asked for at a time.
func TwinID(at time.Time, token string) string { return DeletionID(at, token) }

// Blob is its name in the container.
func (t Twin) Blob() string {
	return t.Original.Project + "/" + t.Original.Iteration + "/twin-" + t.ID + ".json"
}

// PutTwin writes one, once: one that is there already was written by a request whose answer
// was lost, or by a process that ended. One request: Put Blob.
func (a *Archive) PutTwin(ctx context.Context, t Twin) error {
	t.Layout, t.Says, t.Version = layoutVersion, NotTheSame, a.options.Version
	name := t.Blob()
	if !twinFile().MatchString(name[strings.LastIndexByte(name, '/')+1:]) {
		return fmt.Errorf("write what a twin is to %s: that is no name for it", name)
	}
	return a.putOnce(ctx, "write what a twin is to "+name, name, t, func() error {
		_, err := a.twin(ctx, name)
		return err
	})
}

// twin reads one. The error is ErrNotFound where it isn't there, and seal.ErrBroken where
// it is damaged or is that of another model.
func (a *Archive) twin(ctx context.Context, name string) (Twin, error) {
	var t Twin
	what := "read what a twin is from " + name
	data, err := a.small(ctx, what, name)
	if err != nil {
		return t, err
	}
	if err := seal.Unmarshal(data, &t); err != nil {
		return t, fmt.Errorf("%s: %w", what, err)
	}
	if t.Blob() != name {
		return t, fmt.Errorf("%s: %w: it is of %s", what, seal.ErrBroken, t.Blob())
	}
	return t, nil
}

// Twins are those of a project's models, or of all projects' where it is empty, in the
// order of their names. Those that can't be read are left out. One request per 5,000 blobs
// of models, and one for each. (List Blobs, Get Blob)
func (a *Archive) Twins(ctx context.Context, project string) ([]Twin, error) {
	return documents(ctx, a, project, twinFile().MatchString, a.twin)
}
