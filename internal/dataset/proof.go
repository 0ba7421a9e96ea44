package dataset

import (
	"fmt"
	"slices"
	"strings"
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
	// TrainedAt and PublishedName are the iteration's when it was saved.
	TrainedAt     *time.Time `json:"trainedAt,omitempty"`
	PublishedName string     `json:"publishedName,omitempty"`
	Blob          string     `json:"blob"`   // the snapshot's name in the container
	Size          int64      `json:"size"`   // bytes
	SHA256        string     `json:"sha256"` // of the snapshot, which has those of the pictures
	ETag          string     `json:"etag"`   // of the snapshot when it was read, without quotes

	// Asked is what the service counted, Found what the snapshot has.
	Asked Counts `json:"asked"`
	Found Counts `json:"found"`
	// Newest is when the newest image was added; zero without images.
	Newest time.Time `json:"newest,omitzero"`
	// Modified is the project's lastModified when the reading began.
	Modified time.Time `json:"modified,omitzero"`
	// Files and Bytes count the pictures that the snapshot names, each content once.
	Files int   `json:"files"`
	Bytes int64 `json:"bytes"`
	// AllThresholds reports whether the iteration's performance is there at every threshold,
	// not only at the usual one.
	AllThresholds bool `json:"allThresholds,omitempty"`
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
	Predictions       int `json:"predictions"`       // stored ones; Asked has none
}

// Missing is something that could not be saved.
type Missing struct {
	What string `json:"what"` // such as "image" or "performance"
	ID   string `json:"id"`
	Why  string `json:"why"`
}

// maxMissing bounds what a proof lists.
const maxMissing = 100

// Judge says what a snapshot is worth by what was found in it: the verdict, and why. What
// is missing, and what changed, stands in the proof already.
func (p *Proof) Judge(found Found, notes ...string) {
	for _, id := range found.Without {
		if !p.lists(id) {
			p.Missing = append(p.Missing, Missing{KindImage, id, "its bytes are not there"})
		}
	}
	if len(found.Twice) > 0 {
		p.Changes = append(p.Changes, fmt.Sprintf("%d images came twice, such as %s", len(found.Twice), found.Twice[0]))
	}
	if p.Found.Images != p.Asked.Images && len(p.Changes) == 0 {
		p.Missing = append(p.Missing, Missing{"images", "", fmt.Sprintf("the service counts %d, and lists %d", p.Asked.Images, p.Found.Images)})
	}
	if p.Found.Tagged < p.Asked.Tagged && len(p.Changes) == 0 && p.Found.Images == p.Asked.Images {
		p.Missing = append(p.Missing, Missing{"tags", "", fmt.Sprintf("the service counts %d images with a tag, and lists %d", p.Asked.Tagged, p.Found.Tagged)})
	}
	if p.Found.ImagePerformances < p.Asked.ImagePerformances && !slices.ContainsFunc(p.Missing, func(m Missing) bool { return m.What == "imagePerformances" }) {
		p.Missing = append(p.Missing, Missing{"imagePerformances", p.Of, fmt.Sprintf("the service counts %d, and lists %d", p.Asked.ImagePerformances, p.Found.ImagePerformances)})
	}
	switch {
	case len(p.Changes) > 0:
		p.Verdict = Changed
		notes = append(notes, "the data set changed while it was read: "+p.Changes[0])
	case len(p.Missing) > 0:
		p.Verdict = Incomplete
		notes = append(notes, fmt.Sprintf("%d things are missing, the first because %s", len(p.Missing)+p.More, p.Missing[0].Why))
	default:
		p.Verdict = Complete
		notes = append(notes, "all that the service counts is there")
	}
	if p.Found.ImageTags != p.Asked.ImageTags && p.Verdict == Complete {
		notes = append(notes, fmt.Sprintf("the tags count %d images, the images have %d tags", p.Asked.ImageTags, p.Found.ImageTags))
	}
	p.Note = strings.Join(nonEmpty(notes), "; ")
}

func (p *Proof) lists(id string) bool {
	for _, m := range p.Missing {
		if m.ID == id {
			return true
		}
	}
	return p.More > 0
}

func nonEmpty(list []string) []string {
	var kept []string
	for _, s := range list {
		if s != "" {
			kept = append(kept, s)
		}
	}
	return kept
}
