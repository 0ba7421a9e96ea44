// Package dataset keeps a project's data set in the archive: its images once by their
// SHA-256, and snapshots: one file of JSON lines for what the project held at a time,
// or for what one of its iterations saw, with a proof beside it.
//
// Like package archive it only ever adds blobs to the archive's container, and reading
// needs that container alone. The layout is a promise, written down in docs/archive.md.
//
// Start reading at Line, which is the form of a snapshot, then Store.
package dataset

import (
	"encoding/json"
	"time"

	"visionkeeper/internal/customvision"
)

// Layout is the version of the lines, the proofs and the names. A program that reads
// one layout reads all earlier ones.
const Layout = 1

// The kinds of Line, in the order in which a snapshot has them. Each kind but the first
// may come any number of times, readers must pass over kinds and members that they
// don't know.
const (
	KindSnapshot         = "snapshot"         // Data is a Header
	KindProject          = "project"          // Data is what GetProject answered
	KindDomain           = "domain"           // GetDomain, of the project or of the iteration
	KindTag              = "tag"              // one of GetTags
	KindIteration        = "iteration"        // one of GetIterations
	KindPerformance      = "performance"      // GetIterationPerformance, with Iteration, Threshold and Overlap
	KindImage            = "image"            // one of GetImages, oldest first, with Original and Resized
	KindImagePerformance = "imagePerformance" // one of GetImagePerformances, with Iteration
	KindPrediction       = "prediction"       // one of QueryPredictions, with Original; only where that was asked for
)

// Line is one line of a snapshot. Data is the service's own JSON without its links:
// members whose names end in Uri or Url are taken out, but for an image's own metadata.
type Line struct {
	Kind      string   `json:"kind"`
	Iteration string   `json:"iterationId,omitempty"`
	Threshold *float64 `json:"threshold,omitempty"` // 0 to 1
	Overlap   *float64 `json:"overlap,omitempty"`   // 0 to 1; missing where the service chose it
	// Original are the bytes that were uploaded; nil where they couldn't be read.
	Original *File `json:"original,omitempty"`
	// Resized is what the service made of them, where its orientation or aspect differs
	// from the original's.
	Resized *File           `json:"resized,omitempty"`
	Data    json.RawMessage `json:"data"`
}

// File is a picture in the archive, as its bytes are.
type File struct {
	SHA256      string `json:"sha256"` // lower-case hex, which is its name in the archive
	Size        int64  `json:"size"`   // bytes
	ContentType string `json:"contentType"`
	// Width and Height are in pixels, as they are stored: before the orientation is
	// applied. 0 where the format isn't JPEG, PNG, GIF or BMP.
	Width  int `json:"width"`
	Height int `json:"height"`
	// Orientation is that of EXIF, 1 to 8; 0 where there is none.
	Orientation int `json:"orientation"`
}

// Header is the data of a snapshot's first line.
type Header struct {
	Layout int `json:"layout"`
	Name
	Begun   time.Time `json:"begun"`   // UTC, when the reading began
	Version string    `json:"version"` // of the program
}

// Image reads the data of an image's line.
func (l Line) Image() (customvision.Image, error) { return parse[customvision.Image](l) }

// Tag reads the data of a tag's line.
func (l Line) Tag() (customvision.Tag, error) { return parse[customvision.Tag](l) }

// Project reads the data of a project's line.
func (l Line) Project() (customvision.Project, error) { return parse[customvision.Project](l) }

// Domain reads the data of a domain's line.
func (l Line) Domain() (customvision.Domain, error) { return parse[customvision.Domain](l) }

// IterationData reads the data of an iteration's line.
func (l Line) IterationData() (customvision.Iteration, error) {
	return parse[customvision.Iteration](l)
}

// Header reads the data of a snapshot's first line.
func (l Line) Header() (Header, error) { return parse[Header](l) }

func parse[T any](l Line) (T, error) {
	var out T
	err := json.Unmarshal(l.Data, &out)
	return out, err
}
