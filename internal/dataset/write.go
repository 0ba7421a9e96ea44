package dataset

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/seal"
	"visionkeeper/internal/storage"
)

// PutImage stores a picture's bytes under their SHA-256, unless they are there already.
// The storage service compares what arrives with a checksum. (Put Blob)
func (s *Store) PutImage(ctx context.Context, project string, data []byte) (f File, added bool, err error) {
	f = describe(data)
	name := ImageBlob(project, f.SHA256)
	there, sum, err := s.put(ctx, name, data, f.ContentType)
	own := md5.Sum(data)
	switch {
	case err != nil:
		return f, false, storage.Explain("store the picture "+f.SHA256, err)
	case there >= 0 && len(sum) > 0 && !bytes.Equal(sum, own[:]):
		return f, false, fmt.Errorf("the archive's %s has other bytes: %w", name, archive.ErrDamaged)
	case there >= 0 && there != f.Size:
		return f, false, fmt.Errorf("the archive's %s has %d bytes, not %d: %w", name, there, f.Size, archive.ErrDamaged)
	}
	return f, there < 0, nil
}

// put writes a blob, unless it is there already: then it returns its size, and the MD5 that
// the storage service has of it, if any; else -1.
func (s *Store) put(ctx context.Context, name string, data []byte, contentType string) (there int64, sum []byte, err error) {
	_, err = s.container.NewBlockBlobClient(name).Upload(ctx, streaming.NopCloser(bytes.NewReader(data)), &blockblob.UploadOptions{
		HTTPHeaders:             &blob.HTTPHeaders{BlobContentType: &contentType},
		AccessConditions:        ifAbsent(),
		TransactionalValidation: blob.TransferValidationTypeComputeCRC64(), // what arrived spoilt could never be replaced
	})
	if !taken(err) {
		return -1, nil, err
	}
	known, err := s.container.NewBlobClient(name).GetProperties(ctx, nil) // a refusal alone doesn't show that it is there
	if err != nil || known.ContentLength == nil {
		return -1, nil, err
	}
	return *known.ContentLength, known.ContentMD5, nil
}

func ifAbsent() *blob.AccessConditions {
	any := azcore.ETagAny
	return &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfNoneMatch: &any}}
}

// taken reports whether a write was refused because the blob is there.
func taken(err error) bool {
	return bloberror.HasCode(err, bloberror.BlobAlreadyExists, bloberror.ConditionNotMet)
}

// maxParts is how many parts a snapshot can have: those of a block blob.
const maxParts = 50_000

// Begin is a snapshot's first line.
func (s *Store) Begin(n Name) (Line, error) {
	data, err := json.Marshal(Header{Layout: Layout, Name: n, Begun: n.Time(), Version: s.version})
	return Line{Kind: KindSnapshot, Data: data}, err
}

// Stage sends the n-th part of a snapshot's lines, n counted from 0. What was sent with
// the same number before is replaced. The service keeps parts for a week, and nobody
// sees them until Commit. (Put Block)
func (s *Store) Stage(ctx context.Context, of Name, n int, lines []byte) error {
	if n >= maxParts {
		return fmt.Errorf("stage %s: it has more than %d parts", of.Blob(), maxParts)
	}
	_, err := s.container.NewBlockBlobClient(of.Blob()).StageBlock(ctx, partID(n), streaming.NopCloser(bytes.NewReader(lines)), &blockblob.StageBlockOptions{
		TransactionalValidation: blob.TransferValidationTypeComputeCRC64(),
	})
	return storage.Explain("stage "+of.Blob(), err)
}

func partID(n int) string { return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%08d", n)) }

// ErrPartsGone says that the storage service no longer has a snapshot's parts.
var ErrPartsGone = errors.New("its parts are gone")

// Commit makes a snapshot of its parts, once: a snapshot that is there stays as it is.
// (Put Block List)
func (s *Store) Commit(ctx context.Context, of Name, parts int) error {
	ids := make([]string, parts)
	for n := range ids {
		ids[n] = partID(n)
	}
	contentType := "application/jsonl"
	_, err := s.container.NewBlockBlobClient(of.Blob()).CommitBlockList(ctx, ids, &blockblob.CommitBlockListOptions{
		HTTPHeaders: &blob.HTTPHeaders{BlobContentType: &contentType}, AccessConditions: ifAbsent(),
	})
	switch {
	case taken(err):
		return nil
	case bloberror.HasCode(err, bloberror.InvalidBlockList, bloberror.InvalidBlobOrBlock):
		// A commit whose answer was lost took them; else they were kept too long.
		_, there := s.container.NewBlobClient(of.Blob()).GetProperties(ctx, nil)
		if storage.Status(there) == http.StatusNotFound {
			return fmt.Errorf("commit %s: %w", of.Blob(), ErrPartsGone)
		}
		return storage.Explain("commit "+of.Blob(), there)
	}
	return storage.Explain("commit "+of.Blob(), err)
}

// Found is what reading a snapshot back showed.
type Found struct {
	Size   int64
	SHA256 string
	ETag   string
	Counts
	Newest time.Time
	Files  int   // pictures, each content once
	Bytes  int64 // of them
	// Twice are images that the snapshot has more than once, Without those whose bytes it
	// lacks; each at most maxMissing.
	Twice, Without []string
}

// ReadBack reads a snapshot's lines, checks that each is whole, and counts what is in
// there. Memory takes some 60 bytes an image, and as many again where the snapshot has the
// performance of each. (Get Blob)
func (s *Store) ReadBack(ctx context.Context, of Name) (Found, error) {
	var f Found
	resp, err := s.download(ctx, of.Blob())
	if err != nil {
		return f, err
	}
	body := resp.NewRetryReader(storage.Streaming(ctx), nil)
	defer body.Close()
	if resp.ETag != nil {
		f.ETag = unquoted(*resp.ETag)
	}
	sum := sha256.New()
	counted := &counter{to: sum}
	images, files, predicted := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for l, err := range Read(io.TeeReader(body, counted)) {
		if err != nil {
			return f, fmt.Errorf("read back %s: %w", of.Blob(), err)
		}
		if err := f.count(l, images, files, predicted); err != nil {
			return f, fmt.Errorf("read back %s: %w", of.Blob(), err)
		}
	}
	f.Size, f.SHA256 = counted.n, hex.EncodeToString(sum.Sum(nil))
	if resp.ContentLength != nil && f.Size != *resp.ContentLength {
		return f, fmt.Errorf("read back %s: %w: only %d of %d bytes came", of.Blob(), io.ErrUnexpectedEOF, f.Size, *resp.ContentLength)
	}
	return f, nil
}

func (f *Found) count(l Line, images, files, predicted map[string]bool) error {
	for _, file := range []*File{l.Original, l.Resized} {
		if file != nil && !files[file.SHA256] {
			files[file.SHA256] = true
			f.Files++
			f.Bytes += file.Size
		}
	}
	switch l.Kind {
	case KindTag:
		f.Tags++
	case KindIteration:
		f.Iterations++
	case KindImagePerformance:
		var image struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(l.Data, &image); err == nil && image.ID != "" {
			id := customvision.Canonical(image.ID)
			if predicted[id] {
				return nil
			}
			predicted[id] = true
		}
		f.ImagePerformances++
	case KindPrediction:
		f.Predictions++
	case KindImage:
		i, err := l.Image()
		if err != nil {
			return err
		}
		if images[i.ID] {
			f.Twice = bounded(f.Twice, i.ID)
			return nil
		}
		images[i.ID] = true
		f.Images++
		f.ImageTags += len(i.Tags)
		f.Regions += len(i.Regions)
		if len(i.Tags) > 0 {
			f.Tagged++
		} else {
			f.Untagged++
		}
		if i.Created.After(f.Newest) {
			f.Newest = i.Created
		}
		if l.Original == nil {
			f.Without = bounded(f.Without, i.ID)
		}
	}
	return nil
}

func bounded(list []string, one string) []string {
	if len(list) >= maxMissing {
		return list
	}
	return append(list, one)
}

type counter struct {
	to io.Writer
	n  int64
}

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return c.to.Write(p)
}

// Prove writes a snapshot's proof, unless one with the same verdict is there already.
// (Put Blob)
func (s *Store) Prove(ctx context.Context, p Proof) error {
	p.Layout, p.Blob, p.Version = Layout, p.Name.Blob(), s.version
	if p.Missing = p.Missing[:min(len(p.Missing), maxMissing)]; p.Missing == nil {
		p.Missing = []Missing{}
	}
	if p.Changes == nil {
		p.Changes = []string{}
	}
	data, err := seal.Marshal(p)
	if err != nil {
		return fmt.Errorf("write the proof of %s: %w", p.Blob, err)
	}
	_, _, err = s.put(ctx, p.Name.Proof(p.Verdict), data, "application/json")
	return storage.Explain("write the proof of "+p.Blob, err)
}

// Known are pictures by the image's id, as far as snapshots have them: their bytes needn't
// be read again, since those of an image never change. Memory takes some 150 bytes an
// image.
type Known struct {
	byID map[string]pair
}

type pair struct{ original, resized *File }

// Files are an image's; the original is nil where they aren't known.
func (k *Known) Files(id string) (original, resized *File) {
	p := k.byID[id]
	return p.original, p.resized
}

// Add makes an image's known.
func (k *Known) Add(id string, original, resized *File) {
	if k.byID == nil {
		k.byID = map[string]pair{}
	}
	if original != nil {
		k.byID[id] = pair{original, resized}
	}
}

// Learn adds the pictures of a snapshot. (Get Blob)
func (s *Store) Learn(ctx context.Context, of Name, k *Known) error {
	body, err := s.Lines(ctx, of)
	if err != nil {
		return err
	}
	defer body.Close()
	for l, err := range Read(body) {
		if err != nil {
			return fmt.Errorf("read %s: %w", of.Blob(), err)
		}
		if l.Kind != KindImage && l.Kind != KindPrediction {
			continue
		}
		var image struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(l.Data, &image); err != nil {
			return fmt.Errorf("read %s: %w", of.Blob(), err)
		}
		k.Add(customvision.Canonical(image.ID), l.Original, l.Resized)
	}
	return nil
}

// Pictures are the sizes in bytes of a project's pictures in the archive, by their SHA-256.
// One request per 5,000. (List Blobs)
func (s *Store) Pictures(ctx context.Context, project string) (map[string]int64, error) {
	prefix := ImageBlob(project, "")
	sizes := map[string]int64{}
	for item, err := range storage.List(ctx, s.container, prefix) {
		if err != nil {
			return nil, storage.Explain(fmt.Sprintf("list the images in the archive container %q", s.name), err)
		}
		sizes[strings.TrimPrefix(item.Name, prefix)] = item.Size
	}
	return sizes, nil
}
