package state

import (
	"context"
	"errors"
	"fmt"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"

	"visionkeeper/internal/seal"
)

// ErrOvertaken says that another process wrote meanwhile.
var ErrOvertaken = errors.New("another process was first")

// Rescue is the version of a rescue's state that was read.
type Rescue struct{ etag azcore.ETag } // "" where there is none yet

// Rescue reads into out how far the saving of a project's data set has come (Get Blob). It
// leaves out alone if there is none, or if it is broken.
func (s *Store) Rescue(ctx context.Context, projectID string, out any) (Rescue, error) {
	data, version, err := s.read(ctx, rescueBlob(projectID))
	if bloberror.HasCode(err, bloberror.BlobNotFound) {
		return Rescue{}, nil
	}
	if err != nil {
		return Rescue{}, s.explain("read how far the rescue of project "+projectID+" has come", err)
	}
	_ = seal.Unmarshal(data, out) // a broken one is written anew, and costs to read again
	return Rescue{version.etag}, nil
}

// SetRescue replaces the version that was read (Put Blob with If-Match). The error is
// ErrOvertaken if another process was first.
func (s *Store) SetRescue(ctx context.Context, projectID string, read Rescue, in any) (Rescue, error) {
	what := "write how far the rescue of project " + projectID + " has come"
	data, err := seal.Marshal(in)
	if err != nil {
		return read, fmt.Errorf("%s: %w", what, err)
	}
	version, err := s.write(ctx, rescueBlob(projectID), data, read.etag)
	if isConflict(err) {
		// An answer that was lost is found again as this process's own write.
		if now, current, readErr := s.read(ctx, rescueBlob(projectID)); readErr == nil && string(now) == string(data) {
			return Rescue{current.etag}, nil
		}
		return read, fmt.Errorf("%s: %w", what, ErrOvertaken)
	}
	if err != nil {
		return read, s.explain(what, err)
	}
	return Rescue{version.etag}, nil
}

// Rescues lists the ids of the projects of whose rescue there is something. (List Blobs)
func (s *Store) Rescues(ctx context.Context) ([]string, error) { return s.named(ctx, rescuePrefix) }

const rescuePrefix = "rescue/"

func rescueBlob(id string) string { return rescuePrefix + id + ".json" }
