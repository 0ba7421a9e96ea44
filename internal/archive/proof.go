package archive

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"visionkeeper/internal/remedy"
	"visionkeeper/internal/seal"
	"visionkeeper/internal/storage"
)

// Proof says what a package was when it was read back, and what it is. It is
// sealed JSON beside the package, written once.
type Proof struct {
	Layout  int     `json:"layout"` // layoutVersion when it was written
	Verdict Verdict `json:"verdict"`
	Note    string  `json:"note"` // why this verdict

	Key
	Blob      string `json:"blob"` // the package's name in the container
	ContentID string `json:"contentId"`
	Size      int64  `json:"size"` // bytes
	SHA256    string `json:"sha256"`
	ETag      string `json:"etag"` // of the package when it was read, without quotes
	Source    Origin `json:"source"`

	Manifest     json.RawMessage `json:"manifest"` // null where there is none that can be read
	Model        *ModelFile      `json:"model"`    // null where the manifest's model file isn't in the package
	Entries      int             `json:"entries"`  // of the zip
	Uncompressed int64           `json:"uncompressed"`

	Facts
	VerifiedAt time.Time `json:"verifiedAt"`
	Version    string    `json:"version"` // of the program
}

// ModelFile is the file whose hash is in the manifest.
type ModelFile struct {
	Name string `json:"name"`
	Size int64  `json:"size"` // bytes
	SHA1 string `json:"sha1"`
}

// Facts are what the Training API had of the model. After that service has ended,
// only the proof has them. Each may be missing.
type Facts struct {
	ProjectName        string          `json:"projectName"`
	IterationName      string          `json:"iterationName"`
	Domain             Domain          `json:"domain"`
	ClassificationType string          `json:"classificationType"` // empty for object detection
	Tags               []Tag           `json:"tags"`
	TrainedAt          *time.Time      `json:"trainedAt"`
	Performance        json.RawMessage `json:"performance"` // as asked for, with the threshold; null where unknown
	PublishedName      string          `json:"publishedName"`
}

// Domain is the domain that a model was trained on.
type Domain struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Type string `json:"type"`
}

// Tag is one label of a model.
type Tag struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Type       string `json:"type"`
	ImageCount int    `json:"imageCount"`
}

// maxProofSize is far above what 500 tags with their performance take.
const maxProofSize = 4 << 20

// Proof reads a backup's proof. The error is ErrUnproven where the backup names
// none, ErrNotFound where it is gone, and seal.ErrBroken where it is damaged or
// is that of another package. (Get Blob)
func (a *Archive) Proof(ctx context.Context, b Backup) (Proof, error) {
	if b.Proof == "" {
		return Proof{}, fmt.Errorf("%s: %w", b.Blob, ErrUnproven)
	}
	what := "read the proof " + b.Proof
	data, err := a.small(ctx, what, b.Proof)
	if err != nil {
		return Proof{}, err
	}
	p, err := parseProof(data)
	if err != nil {
		return Proof{}, fmt.Errorf("%s: %w", what, err)
	}
	if p.Key != b.Key || proofPath(p.Blob, p.Verdict) != b.Proof || (b.Blob != "" && p.Blob != b.Blob) {
		return Proof{}, fmt.Errorf("%s: %w: it is of %s", what, seal.ErrBroken, p.Blob)
	}
	return p, nil
}

// small reads a blob of at most maxProofSize bytes, and a byte more of a larger one. The
// error is ErrNotFound where it isn't there.
func (a *Archive) small(ctx context.Context, what, name string) ([]byte, error) {
	resp, err := a.container.NewBlobClient(name).DownloadStream(ctx, nil)
	if storage.Status(err) == http.StatusNotFound {
		return nil, fmt.Errorf("%s: %w", what, ErrNotFound)
	}
	if err != nil {
		return nil, storage.Explain(what, err)
	}
	body := resp.NewRetryReader(ctx, nil)
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, maxProofSize+1))
	return data, storage.Explain(what, err)
}

// Stands is nil if a backup that counts is there as its proof has it: the proof is whole,
// and the package of that name has the ETag and the size that it had when it was read
// back. Its bytes aren't read. The error is ErrUnproven where it doesn't count, ErrNotFound
// where one of the two is gone, ErrChanged where the package is another one, and
// seal.ErrBroken where the proof is. (Get Blob, Get Blob Properties)
func (a *Archive) Stands(ctx context.Context, b Backup) error {
	if !b.Verdict.Counts() {
		return fmt.Errorf("%s: %w", b.Blob, ErrUnproven)
	}
	p, err := a.Proof(ctx, b)
	if err != nil {
		return err
	}
	there, err := a.container.NewBlobClient(p.Blob).GetProperties(ctx, nil)
	switch {
	case storage.Status(err) == http.StatusNotFound:
		return fmt.Errorf("look for the package %s: %w", p.Blob, ErrNotFound)
	case err != nil:
		return storage.Explain("look for the package "+p.Blob, err)
	case p.ETag == "" || etagOf(there.ETag) != p.ETag || there.ContentLength == nil || *there.ContentLength != p.Size:
		return fmt.Errorf("the package %s is not the one that its proof read: %w", p.Blob, ErrChanged)
	}
	return nil
}

func parseProof(data []byte) (Proof, error) {
	if len(data) > maxProofSize {
		return Proof{}, fmt.Errorf("it is larger than %d bytes: %w", maxProofSize, seal.ErrBroken)
	}
	var p Proof
	if err := seal.Unmarshal(data, &p); err != nil {
		return Proof{}, err
	}
	if p.Layout > layoutVersion {
		return Proof{}, remedy.New("use a newer program", "it is of layout %d, this program knows up to %d", p.Layout, layoutVersion)
	}
	return p, nil
}

// readable is a proof in a form that its readers take, sealed: as it is, or without
// the facts that make it too large or that can't be written, the least needed first.
func readable(p Proof) (Proof, []byte, error) {
	cuts := []struct {
		of  string
		cut func(*Facts)
	}{
		{"", func(*Facts) {}},
		{"the performance", func(f *Facts) { f.Performance = nil }},
		{"the performance and the tags", func(f *Facts) { f.Performance, f.Tags = nil, nil }},
		{"all facts", func(f *Facts) { *f = Facts{} }},
	}
	var data []byte
	var err error
	for _, c := range cuts {
		kept := p
		c.cut(&kept.Facts)
		if c.of != "" {
			kept.Note += "; " + c.of + " of the model did not fit into the proof"
		}
		if data, err = seal.Marshal(kept); err != nil {
			continue
		}
		if _, err = parseProof(data); err == nil {
			return kept, data, nil
		}
	}
	return Proof{}, nil, err
}
