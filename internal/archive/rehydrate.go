package archive

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"

	"visionkeeper/internal/storage"
)

// Resting reports whether err is that a blob lies in the Archive tier, where it
// can't be read until it is rehydrated.
func Resting(err error) bool {
	return bloberror.HasCode(err, bloberror.BlobArchived, bloberror.BlobBeingRehydrated)
}

// Withheld reports whether err is that a source isn't given until a person acts: a right
// is missing, a lease or an encryption scope is in the way, or it rests.
func Withheld(err error) bool {
	var answer *azcore.ResponseError
	return errors.Is(err, ErrUnreadable) && errors.As(err, &answer) &&
		(answer.StatusCode == http.StatusForbidden || Resting(err) || strings.HasPrefix(answer.ErrorCode, "Lease") || strings.Contains(answer.ErrorCode, "Encryption"))
}

// Rehydrate asks for a backup's package and proof to be brought back from the
// Archive tier to the Hot one, as far as they rest there. That takes up to 15
// hours and isn't waited for. The bytes don't change. It needs the right to write
// the blobs. Two requests. (Set Blob Tier)
// https://learn.microsoft.com/azure/storage/blobs/archive-rehydrate-overview
func (a *Archive) Rehydrate(ctx context.Context, b Backup) error {
	for _, name := range []string{b.Blob, b.Proof} {
		if name == "" {
			continue
		}
		_, err := a.container.NewBlobClient(name).SetTier(ctx, blob.AccessTierHot, nil)
		if err != nil && !bloberror.HasCode(err, bloberror.BlobBeingRehydrated) {
			return storage.Explain("bring "+name+" back from the Archive tier", err)
		}
	}
	return nil
}
