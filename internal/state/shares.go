package state

import (
	"context"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"

	"visionkeeper/internal/seal"
)

// sharesBlob holds how the running processes share the calls to Custom Vision.
const sharesBlob = "calls.json"

// Share is the part of the calls that one process holds.
type Share struct {
	Name  string    `json:"name"` // random, one for each process
	Parts int       `json:"parts"`
	Until time.Time `json:"until"` // by the storage service's clock
}

// Shares are those of all processes in one version.
type Shares struct {
	List []Share
	Seen time.Time // when it was read or written, by the storage service's clock

	etag azcore.ETag // "" where there is no blob yet
}

// Shares reads them (Get Blob). There are none if there is no blob, or if it is broken.
func (s *Store) Shares(ctx context.Context) (*Shares, error) {
	data, version, err := s.read(ctx, sharesBlob)
	shares := &Shares{Seen: version.date, etag: version.etag}
	if bloberror.HasCode(err, bloberror.BlobNotFound) {
		return shares, nil
	}
	if err != nil {
		return nil, s.explain("read "+sharesBlob, err)
	}
	if seal.Unmarshal(data, &shares.List) != nil {
		shares.List = nil //nolint:nilerr // it is written anew
	}
	return shares, nil
}

// SetShares replaces the version that was read (Put Blob with If-Match). It returns nil
// if another process was first, or if this process's own write was, whose answer was
// lost.
func (s *Store) SetShares(ctx context.Context, read *Shares, list []Share) (*Shares, error) {
	data, err := seal.Marshal(list)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", sharesBlob, err)
	}
	version, err := s.write(ctx, sharesBlob, data, read.etag)
	switch {
	case isConflict(err):
		return nil, nil
	case err != nil:
		return nil, s.explain("write "+sharesBlob, err)
	}
	return &Shares{List: list, Seen: version.date, etag: version.etag}, nil
}
