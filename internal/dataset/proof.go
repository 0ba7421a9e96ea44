package dataset

import (
	"time"
)

// Proof says what a snapshot was when it was read back. It is sealed JSON beside the
// snapshot, written once.
type Proof struct {
	Layout  int     `json:"layout"`
	Verdict Verdict `json:"verdict"`
	Note    string  `json:"note"` // why this verdict

	Name
	ProjectName   string `json:"projectName"`
	IterationName string `json:"iterationName"` // empty for the workspace
	Blob          string `json:"blob"`          // the snapshot's name in the container
	Size          int64  `json:"size"`          // bytes
	SHA256        string `json:"sha256"`        // of the snapshot, which has those of the pictures
	ETag          string `json:"etag"`          // of the snapshot when it was read, without quotes

	// Asked is what the service counted, Found what the snapshot has.
	Asked Counts `json:"asked"`
	Found Counts `json:"found"`
	// Newest is when the newest image was added; zero without images.
	Newest time.Time `json:"newest,omitzero"`
	// Files and Bytes count the pictures that the snapshot names, each content once.
	Files int   `json:"files"`
	Bytes int64 `json:"bytes"`
	// Missing says what is not in the archive, and why, at most maxMissing things; More is
	// how many besides.
	Missing []Missing `json:"missing"`
	More    int       `json:"more,omitempty"`
	// Changes says what differed between the beginning and the end.
	Changes []string `json:"changes"`

	Begun   time.Time `json:"begun"`
	Ended   time.Time `json:"ended"`
	Version string    `json:"version"` // of the program
}

// Counts are numbers of a data set.
type Counts struct {
	Images            int `json:"images"`
	Tagged            int `json:"tagged"`
	Untagged          int `json:"untagged"`
	Tags              int `json:"tags"`              // labels of the project
	ImageTags         int `json:"imageTags"`         // of all images together; Asked has the sum of the tags' imageCount
	Regions           int `json:"regions"`           // of all images together; Asked has none
	Iterations        int `json:"iterations"`        // of the workspace
	ImagePerformances int `json:"imagePerformances"` // of an iteration
}

// Missing is something that could not be saved.
type Missing struct {
	What string `json:"what"` // such as "image" or "performance"
	ID   string `json:"id"`
	Why  string `json:"why"`
}

// maxMissing bounds what a proof lists.
const maxMissing = 100
