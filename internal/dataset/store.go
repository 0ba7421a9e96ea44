package dataset

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/seal"
	"visionkeeper/internal/storage"
)

// Store is the archive's container, as far as it holds data sets. It is safe for
// concurrent use.
type Store struct {
	container *container.Client
	name      string
	version   string
	now       func() time.Time
}

// Open opens the archive's container. It sends no request. The version is the
// program's, for headers and proofs.
func Open(client *service.Client, containerName, version string) *Store {
	return &Store{container: client.NewContainerClient(containerName), name: containerName, version: version, now: time.Now}
}

// Snapshot is one snapshot in the archive.
type Snapshot struct {
	Name
	Verdict      Verdict   // empty while it has no proof
	Size         int64     // of its lines, in bytes; 0 where only the proof is there
	LastModified time.Time // of its lines
	Lost         bool      // its proof is there, and its lines aren't
}

// Snapshots lists the snapshots of a project, or of all where the project is empty: in
// the order of projects, of what they are of, and of their times. One request per 5,000
// blobs. (List Blobs)
func (s *Store) Snapshots(ctx context.Context, project string) ([]Snapshot, error) {
	prefix := snapshotsFolder
	if project != "" {
		prefix += project + "/"
	}
	found := map[Name]*Snapshot{}
	pager := s.container.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Prefix: &prefix})
	for pager.More() {
		page, err := pager.NextPage(ctx)
		if err != nil {
			return nil, storage.Explain(fmt.Sprintf("list the snapshots in the archive container %q", s.name), err)
		}
		for _, item := range page.Segment.BlobItems {
			note(found, item)
		}
	}
	list := make([]Snapshot, 0, len(found))
	for _, one := range found {
		list = append(list, *one)
	}
	slices.SortFunc(list, func(x, y Snapshot) int { return strings.Compare(x.stem(), y.stem()) })
	return list, nil
}

// note enters one listed blob, lines or proof, where it belongs.
func note(found map[Name]*Snapshot, item *container.BlobItem) {
	name, verdict, ok := parseName(*item.Name)
	if !ok {
		return
	}
	one := found[name]
	if one == nil {
		one = &Snapshot{Name: name, Lost: true}
		found[name] = one
	}
	if verdict != "" {
		if one.Verdict == "" || slices.Index(verdicts, verdict) < slices.Index(verdicts, one.Verdict) {
			one.Verdict = verdict
		}
		return
	}
	one.Lost = false
	if p := item.Properties; p != nil && p.ContentLength != nil && p.LastModified != nil {
		one.Size, one.LastModified = *p.ContentLength, *p.LastModified
	}
}

// Best is the newest complete snapshot of a list that is of the iteration, or of
// Workspace; else the newest that has another verdict. ok is false where there is none
// whose lines are there.
func Best(list []Snapshot, of string) (best Snapshot, ok bool) {
	for _, s := range list {
		if s.Of != of || s.Lost || s.Verdict == "" {
			continue
		}
		if !ok || s.Verdict == Complete || best.Verdict != Complete {
			best, ok = s, true
		}
	}
	return best, ok
}

// Proof reads a snapshot's proof. The error is archive.ErrUnproven where it has none,
// archive.ErrNotFound where it is gone, and seal.ErrBroken where it is damaged or is that
// of another snapshot. (Get Blob)
func (s *Store) Proof(ctx context.Context, of Snapshot) (Proof, error) {
	if of.Verdict == "" {
		return Proof{}, fmt.Errorf("%s: %w", of.Blob(), archive.ErrUnproven)
	}
	name := of.Name.Proof(of.Verdict)
	what := "read the proof " + name
	body, err := s.open(ctx, name)
	if err != nil {
		return Proof{}, err
	}
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, maxLine))
	if err != nil {
		return Proof{}, storage.Explain(what, err)
	}
	var p Proof
	if err := seal.Unmarshal(data, &p); err != nil {
		return Proof{}, fmt.Errorf("%s: %w", what, err)
	}
	if p.Name != of.Name || p.Verdict != of.Verdict {
		return Proof{}, fmt.Errorf("%s: %w: it is of %s", what, seal.ErrBroken, p.Blob)
	}
	return p, nil
}

// Stands is nil if a snapshot is there as its proof has it: the proof is whole and says that
// the snapshot is complete, and the lines of that name have the ETag and the size that they
// had when they were read back. Neither they nor the pictures are read. The error is as that
// of Proof, and archive.ErrChanged where the lines are others. (Get Blob, Get Blob
// Properties)
func (s *Store) Stands(ctx context.Context, of Snapshot) error {
	p, err := s.Proof(ctx, of)
	if err != nil {
		return err
	}
	there, err := s.container.NewBlobClient(of.Blob()).GetProperties(ctx, nil)
	switch {
	case p.Verdict != Complete:
		return fmt.Errorf("%s: %w: it is %s", of.Blob(), archive.ErrUnproven, p.Verdict)
	case storage.Status(err) == http.StatusNotFound:
		return fmt.Errorf("look for %s: %w", of.Blob(), archive.ErrNotFound)
	case err != nil:
		return storage.Explain("look for "+of.Blob(), err)
	case there.ETag == nil || p.ETag == "" || unquoted(*there.ETag) != p.ETag || there.ContentLength == nil || *there.ContentLength != p.Size:
		return fmt.Errorf("%s is not what its proof read: %w", of.Blob(), archive.ErrChanged)
	}
	return nil
}

// Lines opens a snapshot's lines, for Read. The caller closes them. (Get Blob)
func (s *Store) Lines(ctx context.Context, n Name) (io.ReadCloser, error) {
	return s.open(ctx, n.Blob())
}

// Image opens a picture's bytes. The caller closes them, and compares what it read with
// the SHA-256. The error is archive.ErrNotFound where it isn't there. (Get Blob)
func (s *Store) Image(ctx context.Context, project, sha256 string) (io.ReadCloser, error) {
	if !sha256Name().MatchString(sha256) {
		return nil, fmt.Errorf("%q is not a SHA-256", sha256)
	}
	return s.open(ctx, ImageBlob(project, sha256))
}

// open reads a blob, and goes on where an answer breaks off.
func (s *Store) open(ctx context.Context, name string) (io.ReadCloser, error) {
	resp, err := s.download(ctx, name)
	if err != nil {
		return nil, err
	}
	return resp.NewRetryReader(storage.Streaming(ctx), nil), nil
}

func (s *Store) download(ctx context.Context, name string) (blob.DownloadStreamResponse, error) {
	resp, err := s.container.NewBlobClient(name).DownloadStream(storage.Streaming(ctx), nil)
	if storage.Status(err) == http.StatusNotFound {
		return resp, fmt.Errorf("read %s: %w", name, archive.ErrNotFound)
	}
	return resp, storage.Explain("read "+name, err)
}

// unquoted is an ETag as proofs have it.
func unquoted(etag azcore.ETag) string { return strings.Trim(string(etag), `"`) }
