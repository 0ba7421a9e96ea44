package archive

import (
	"fmt"
	"strings"
	"time"

	"visionkeeper/internal/pattern"
)

// layoutVersion is that of the blob names and of the proofs. A program that
// reads one layout reads all earlier ones.
const layoutVersion = 1

// Verdict is what reading a backup showed. It stands in its proof's name.
type Verdict string

const (
	// Proven: structure and checksums hold, the manifest names this export, and
	// the model file has the manifest's SHA-1.
	Proven Verdict = "proven"
	// Intact: all checksums there are hold, but there is nothing to compare the
	// model file with.
	Intact Verdict = "intact"
	// Unidentified: kept, but it is unsure that it is this export.
	Unidentified Verdict = "unidentified"
	// Damaged: the bytes contradict themselves. The next copy gets another name.
	Damaged Verdict = "damaged"
	// Lost: a proof stands in the archive whose package is gone. It is found by
	// listing and never written.
	Lost Verdict = "lost"
)

// written are the verdicts that proofs have, the one that counts most first.
var written = []Verdict{Proven, Intact, Unidentified, Damaged}

// Counts reports whether a package with this verdict is a backup.
func (v Verdict) Counts() bool { return v == Proven || v == Intact }

// Backup is one package in the archive.
type Backup struct {
	Key
	ContentID string  // of its content; two copies of it have the same
	Verdict   Verdict // empty while it has no proof
	Blob      string  // the package's name in the container
	Proof     string  // the proof's name; empty while there is none

	Size         int64  // bytes
	ETag         string // without quotes
	LastModified time.Time
	ProvedAt     time.Time // when its proof was written, by the storage service's clock; zero where it wasn't listed
	Origin       Origin
}

// The kinds of Origin.
const (
	FromContainer = "container" // the blob that Custom Vision wrote to the customer's container
	FromDownload  = "download"  // an export's own downloadUri
	FromArtifact  = "artifact"  // the API's GetArtifact, where downloadUri is relative
)

// Certainty is why bytes were taken for an export.
type Certainty string

const (
	ByManifest    Certainty = "manifest" // their manifest names the export
	OnlyCandidate Certainty = "only"     // no other export of the platform can have left them
	ByAddress     Certainty = "address"  // they came from an address that belongs to this export alone
)

// Origin is where a package's bytes came from, and why they were taken. The archived
// blob has it as metadata, so that it isn't lost with the process that copied.
type Origin struct {
	Kind string `json:"kind"`
	Name string `json:"name"` // a blob's name, or host and path; never a query
	ETag string `json:"etag"` // of the source, without quotes; empty where it had none
	// Certainty is empty where nothing but the blob's name spoke for the export, and in
	// what was archived before it was recorded.
	Certainty Certainty `json:"certainty,omitempty"`
}

// why is the certainty. What was archived before it was recorded came from the export's
// own address, if not from the model container.
func (o Origin) why() Certainty {
	if o.Certainty == "" && (o.Kind == FromDownload || o.Kind == FromArtifact) {
		return ByAddress
	}
	return o.Certainty
}

// certain reports whether the bytes are known to be the export's, though their manifest
// may name no flavor, or be missing.
func (o Origin) certain() bool { return o.why() == ByAddress || o.why() == OnlyCandidate }

var (
	packageName = pattern.Of(`^([0-9a-f]{32})(-[2-9])?\.(?:zip|mlmodel)$`)
	proofName   = pattern.Of(`^([0-9a-f]{32})(-[2-9])?\.(proven|intact|unidentified|damaged)\.json$`)
)

// packagePath is the name of the n-th copy of a content, n counted from 1. Core
// ML models may come bare; all else is a zip, or should be.
func packagePath(k Key, id Identity, n int) string {
	extension := ".zip"
	if !id.Zip && k.Platform == "CoreML" {
		extension = ".mlmodel"
	}
	if n == 1 {
		return k.dir() + id.ContentID + extension
	}
	return fmt.Sprintf("%s%s-%d%s", k.dir(), id.ContentID, n, extension)
}

// stem is a package's or proof's name up to its extensions; both have the same.
func stem(blob string) string {
	folder := strings.LastIndexByte(blob, '/') + 1
	name, _, _ := strings.Cut(blob[folder:], ".")
	return blob[:folder] + name
}

func proofPath(blob string, v Verdict) string { return stem(blob) + "." + string(v) + ".json" }

// parsePath reads a blob's name. The verdict is empty for a package. What isn't
// part of the layout isn't ok.
func parsePath(blob string) (k Key, contentID string, v Verdict, ok bool) {
	parts := strings.Split(blob, "/")
	if len(parts) != 4 {
		return Key{}, "", "", false
	}
	platform, flavor, _ := strings.Cut(parts[2], ".")
	k, err := NewKey(parts[0], parts[1], platform, flavor)
	if err != nil || !strings.EqualFold(k.dir()+parts[3], blob) {
		return Key{}, "", "", false
	}
	if m := packageName().FindStringSubmatch(parts[3]); m != nil {
		return k, m[1], "", true
	}
	if m := proofName().FindStringSubmatch(parts[3]); m != nil {
		return k, m[1], Verdict(m[3]), true
	}
	return Key{}, "", "", false
}
