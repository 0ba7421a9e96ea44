package state

import "time"

// Coverage says what of a project is saved and what isn't. It is counted anew by whoever
// looks.
type Coverage struct {
	Project string `json:"project"` // id
	Name    string `json:"name"`
	// Trained counts the iterations that have a model; Safe those of them with a backup in
	// the archive. Stuck are those that can never be exported.
	Trained int     `json:"trained"`
	Safe    int     `json:"safe"`
	Stuck   []Stuck `json:"stuck"`
	// Wanted counts the snapshots that there should be, one of the workspace and one of each
	// trained iteration; Complete those of them that are complete.
	Wanted   int `json:"wanted"`
	Complete int `json:"complete"`
	// Images are those that the service counted in the workspace, Saved those with their
	// bytes in its newest snapshot.
	Images int   `json:"images"`
	Saved  int   `json:"saved"`
	Bytes  int64 `json:"bytes"` // of the pictures of that snapshot
	// Missing says what is not saved, and why; twenty things at most.
	Missing []string `json:"missing"`
	// Looked is when Custom Vision was asked last what there is; zero where it never was.
	Looked time.Time `json:"looked,omitzero"`
}

// Stuck is a model that can't leave Custom Vision, because its domain isn't compact.
type Stuck struct {
	Iteration string    `json:"iteration"` // id
	Name      string    `json:"name"`
	Domain    string    `json:"domain"` // its name, or its id where that isn't known
	Since     time.Time `json:"since,omitzero"`
	// Twin is the name of the document in the archive which says that a compact twin of it is
	// there, and that it is not the same model; empty where there is none.
	Twin string `json:"twin,omitempty"`
}

// Whole reports whether all that can be saved is.
func (c Coverage) Whole() bool {
	return !c.Looked.IsZero() && c.Safe+len(c.Stuck) >= c.Trained && c.Complete >= c.Wanted
}

// Total is the coverage of a resource: that of its projects, summed up.
type Total struct {
	Projects int   `json:"projects"`
	Trained  int   `json:"trained"`
	Safe     int   `json:"safe"`
	Stuck    int   `json:"stuck"`
	Wanted   int   `json:"wanted"`
	Complete int   `json:"complete"`
	Images   int   `json:"images"`
	Saved    int   `json:"saved"`
	Bytes    int64 `json:"bytes"`
	Missing  int   `json:"missing"` // things that the projects' coverages list
	// RetirementDays are left until Custom Vision ends.
	RetirementDays int `json:"retirementDays"`
}

// Sum sums up; nil where there is nothing to. Days are left until Custom Vision ends.
func Sum(list []Coverage, days int) *Total {
	if len(list) == 0 {
		return nil
	}
	t := &Total{Projects: len(list), RetirementDays: days}
	for _, c := range list {
		t.Trained, t.Safe, t.Stuck = t.Trained+c.Trained, t.Safe+c.Safe, t.Stuck+len(c.Stuck)
		t.Wanted, t.Complete = t.Wanted+c.Wanted, t.Complete+c.Complete
		t.Images, t.Saved, t.Bytes, t.Missing = t.Images+c.Images, t.Saved+c.Saved, t.Bytes+c.Bytes, t.Missing+len(c.Missing)
	}
	return t
}

// Share is how much of the snapshots is complete, from 0 to 1.
func (t *Total) Share() float64 {
	if t == nil || t.Wanted == 0 {
		return 0
	}
	return float64(t.Complete) / float64(t.Wanted)
}
