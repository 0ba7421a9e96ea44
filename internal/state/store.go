package state

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"visionkeeper/internal/remedy"
	"visionkeeper/internal/seal"
	"visionkeeper/internal/storage"
)

// maxBlob bounds what is read of one state blob, in bytes.
const maxBlob = 16 << 20

// conflictTries is how often a change is applied anew to what another writer left.
const conflictTries = 20

// Store keeps state in one container of Blob Storage.
type Store struct {
	name      string
	container *container.Client
}

// Open returns the store in the container; nothing is asked of it yet.
func Open(client *service.Client, containerName string) *Store {
	return &Store{name: containerName, container: client.NewContainerClient(containerName)}
}

// Record is a project's state as one version of its blob holds it.
type Record struct {
	Project
	// Seen is the storage service's time of the last read or write: intents are
	// dated by it, because the clocks of two machines differ.
	Seen time.Time
	// Lost says why what was remembered can't be read, where that is so: the
	// record is empty then, and the next update takes the broken blob's place.
	Lost error

	etag azcore.ETag // "" where there is no blob yet
}

// Empty tells a record of which nothing is stored yet, or nothing that can be read.
func (r *Record) Empty() bool { return r.Revision == "" }

// Load reads a project's state. A project without any has an empty record, and so
// has one whose state is broken, which is read twice before it is said to be.
func (s *Store) Load(ctx context.Context, projectID string) (*Record, error) {
	r, err := s.load(ctx, projectID)
	if err == nil && r.Lost != nil {
		return s.load(ctx, projectID) // it may have been broken on its way
	}
	return r, err
}

func (s *Store) load(ctx context.Context, projectID string) (*Record, error) {
	r := &Record{Project: Project{ID: projectID}}
	data, version, err := s.read(ctx, projectBlob(projectID))
	r.Seen = version.date
	if bloberror.HasCode(err, bloberror.BlobNotFound) {
		return r, nil
	}
	if err != nil {
		return nil, s.explain("read the state of project "+projectID, err)
	}
	r.etag = version.etag
	if err := seal.Unmarshal(data, &r.Project); err != nil {
		r.Project = Project{ID: projectID}
		r.Lost = fmt.Errorf("state blob %s/%s: %w", s.name, projectBlob(projectID), err)
	}
	return r, nil
}

// Update changes a project's state and writes it on top of the version that was
// read. Where another writer was first, the record is read anew and change is
// called again, so change must decide by what it is given; its error ends the
// update without a write, and a change of nothing writes nothing. A write whose
// answer was lost is recognised by its revision.
func (s *Store) Update(ctx context.Context, r *Record, change func(*Project) error) error {
	for try := range conflictTries {
		next := r.Project.Clone()
		if err := change(&next); err != nil {
			return err
		}
		if bytes.Equal(mustJSON(next), mustJSON(r.Project)) {
			return nil // nothing to write
		}
		next.Revision = rand.Text()
		err := s.save(ctx, r, next)
		if err == nil {
			return nil
		}
		if !isConflict(err) {
			return s.explain("write the state of project "+r.ID, err)
		}
		current, err := s.Load(ctx, r.ID)
		if err != nil {
			return err
		}
		*r = *current
		if current.Revision == next.Revision {
			return nil
		}
		// Two writers in step would meet again and again.
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(mathrand.IntN(try+1)*20) * time.Millisecond):
		}
	}
	return fmt.Errorf("write the state of project %s: others wrote it %d times meanwhile; the next delivery or sweep tries again", r.ID, conflictTries)
}

func (s *Store) save(ctx context.Context, r *Record, next Project) error {
	data, err := seal.Marshal(next)
	if err != nil {
		return err
	}
	version, err := s.write(ctx, projectBlob(r.ID), data, r.etag)
	if err != nil {
		return err
	}
	r.Project, r.etag, r.Seen, r.Lost = next, version.etag, version.date, nil
	return nil
}

// Check reads nothing but that the container is there.
func (s *Store) Check(ctx context.Context) error {
	_, err := s.container.GetProperties(ctx, nil)
	return s.explain("look at the state container "+s.name, err)
}

func projectBlob(id string) string { return "projects/" + id + ".json" }

// version is what an answer tells of a blob.
type version struct {
	etag azcore.ETag
	date time.Time
}

func (s *Store) read(ctx context.Context, name string) ([]byte, version, error) {
	answer, err := s.container.NewBlobClient(name).DownloadStream(ctx, nil)
	if err != nil {
		return nil, version{date: errorDate(err)}, err
	}
	body := answer.NewRetryReader(ctx, nil)
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, maxBlob+1))
	if err != nil {
		return nil, version{}, err
	}
	if len(data) > maxBlob {
		return nil, version{}, fmt.Errorf("it is larger than %d bytes", maxBlob)
	}
	return data, version{etag: value(answer.ETag), date: value(answer.Date)}, nil
}

// write writes a blob on top of the version named by etag; "" writes only where
// there is none.
func (s *Store) write(ctx context.Context, name string, data []byte, etag azcore.ETag) (version, error) {
	condition := &blob.ModifiedAccessConditions{IfMatch: &etag}
	if etag == "" {
		any := azcore.ETagAny
		condition = &blob.ModifiedAccessConditions{IfNoneMatch: &any}
	}
	contentType := "application/json"
	answer, err := s.container.NewBlockBlobClient(name).Upload(ctx, streaming.NopCloser(bytes.NewReader(data)), &blockblob.UploadOptions{
		HTTPHeaders:      &blob.HTTPHeaders{BlobContentType: &contentType},
		AccessConditions: &blob.AccessConditions{ModifiedAccessConditions: condition},
	})
	if err != nil {
		return version{}, err
	}
	return version{etag: value(answer.ETag), date: value(answer.Date)}, nil
}

func isConflict(err error) bool {
	return bloberror.HasCode(err, bloberror.ConditionNotMet, bloberror.BlobAlreadyExists)
}

func (s *Store) explain(op string, err error) error {
	if bloberror.HasCode(err, bloberror.ContainerNotFound) {
		return remedy.New("create it, or name another in STATE_CONTAINER", "%s: there is no container %q", op, s.name)
	}
	return storage.Explain(op, err)
}

// Clone is a deep copy.
func (p Project) Clone() Project {
	var c Project
	if err := json.Unmarshal(mustJSON(p), &c); err != nil {
		panic("state: a project that can't be read back: " + err.Error())
	}
	return c
}

func mustJSON(p Project) []byte {
	data, err := json.Marshal(p)
	if err != nil {
		panic("state: a project that can't be written: " + err.Error())
	}
	return data
}

func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// errorDate is the service's time in a failed answer, as a missing blob gives one too.
func errorDate(err error) time.Time {
	var response *azcore.ResponseError
	if errors.As(err, &response) && response.RawResponse != nil {
		if date, err := http.ParseTime(response.RawResponse.Header.Get("Date")); err == nil {
			return date
		}
	}
	return time.Time{}
}
