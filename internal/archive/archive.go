// Package archive keeps proven backups of exported Custom Vision models in a
// Blob Storage container: it identifies an export's bytes before they are
// copied, lets the storage service copy them, reads the copy back, and writes a
// proof beside it. Listing, checking and restoring need the archive alone.
//
// It only ever adds blobs: nothing is overwritten or deleted, so the container
// may be immutable. It knows blobs and zips, not the Training API and not
// Functions. The layout is a promise, written down in docs/archive.md.
//
// Start reading at Archive, then Identify, Copy, Verify: one backup is these
// three in turn.
package archive

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"visionkeeper/internal/remedy"
	"visionkeeper/internal/storage"
)

var (
	// ErrNotFound says that there is no such blob.
	ErrNotFound = errors.New("there is no such blob")
	// ErrChanged says that the bytes are not those that were identified: look again.
	ErrChanged = errors.New("the source changed meanwhile")
	// ErrTooLarge says that the bytes exceed Options.MaxSize.
	ErrTooLarge = errors.New("it is larger than the archive takes")
	// ErrDamaged says that the bytes are not those that the proof names, or that this
	// version of a source is itself damaged.
	ErrDamaged = errors.New("the bytes are damaged")
	// ErrSpoilt says that every copy of a source is damaged, each in another way.
	ErrSpoilt = errors.New("the bytes are spoilt on their way")
	// ErrUnreadable says that the storage service refuses to give what is there: it lies
	// in the Archive tier, or a right, a lease or a key is missing.
	ErrUnreadable = errors.New("it is refused")
	// ErrUnproven says that a backup has no proof yet.
	ErrUnproven = errors.New("the backup has no proof yet")
)

const (
	defaultMaxSize       = 1 << 30
	defaultSyncCopyLimit = 256 << 20 // of Copy Blob From URL
	defaultBlockSize     = 8 << 20
	concurrentVerifies   = 2
)

// Options configure an Archive. The zero value is what production uses, but for
// Version.
type Options struct {
	Version       string           // of the program, for proofs
	Now           func() time.Time // default time.Now
	MaxSize       int64            // largest package in bytes, default 1 GiB
	TempDir       string           // default os.TempDir()
	SyncCopyLimit int64            // largest package copied in one request, default and at most 256 MiB
	BlockSize     int64            // of larger packages, default 8 MiB
	Share         time.Duration    // of time for judging a package, besides what its size takes; default 30 s
	// Sources are the options of the requests that fetch packages. A Transport
	// must not follow redirects and must leave the bytes as they are stored.
	Sources azcore.ClientOptions
}

// Archive is a container of backups. It is safe for concurrent use.
type Archive struct {
	container *container.Client
	name      string
	options   Options
	verifying chan struct{} // holds one token per verify under way
	sources   runtime.Pipeline
}

// Open opens the container. It sends no request; see Check.
func Open(client *service.Client, containerName string, o Options) *Archive {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MaxSize <= 0 {
		o.MaxSize = defaultMaxSize
	}
	if o.TempDir == "" {
		o.TempDir = os.TempDir()
	}
	if o.SyncCopyLimit <= 0 || o.SyncCopyLimit > defaultSyncCopyLimit {
		o.SyncCopyLimit = defaultSyncCopyLimit
	}
	if o.BlockSize <= 0 {
		o.BlockSize = defaultBlockSize
	}
	if o.Share <= 0 {
		o.Share = defaultShare
	}
	return &Archive{
		container: client.NewContainerClient(containerName),
		name:      containerName,
		options:   o,
		verifying: make(chan struct{}, concurrentVerifies),
		sources:   sourcePipeline(o.Version, o.Sources),
	}
}

// Account is the name of the container's storage account.
func (a *Archive) Account() string { return storage.AccountName(a.container.URL()) }

// URL is the container's, without a query.
func (a *Archive) URL() string { return a.container.URL() }

// Name is the container's.
func (a *Archive) Name() string { return a.name }

// Check is nil if the container exists and may be reached. It never creates
// the container: a new, empty one would hide that the settings name the wrong one. (Get Container Properties)
func (a *Archive) Check(ctx context.Context) error {
	_, err := a.container.GetProperties(ctx, nil)
	if storage.Status(err) == http.StatusNotFound {
		return remedy.New("create it with `visionkeeper connect --create-storage`, or name the right one in ARCHIVE_CONTAINER", "the archive container %q does not exist, and it is never created by itself", a.name)
	}
	return storage.Explain(fmt.Sprintf("reach the archive container %q", a.name), err)
}

// sourcePipeline sends the requests that fetch packages. They have no credential
// but the URL's own, and follow no redirect, so that nobody can send them elsewhere.
func sourcePipeline(version string, o azcore.ClientOptions) runtime.Pipeline {
	o = storage.Options(&o)
	return runtime.NewPipeline("visionkeeper", version, runtime.PipelineOptions{}, &o)
}
