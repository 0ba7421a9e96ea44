package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"visionkeeper/internal/pattern"
	"visionkeeper/internal/seal"
	"visionkeeper/internal/storage"
)

// Tombstone says that the app deleted an iteration at Custom Vision to make room there,
// and on which proofs that stood. It is sealed JSON among the iteration's backups, written
// once before the iteration is asked to be deleted, and once when it is gone.
type Tombstone struct {
	Layout    int    `json:"layout"`
	ID        string `json:"deletionId"`
	Project   string `json:"projectId"`
	Iteration string `json:"iterationId"`

	ProjectName   string     `json:"projectName"`
	IterationName string     `json:"iterationName"`
	TrainedAt     *time.Time `json:"trainedAt"` // null where the training failed
	Why           string     `json:"why"`
	// Proofs are the names of those whose packages were there directly before, Snapshot is
	// that of the data set's proof; empty where the policy didn't ask for it.
	Proofs   []string  `json:"proofs"`
	Snapshot string    `json:"snapshot"`
	Asked    time.Time `json:"asked"` // when the deletion was announced
	// Gone is when Custom Vision was seen to have it no longer; null in the first of the two.
	Gone    *time.Time `json:"gone"`
	Version string     `json:"version"` // of the program
}

var tombstoneName = pattern.Of(`^deletion-([0-9]{8}T[0-9]{6}Z-[a-z0-9]{8})\.(announced|done)\.json$`)

// DeletionID names a deletion that is announced at a time; token is random.
func DeletionID(at time.Time, token string) string {
	return at.UTC().Format("20060102T150405Z") + "-" + strings.ToLower(token[:8])
}

// blob is its name in the container.
func (t Tombstone) blob() string {
	of := "announced"
	if t.Gone != nil {
		of = "done"
	}
	return t.Project + "/" + t.Iteration + "/deletion-" + t.ID + "." + of + ".json"
}

// Announce writes that an iteration is about to be deleted. One request: Put Blob.
func (a *Archive) Announce(ctx context.Context, t Tombstone) error {
	t.Gone = nil
	return a.putTombstone(ctx, t)
}

// Bury writes that an iteration whose deletion was announced is gone. Two requests: Get
// Blob, Put Blob.
func (a *Archive) Bury(ctx context.Context, project, iteration, id string, gone time.Time) error {
	announced := Tombstone{Project: project, Iteration: iteration, ID: id}
	t, err := a.tombstone(ctx, announced.blob())
	if err != nil {
		return err
	}
	gone = gone.UTC()
	t.Gone = &gone
	return a.putTombstone(ctx, t)
}

// putTombstone writes one. The name is of this deletion alone, so one that is there
// already was written by a request whose answer was lost, or by a process that ended.
func (a *Archive) putTombstone(ctx context.Context, t Tombstone) error {
	t.Layout, t.Version = layoutVersion, a.options.Version
	name := t.blob()
	if !tombstoneName().MatchString(name[strings.LastIndexByte(name, '/')+1:]) {
		return fmt.Errorf("write the tombstone %s: that is no name of one", name)
	}
	return a.putOnce(ctx, "write the tombstone "+name, name, t, func() error {
		_, err := a.tombstone(ctx, name)
		return err
	})
}

// putOnce writes a sealed document, once: what is there already has to be one, or the error
// is why it isn't. (Put Blob)
func (a *Archive) putOnce(ctx context.Context, what, name string, body any, there func() error) error {
	data, err := seal.Marshal(body)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	contentType := "application/json"
	_, err = a.container.NewBlockBlobClient(name).Upload(ctx, streaming.NopCloser(bytes.NewReader(data)), &blockblob.UploadOptions{
		HTTPHeaders:             &blob.HTTPHeaders{BlobContentType: &contentType},
		AccessConditions:        ifAbsent(),
		TransactionalValidation: blob.TransferValidationTypeComputeCRC64(),
	})
	if refused(err) {
		if found := there(); !errors.Is(found, ErrNotFound) {
			err = found
		}
	}
	return storage.Explain(what, err)
}

// tombstone reads one. The error is ErrNotFound where it isn't there, and seal.ErrBroken
// where it is damaged or is that of another iteration.
func (a *Archive) tombstone(ctx context.Context, name string) (Tombstone, error) {
	var t Tombstone
	what := "read the tombstone " + name
	data, err := a.small(ctx, what, name)
	if err != nil {
		return t, err
	}
	if err := seal.Unmarshal(data, &t); err != nil {
		return t, fmt.Errorf("%s: %w", what, err)
	}
	if t.blob() != name {
		return t, fmt.Errorf("%s: %w: it is of %s", what, seal.ErrBroken, t.blob())
	}
	return t, nil
}

// Tombstones are those of a project's iterations that are gone, or of all projects' where
// it is empty, in the order of their names. Those that can't be read are left out: nothing
// rests on them. One request per 5,000 blobs of models, and one for each. (List Blobs, Get
// Blob)
func (a *Archive) Tombstones(ctx context.Context, project string) ([]Tombstone, error) {
	return documents(ctx, a, project, func(file string) bool {
		m := tombstoneName().FindStringSubmatch(file)
		return m != nil && m[2] == "done"
	}, a.tombstone)
}

// documents reads what lies directly among the backups of a project's iterations, or of
// all, under names of a kind, in their order. What can't be read is left out.
func documents[T any](ctx context.Context, a *Archive, project string, is func(file string) bool, read func(context.Context, string) (T, error)) ([]T, error) {
	prefix, err := prefixOf(project, "")
	if err != nil {
		return nil, err
	}
	var names []string
	for item, err := range storage.List(ctx, a.container, prefix) {
		if err != nil {
			return nil, storage.Explain(fmt.Sprintf("list the archive container %q", a.name), err)
		}
		if item.Name >= beyond {
			break
		}
		if parts := strings.Split(item.Name, "/"); len(parts) == 3 && is(parts[2]) {
			names = append(names, item.Name)
		}
	}
	slices.Sort(names)
	var list []T
	for _, name := range names {
		one, err := read(ctx, name)
		switch {
		case err == nil:
			list = append(list, one)
		case ctx.Err() != nil || storage.Status(err) != 0 && storage.Status(err) != http.StatusNotFound:
			return nil, err
		}
	}
	return list, nil
}
