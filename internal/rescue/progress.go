package rescue

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/dataset"
	"visionkeeper/internal/state"
)

// Progress is how far the saving of a project's data set has come. It stands in the
// state; without it, it is made anew of the archive's proofs.
type Progress struct {
	Project string `json:"projectId"`
	Name    string `json:"name"`
	// Holder is the process that has the project until HeldUntil, or until it says that it
	// has it no longer.
	Holder    string    `json:"holder,omitempty"`
	HeldUntil time.Time `json:"heldUntil,omitzero"`
	// Looked is when the service was asked last what there is; Iterations is what it said.
	Looked     time.Time       `json:"looked,omitzero"`
	Iterations []SeenIteration `json:"iterations"`
	// Kept are the newest snapshots by what they are of: dataset.Workspace, or an
	// iteration's id.
	Kept   map[string]*Kept `json:"kept"`
	Taking *Taking          `json:"taking,omitempty"` // nil where no snapshot is under way
	// Told is the newest complete snapshot of the workspace of which others are told.
	Told string `json:"told,omitempty"`
	// Covered is what was saved when the last slice ended.
	Covered state.Coverage `json:"covered"`
	// Trouble is why the last slice ended before its time; empty where it didn't.
	Trouble string `json:"trouble,omitempty"`
}

// SeenIteration is an iteration as the service listed it.
type SeenIteration struct {
	ID         string    `json:"id"`
	Name       string    `json:"name"`
	Status     string    `json:"status"`
	Exportable bool      `json:"exportable"`
	DomainID   string    `json:"domainId"`
	Domain     string    `json:"domain,omitempty"` // its name, where the model can't be exported
	TrainedAt  time.Time `json:"trainedAt,omitzero"`
}

// Kept is a snapshot in the archive.
type Kept struct {
	Name     string          `json:"name"` // of the iteration; empty for the workspace
	Snapshot string          `json:"snapshotId"`
	Verdict  dataset.Verdict `json:"verdict"`
	Why      string          `json:"why"`
	Asked    dataset.Counts  `json:"asked"`
	Found    dataset.Counts  `json:"found"`
	Missing  int             `json:"missing"`
	Files    int             `json:"files"`
	Bytes    int64           `json:"bytes"` // of the pictures that it names
	Size     int64           `json:"size"`  // bytes of the snapshot itself
	SHA256   string          `json:"sha256"`
	Ended    time.Time       `json:"ended"` // when it was proven
	Newest   time.Time       `json:"newest,omitzero"`
	Modified time.Time       `json:"modified,omitzero"` // the project's lastModified
	// Prediction is the newest stored prediction that was saved; empty without any.
	Prediction string `json:"prediction,omitempty"`
	// All reports whether the performance is there at every threshold.
	All     bool      `json:"all,omitempty"`
	Checked time.Time `json:"checked"` // when it was known to be up to date
	// Tries counts the snapshots that weren't complete, one after another; Next is when
	// another is taken.
	Tries int       `json:"tries,omitempty"`
	Next  time.Time `json:"next,omitzero"`
}

// Taking is a snapshot under way.
type Taking struct {
	dataset.Name
	IterationName string         `json:"iterationName,omitempty"`
	TrainedAt     *time.Time     `json:"trainedAt,omitempty"`
	PublishedName string         `json:"publishedName,omitempty"`
	Asked         dataset.Counts `json:"asked"`
	Note          string         `json:"note,omitempty"`
	// Modified is the project's lastModified when the reading began, Tags a hash of its tags.
	Modified time.Time `json:"modified,omitzero"`
	Tags     string    `json:"tags"`
	All      bool      `json:"all,omitempty"`
	// Parts are staged. Images and Performances are how many are in them, Last is the last
	// image's id. Listed reports whether all images are.
	Parts        int    `json:"parts"`
	Images       int    `json:"images"`
	Last         string `json:"last,omitempty"`
	Listed       bool   `json:"listed,omitempty"`
	Performances int    `json:"performances,omitempty"`
	// Predicted counts the stored predictions that are in them. NextPredictions asks the
	// service for those that follow; empty where they aren't wanted or all are there.
	Predicted       int             `json:"predicted,omitempty"`
	NextPredictions json.RawMessage `json:"nextPredictions,omitempty"`
	Prediction      string          `json:"prediction,omitempty"` // the newest so far

	Changes []string          `json:"changes,omitempty"`
	Missing []dataset.Missing `json:"missing,omitempty"`
	More    int               `json:"more,omitempty"` // missing besides
	// Moved is when it last went on. Stumbles counts the slices since then that failed.
	Moved    time.Time `json:"moved"`
	Stumbles int       `json:"stumbles,omitempty"`
}

// iterationID is how the service is asked for it; empty for the workspace.
func (t *Taking) iterationID() string {
	if t.Of == dataset.Workspace {
		return ""
	}
	return t.Of
}

const (
	maxMissing = 100 // that a proof lists
	maxChanges = 20
)

func (t *Taking) lacks(what, id string, why error) {
	if len(t.Missing) >= maxMissing {
		t.More++
		return
	}
	t.Missing = append(t.Missing, dataset.Missing{What: what, ID: id, Why: why.Error()})
}

func (t *Taking) changed(format string, a ...any) {
	if len(t.Changes) < maxChanges {
		t.Changes = append(t.Changes, fmt.Sprintf(format, a...))
	}
}

// load reads the progress. Without one it is made of the archive.
func (r *Rescuer) load(ctx context.Context, project string) (*run, error) {
	project = customvision.Canonical(project)
	v := &run{Rescuer: r, id: project, learned: map[string]bool{}, tried: map[string]bool{}, failed: map[string]error{}}
	if r.State != nil {
		var err error
		if v.version, err = r.State.Rescue(ctx, project, &v.p); err != nil {
			return nil, err
		}
		if v.p.Project == project && v.p.Kept != nil {
			return v, nil
		}
	}
	v.p = Progress{Project: project, Kept: map[string]*Kept{}}
	list, err := r.Sets.Snapshots(ctx, project)
	if err != nil {
		return nil, err
	}
	for _, s := range list {
		best, ok := dataset.Best(list, s.Of)
		if !ok || v.p.Kept[s.Of] != nil {
			continue
		}
		proof, err := r.Sets.Proof(ctx, best)
		if ctx.Err() != nil {
			return nil, err
		}
		if err == nil { // one that can't be read is as if there were none
			v.p.Name = cmp.Or(proof.ProjectName, v.p.Name)
			v.p.Kept[s.Of] = keptOf(proof)
		}
	}
	return v, nil
}

func keptOf(p dataset.Proof) *Kept {
	return &Kept{
		Name:     p.IterationName,
		Snapshot: p.Snapshot, Verdict: p.Verdict, Why: p.Note, Asked: p.Asked, Found: p.Found, Missing: len(p.Missing) + p.More,
		Files: p.Files, Bytes: p.Bytes, Size: p.Size, SHA256: p.SHA256, Ended: p.Ended, Newest: p.Newest, Modified: p.Modified, All: p.AllThresholds, Checked: p.Begun,
	}
}
