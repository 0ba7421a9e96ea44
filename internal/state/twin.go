package state

import "time"

// Twin is a compact twin of a project: another project, which is made, trained and exported
// because a person asked for it. Times are by the storage service's clock.
type Twin struct {
	// Name is the twin's own, and Token the part of it by which it is found.
	Name  string `json:"name"`
	Token string `json:"token"`
	// Iteration is the original's newest when the twin was asked for, with its name and that of
	// its domain.
	Iteration     string    `json:"iteration"`
	IterationName string    `json:"iterationName"`
	Domain        string    `json:"domain"`
	Asked         time.Time `json:"asked"`
	Hours         int       `json:"hours"` // of training that the person said yes to, or fewer where the policy allows no more

	// Until is when the sender of what was announced gives up; zero once the answer is known.
	// What was announced is the import while Project is empty, else the training.
	Until time.Time `json:"until,omitzero"`
	// Project is the twin's id; empty until the import was answered or found.
	Project string `json:"project,omitempty"`
	// Known are the iterations that the twin had before its training was announced.
	Known []string `json:"known,omitempty"`
	// Images is how many it had then.
	Images int `json:"images,omitempty"`
	// Trained is the iteration that its training made.
	Trained string `json:"trained,omitempty"`
	// Record is the name of the document in the archive that says what the twin is.
	Record string `json:"record,omitempty"`

	// Ended is when nothing was left to do. Why says what came in between; it is empty where
	// the twin is archived.
	Ended time.Time `json:"ended,omitzero"`
	Why   string    `json:"why,omitempty"`
	// Deleted is when the twin's project was no longer in Custom Vision.
	Deleted time.Time `json:"deleted,omitzero"`
}

// Open reports whether there is something left to do about a twin.
func (t *Twin) Open() bool { return t != nil && t.Ended.IsZero() }

// Stage says for a person how far it is.
func (t *Twin) Stage() string {
	switch {
	case !t.Ended.IsZero() && t.Record == "":
		return "came to nothing: " + t.Why
	case t.Why != "":
		return "is in the archive; " + t.Why
	case t.Record != "" && !t.Deleted.IsZero():
		return "is in the archive, and no longer in Custom Vision"
	case t.Record != "":
		return "is in the archive"
	case t.Trained != "":
		return "is being trained and exported"
	case t.Project != "":
		return "is there, and is to be trained"
	}
	return "is to be made"
}
