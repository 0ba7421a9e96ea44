package archive

import (
	"context"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"golang.org/x/sync/errgroup"

	"visionkeeper/internal/storage"
)

const concurrentBlocks = 4

// stageBlock puts one block, a range of the package, to be committed later.
type stageBlock func(ctx context.Context, client *blockblob.Client, block string, at blob.HTTPRange) error

// putInBlocks lets the storage service fetch the source block by block.
func (a *Archive) putInBlocks(ctx context.Context, name, link string, id Identity, origin Origin) (Backup, error) {
	return a.inBlocks(ctx, name, id, origin, nil, func(ctx context.Context, client *blockblob.Client, block string, at blob.HTTPRange) error {
		_, err := client.StageBlockFromURL(storage.Streaming(ctx), block, link, &blockblob.StageBlockFromURLOptions{
			Range:                          at,
			SourceModifiedAccessConditions: &blob.SourceModifiedAccessConditions{SourceIfMatch: ifMatch(id.ETag)},
		})
		return err
	})
}

// fromFile stages blocks of a file. The service checks each by its MD5, for which
// the block is read twice: where the SDK computes a checksum, it holds the whole
// block in memory.
func fromFile(file io.ReaderAt) stageBlock {
	return func(ctx context.Context, client *blockblob.Client, block string, at blob.HTTPRange) error {
		sum := md5.New()
		if _, err := io.Copy(sum, io.NewSectionReader(file, at.Offset, at.Count)); err != nil {
			return err
		}
		body := streaming.NopCloser(io.NewSectionReader(file, at.Offset, at.Count))
		_, err := client.StageBlock(storage.Streaming(ctx), block, body, &blockblob.StageBlockOptions{
			TransactionalValidation: blob.TransferValidationTypeMD5(sum.Sum(nil)),
		})
		return err
	}
}

// inBlocks stages the blocks that no earlier try has staged, and commits all at
// once, with the MD5 of the whole where it is known. (Get Block List, Put Block or Put Block From URL, Put Block List)
func (a *Archive) inBlocks(ctx context.Context, name string, id Identity, origin Origin, sum []byte, stage stageBlock) (Backup, error) {
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
		group.Go(func() error { return stage(groupCtx, client, block, blob.HTTPRange{Offset: offset, Count: count}) })
	}
	if err := group.Wait(); err != nil {
		return Backup{}, err
	}
	resp, err := client.CommitBlockList(ctx, ids, &blockblob.CommitBlockListOptions{
		Metadata:         origin.metadata(),
		AccessConditions: ifAbsent(),
		HTTPHeaders:      &blob.HTTPHeaders{BlobContentMD5: sum},
	})
	if err != nil {
		return Backup{}, err
	}
	return newBackup(resp.ETag, resp.LastModified, origin), nil
}

// blockIDs name the blocks of one version of a source, so that blocks of another
// version are never used. Without an ETag, no two tries share a block.
func blockIDs(id Identity, blockSize int64) []string {
	version := id.ETag
	if ifMatch(version) == nil {
		version = rand.Text()
	}
	tag := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%d", version, id.ContentID, blockSize))
	ids := make([]string, (id.Size+blockSize-1)/blockSize)
	for i := range ids {
		ids[i] = base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%x-%06d", tag[:8], i))
	}
	return ids
}

// uncommitted are the blocks that were staged and not yet committed, with their sizes.
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
