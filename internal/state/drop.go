package state

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"visionkeeper/internal/storage"
)

// ErrNoDeadLetter is the error if no dead letter, or more than one, has an id
// that begins with the prefix.
var ErrNoDeadLetter = errors.New("there is no such dead letter")

// ErrBuriedAgain is the error if the same message was stored again after the
// dead letter was read.
var ErrBuriedAgain = errors.New("the message came again meanwhile")

// HeldLetter is a dead letter and the version of its blob that was read.
type HeldLetter struct {
	DeadLetter
	etag azcore.ETag
}

// FindDeadLetter reads the dead letter whose id begins with prefix; 8 characters
// are mostly enough. If none or several do, the error is ErrNoDeadLetter. (List
// Blobs, Get Blob)
func (s *Store) FindDeadLetter(ctx context.Context, prefix string) (HeldLetter, error) {
	if prefix == "" || strings.Trim(prefix, "0123456789abcdef") != "" {
		return HeldLetter{}, fmt.Errorf("%q is no id of a dead letter: %w", prefix, ErrNoDeadLetter)
	}
	name, most := deadLetterPrefix+prefix, int32(2)
	page, err := s.container.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Prefix: &name, MaxResults: &most}).NextPage(ctx)
	if err != nil {
		return HeldLetter{}, s.explain("list the dead letters", err)
	}
	items := page.Segment.BlobItems
	if len(items) != 1 {
		return HeldLetter{}, fmt.Errorf("%d dead letters begin with %s: %w", len(items), prefix, ErrNoDeadLetter)
	}
	letter, v, err := s.deadLetter(ctx, strings.TrimSuffix(strings.TrimPrefix(*items[0].Name, deadLetterPrefix), ".json"))
	return HeldLetter{DeadLetter: letter, etag: v.etag}, err
}

// DeadLetter reads the dead letter with this id. If there is none, the error is
// ErrNoDeadLetter. (Get Blob)
func (s *Store) DeadLetter(ctx context.Context, id string) (HeldLetter, error) {
	if len(id) != sha256.Size*2 || strings.Trim(id, "0123456789abcdef") != "" {
		return HeldLetter{}, fmt.Errorf("%q is no id of a dead letter: %w", id, ErrNoDeadLetter)
	}
	letter, v, err := s.deadLetter(ctx, id)
	if bloberror.HasCode(err, bloberror.BlobNotFound) {
		return HeldLetter{}, ErrNoDeadLetter
	}
	return HeldLetter{DeadLetter: letter, etag: v.etag}, err
}

// DropDeadLetter deletes a dead letter in the version that was read. If its blob
// has another version by now, the error is ErrBuriedAgain. A blob that no longer
// exists is no error. (Delete Blob)
func (s *Store) DropDeadLetter(ctx context.Context, l HeldLetter) error {
	_, err := s.container.NewBlobClient(deadLetterPrefix+l.ID+".json").Delete(ctx, &blob.DeleteOptions{
		AccessConditions: &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfMatch: &l.etag}},
	})
	switch {
	case bloberror.HasCode(err, bloberror.BlobNotFound):
		return nil
	case bloberror.HasCode(err, bloberror.ConditionNotMet): // some services also answer this for a missing blob
		if _, _, err := s.deadLetter(ctx, l.ID); bloberror.HasCode(err, bloberror.BlobNotFound) {
			return nil
		}
		return fmt.Errorf("dead letter %s is kept: %w", l.ID, ErrBuriedAgain)
	}
	return storage.Explain("delete dead letter "+l.ID, err)
}
