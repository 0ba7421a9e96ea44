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
	"reflect"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"visionkeeper/internal/remedy"
	"visionkeeper/internal/storage"
)

// maxBlob bounds one state blob, in bytes, at the writer and at the reader: a
// larger one is broken.
const maxBlob = 16 << 20

// lastWrite is how much longer a last write may take than the invocation it ends.
const lastWrite = 10 * time.Second

// conflictTries is how many times Update tries to write while others write too.
const conflictTries = 20

// Store keeps the state in one container of Blob Storage. Its methods retry as
// the client's pipeline does, and return errors with advice (storage.Explain).
type Store struct {
	name      string
	container *container.Client
	held      holding
}

// Open returns the store in a container. It sends no request.
func Open(client *service.Client, containerName string) *Store {
	return &Store{name: containerName, container: client.NewContainerClient(containerName)}
}

// Record is a project's state, and the version of the blob it was read from.
type Record struct {
	Project
	// Seen is the time of the last read or write by the storage service's clock.
	// Intents are dated by it, because the clocks of two machines differ.
	Seen time.Time
	// Lost is the reason why the stored state can't be read, nil otherwise. The
	// record is empty then, and the next update replaces the broken blob.
	Lost error
	// Listed reports whether it was held already in the version that a listing showed, and
	// not read anew.
	Listed bool

	etag azcore.ETag // "" where there is no blob yet
}

// Load reads a project's state (Get Blob). The record is empty if nothing is
// stored or if the stored state is broken. A broken state is read a second time,
// in case the damage happened on the way.
func (s *Store) Load(ctx context.Context, projectID string) (*Record, error) {
	r, err := s.load(ctx, projectID)
	if err == nil && r.Lost != nil {
		return s.load(ctx, projectID)
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
	err = decode(data, &r.Project)
	if errors.Is(err, ErrNewer) {
		return nil, fmt.Errorf("state blob %s/%s: %w", s.name, projectBlob(projectID), err)
	}
	if err != nil {
		r.Project = Project{ID: projectID}
		r.Lost = fmt.Errorf("state blob %s/%s: %w", s.name, projectBlob(projectID), err)
	}
	return r, nil
}

// Projects lists the ids of the projects that have a state. (List Blobs)
func (s *Store) Projects(ctx context.Context) ([]string, error) { return s.named(ctx, projectPrefix) }

// named lists the ids that blobs below a prefix are named after.
func (s *Store) named(ctx context.Context, prefix string) ([]string, error) {
	var ids []string
	pages := s.container.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Prefix: &prefix})
	for pages.More() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, s.explain("list the projects", err)
		}
		for _, item := range page.Segment.BlobItems {
			if id, ok := strings.CutSuffix(strings.TrimPrefix(*item.Name, prefix), ".json"); ok {
				ids = append(ids, id)
			}
		}
	}
	return ids, nil
}

// Update applies change to a project's state and writes the result on top of the
// version that was read (Put Blob with If-Match).
//
// If another writer was first, the record is read again and change is called
// again with the new state. A change that changes nothing writes nothing. An
// error of change ends the update without a write. If the answer to a write was
// lost, Update finds its own revision and succeeds.
func (s *Store) Update(ctx context.Context, r *Record, change func(*Project) error) error {
	for try := range conflictTries {
		next := r.Project.Clone()
		if err := change(&next); err != nil {
			return err
		}
		if same(next, r.Project) {
			return nil // nothing to write
		}
		next.Version, next.Revision = formatVersion, rand.Text()
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
		// A random pause keeps two writers from colliding again and again.
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(mathrand.IntN(try+1)*20) * time.Millisecond):
		}
	}
	return fmt.Errorf("write the state of project %s: others wrote it %d times meanwhile; the next delivery or sweep tries again", r.ID, conflictTries)
}

func (s *Store) save(ctx context.Context, r *Record, next Project) error {
	data, err := encode(next)
	if err != nil {
		return err
	}
	version, err := s.write(ctx, projectBlob(r.ID), data, r.etag)
	if err != nil {
		return err
	}
	r.Project, r.etag, r.Seen, r.Lost, r.Listed = next, version.etag, version.date, nil, false
	_, err = s.hold(projectBlob(r.ID), version.etag, data)
	return err
}

const projectPrefix = "projects/"

func projectBlob(id string) string {
	if id == App {
		return App + ".json"
	}
	return projectPrefix + id + ".json"
}

// version is what an answer says about a blob's version.
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
	return data, version{etag: value(answer.ETag), date: value(answer.Date)}, nil
}

// write replaces the version of a blob that etag names. An empty etag creates the
// blob and fails if it exists.
func (s *Store) write(ctx context.Context, name string, data []byte, etag azcore.ETag) (version, error) {
	return s.writeMarked(ctx, name, data, etag, nil)
}

// writeMarked is write with metadata.
func (s *Store) writeMarked(ctx context.Context, name string, data []byte, etag azcore.ETag, marks map[string]*string) (version, error) {
	condition := &blob.ModifiedAccessConditions{IfMatch: &etag}
	if etag == "" {
		any := azcore.ETagAny
		condition = &blob.ModifiedAccessConditions{IfNoneMatch: &any}
	}
	contentType := "application/json"
	answer, err := s.container.NewBlockBlobClient(name).Upload(ctx, streaming.NopCloser(bytes.NewReader(data)), &blockblob.UploadOptions{
		HTTPHeaders:      &blob.HTTPHeaders{BlobContentType: &contentType},
		Metadata:         marks,
		AccessConditions: &blob.AccessConditions{ModifiedAccessConditions: condition},
	})
	if err != nil {
		return version{}, err
	}
	return version{etag: value(answer.ETag), date: value(answer.Date)}, nil
}

// replace writes a blob, whatever version is stored already: most often that which this
// process holds.
func (s *Store) replace(ctx context.Context, name string, data []byte) error {
	last, known := s.held.get(name)
	etag := last.etag
	for range conflictTries {
		if !known {
			_, stored, err := s.read(ctx, name)
			if err != nil && !bloberror.HasCode(err, bloberror.BlobNotFound) {
				return s.explain("read "+name, err)
			}
			etag = stored.etag
		}
		written, err := s.write(ctx, name, data, etag)
		if err == nil {
			_, err = s.hold(name, written.etag, data)
			return err
		}
		if !isConflict(err) {
			return s.explain("write "+name, err)
		}
		known = false
	}
	return fmt.Errorf("write %s: others wrote it %d times meanwhile", name, conflictTries)
}

// LastWrite returns a context for a write that is made even if ctx has ended: it ends ten
// seconds after ctx does. So a try that hangs is made again while ctx has time.
func LastWrite(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-longer.Done():
		case <-time.After(lastWrite):
			cancel()
		}
	})
	return longer, func() { stop(); cancel() }
}

func isConflict(err error) bool {
	return bloberror.HasCode(err, bloberror.ConditionNotMet, bloberror.BlobAlreadyExists)
}

// NoContainer is the error that the state's container isn't there: nothing is remembered.
type NoContainer string

func (c NoContainer) Error() string { return fmt.Sprintf("there is no container %q", string(c)) }

func (s *Store) explain(op string, err error) error {
	if bloberror.HasCode(err, bloberror.ContainerNotFound) {
		return remedy.New("create it, or name another in STATE_CONTAINER", "%s: %w", op, NoContainer(s.name))
	}
	return storage.Explain(op, err)
}

// same reports whether two states say the same.
func same(a, b Project) bool {
	a.index, b.index = nil, nil
	return reflect.DeepEqual(a, b) || bytes.Equal(mustJSON(a), mustJSON(b))
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

// errorDate returns the service's time from a failed answer, such as that for a
// missing blob.
func errorDate(err error) time.Time {
	var response *azcore.ResponseError
	if errors.As(err, &response) && response.RawResponse != nil {
		if date, err := http.ParseTime(response.RawResponse.Header.Get("Date")); err == nil {
			return date
		}
	}
	return time.Time{}
}
