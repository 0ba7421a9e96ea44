package archive

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"golang.org/x/sync/errgroup"

	"visionkeeper/storage"
)

const concurrentBlocks = 4

// putInBlocks lets the storage service fetch the source block by block, goes on
// from what an earlier try has left uncommitted, and commits all at once. (Get
// Block List, Put Block From URL, Put Block List)
func (a *Archive) putInBlocks(ctx context.Context, name string, s Source, id Identity, origin Origin) (Backup, error) {
	client := a.container.NewBlockBlobClient(name)
	there, err := uncommitted(ctx, client)
	if err != nil {
		return Backup{}, err
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(concurrentBlocks)
	ids := blockIDs(id, a.options.BlockSize)
	for i, block := range ids {
		offset := int64(i) * a.options.BlockSize
		count := min(a.options.BlockSize, id.Size-offset)
		if there[block] == count {
			continue
		}
		group.Go(func() error {
			_, err := client.StageBlockFromURL(groupCtx, block, s.URL, &blockblob.StageBlockFromURLOptions{
				Range:                          blob.HTTPRange{Offset: offset, Count: count},
				SourceModifiedAccessConditions: &blob.SourceModifiedAccessConditions{SourceIfMatch: ifMatch(id.ETag)},
			})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return Backup{}, err
	}
	resp, err := client.CommitBlockList(ctx, ids, &blockblob.CommitBlockListOptions{
		Metadata:         origin.metadata(),
		AccessConditions: ifAbsent(),
	})
	if err != nil {
		return Backup{}, err
	}
	return newBackup(resp.ETag, resp.LastModified, origin), nil
}

// blockIDs name the blocks of one version of a source, so that those of another
// are never taken for them. Without an ETag no two tries share any.
func blockIDs(id Identity, blockSize int64) []string {
	version := id.ETag
	if version == "" {
		version = rand.Text()
	}
	tag := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%d", version, id.ContentID, blockSize))
	ids := make([]string, (id.Size+blockSize-1)/blockSize)
	for i := range ids {
		ids[i] = base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%x-%06d", tag[:8], i))
	}
	return ids
}

// uncommitted are the blocks that wait to be committed, with their sizes.
func uncommitted(ctx context.Context, client *blockblob.Client) (map[string]int64, error) {
	list, err := client.GetBlockList(ctx, blockblob.BlockListTypeUncommitted, nil)
	if storage.Status(err) == http.StatusNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	there := map[string]int64{}
	for _, b := range list.UncommittedBlocks {
		if b.Name != nil && b.Size != nil {
			there[*b.Name] = *b.Size
		}
	}
	return there, nil
}
