package dataset

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/pattern"
)

// Workspace stands in a Name for what the project holds now, as opposed to what one of
// its iterations saw.
const Workspace = "workspace"

// The first segments of the names. They sort after every project id, so that listings
// of models don't run over the images.
const (
	imagesFolder    = "images/"
	snapshotsFolder = "snapshots/"
)

// Verdict is what a snapshot turned out to be. It stands in its proof's name.
type Verdict string

const (
	// Complete: all that the service counted was found, with every picture's bytes.
	Complete Verdict = "complete"
	// Changed: the data set changed while it was read, so the lines may mix two states.
	Changed Verdict = "changed"
	// Incomplete: something is missing, and the proof says what.
	Incomplete Verdict = "incomplete"
)

// verdicts are those that proofs have, the one that counts most first.
var verdicts = []Verdict{Complete, Changed, Incomplete}

// Name names a snapshot.
type Name struct {
	Project  string `json:"projectId"` // lower-case hyphenated GUID
	Of       string `json:"of"`        // an iteration's id, or Workspace
	Snapshot string `json:"snapshotId"`
}

var (
	snapshotID = pattern.Of(`^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}$`)
	sha256Name = pattern.Of(`^[0-9a-f]{64}$`)
)

// NewName names a snapshot that begins now. Names of a project's snapshots are in the
// order of their times.
func NewName(project, of string, now time.Time) (Name, error) {
	n := Name{Of: of}
	var err error
	if n.Project, err = customvision.ParseID(project); err != nil {
		return Name{}, fmt.Errorf("project id: %w", err)
	}
	if of != Workspace {
		if n.Of, err = customvision.ParseID(of); err != nil {
			return Name{}, fmt.Errorf("iteration id: %w", err)
		}
	}
	token := make([]byte, 4)
	rand.Read(token)
	n.Snapshot = now.UTC().Format("20060102T150405Z") + "-" + hex.EncodeToString(token)
	return n, nil
}

// Time is when the snapshot began, in whole seconds.
func (n Name) Time() time.Time {
	stamp, _, _ := strings.Cut(n.Snapshot, "-")
	at, _ := time.Parse("20060102T150405Z", stamp)
	return at
}

func (n Name) stem() string {
	return snapshotsFolder + n.Project + "/" + n.Of + "/" + n.Snapshot
}

// Blob is the name of the snapshot's lines in the archive.
func (n Name) Blob() string { return n.stem() + ".jsonl" }

// Proof is the name of its proof.
func (n Name) Proof(v Verdict) string { return n.stem() + "." + string(v) + ".json" }

// parseName reads a blob's name. The verdict is empty for the lines themselves. What
// isn't part of the layout isn't ok.
func parseName(blob string) (n Name, v Verdict, ok bool) {
	parts := strings.Split(blob, "/")
	if len(parts) != 4 || parts[0]+"/" != snapshotsFolder {
		return Name{}, "", false
	}
	id, extension, _ := strings.Cut(parts[3], ".")
	n = Name{Project: parts[1], Of: parts[2], Snapshot: id}
	if p, err := customvision.ParseID(n.Project); err != nil || p != n.Project || !snapshotID().MatchString(id) {
		return Name{}, "", false
	}
	if i, err := customvision.ParseID(n.Of); n.Of != Workspace && (err != nil || i != n.Of) {
		return Name{}, "", false
	}
	if extension == "jsonl" {
		return n, "", true
	}
	for _, v := range verdicts {
		if extension == string(v)+".json" {
			return n, v, true
		}
	}
	return Name{}, "", false
}

// ImageBlob is the name of a picture in the archive.
func ImageBlob(project, sha256 string) string { return imagesFolder + project + "/" + sha256 }
