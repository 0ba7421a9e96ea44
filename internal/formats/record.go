package formats

import (
	"encoding/json"

	"visionkeeper/internal/dataset"
)

// RecordName is the file in a data set's folder that says how the data set was made. It is
// written last: a folder that has it is whole.
const RecordName = "visionkeeper.json"

// SumsName is the file with the SHA-256 of every other file but the record, in the form of
// sha256sum.
const SumsName = "SHA256SUMS"

// The tasks.
const (
	SingleLabel = "single-label" // one class for a picture
	MultiLabel  = "multi-label"  // any number of classes
	Detection   = "detection"    // boxes with classes
)

// Record says how a data set was made, and what is in it.
type Record struct {
	Format  string `json:"format"`
	Version string `json:"version"` // of the program

	Project   Named    `json:"project"`
	Iteration *Named   `json:"iteration"` // null: what the project itself held
	Snapshot  Snapshot `json:"snapshot"`

	Task    string  `json:"task"`
	Classes []Class `json:"classes"` // by their index, which is the order of their labels
	// Negative is the tag of pictures that show none of the classes; null without one.
	Negative *Negative `json:"negative"`
	Split    *Split    `json:"split"` // null: all is in the part train
	Parts    []Part    `json:"parts"`
	Boxes    Frames    `json:"boxes"`

	Images  int       `json:"images"` // in the data set
	LeftOut LeftOut   `json:"leftOut"`
	Missing []Missing `json:"missing"` // at most maxMissing
	More    int       `json:"more"`    // missing besides
	Notes   []string  `json:"notes"`
	SHA256  string    `json:"sha256"` // of SHA256SUMS
}

// Named is something with a name.
type Named struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Snapshot is what the data set was made from.
type Snapshot struct {
	ID      string          `json:"id"`
	Blob    string          `json:"blob"`
	SHA256  string          `json:"sha256"`
	Verdict dataset.Verdict `json:"verdict"`
}

// Class is a tag that pictures or boxes have.
type Class struct {
	Index int    `json:"index"`
	Name  string `json:"name"`  // the tag's, with its id behind it where another has the same
	Label string `json:"label"` // the name in letters that every file system takes; no two are the same
	TagID string `json:"tagId"`
	Type  string `json:"type"` // Regular, Negative or GeneralProduct
}

// Negative is what became of the negative tag.
type Negative struct {
	Name  string `json:"name"`
	TagID string `json:"tagId"`
	Class bool   `json:"class"` // it is a class; else its pictures have none
}

// Part counts the images of a part of the split.
type Part struct {
	Name   string `json:"name"`
	Images int    `json:"images"`
}

// Frames says in which frame the service's boxes were: a picture can be stored turned or
// mirrored, and its EXIF orientation says how it is displayed. In the data set they always
// are in that of the picture as it is displayed.
type Frames struct {
	Displayed int `json:"displayed"` // turned pictures whose size, as the service counts it, is that of the picture as displayed
	Stored    int `json:"stored"`    // as stored
	Assumed   int `json:"assumed"`   // pictures whose size doesn't tell; taken as most others are, or as displayed
}

// LeftOut counts images that the format has no place for.
type LeftOut struct {
	Untagged int `json:"untagged"` // nobody has said what they show
	Unboxed  int `json:"unboxed"`  // of detection: a tag, and no box
}

// Missing is an image whose bytes are not in the data set.
type Missing struct {
	ID     string `json:"id"`
	SHA256 string `json:"sha256"` // empty where the snapshot has none
	Why    string `json:"why"`
}

// maxMissing bounds what a record lists.
const maxMissing = 100

// Lost counts the images that are missing.
func (r Record) Lost() int { return len(r.Missing) + r.More }

// miss notes a missing image.
func (r *Record) miss(m Missing) {
	if len(r.Missing) == maxMissing {
		r.More++
		return
	}
	r.Missing = append(r.Missing, m)
}

// text is the record as it lies in the folder.
func (r Record) text() ([]byte, error) {
	data, err := json.MarshalIndent(r, "", "  ")
	return append(data, '\n'), err
}
