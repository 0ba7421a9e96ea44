package archive

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"visionkeeper/internal/storage"
)

// put writes a source to a name that must be free: by the storage service, or,
// where that can't read the source, through this process.
func (a *Archive) put(ctx context.Context, name string, s Source, id Identity) (Backup, error) {
	origin := Origin{Kind: cmp.Or(s.Kind, FromContainer), Name: s.Name, ETag: id.ETag, Certainty: s.Certainty}
	if s.URL == "" {
		return a.putThrough(ctx, name, s, id, origin)
	}
	byService := a.putInOne
	if id.Size > a.options.SyncCopyLimit {
		byService = a.putInBlocks
	}
	b, err := byService(ctx, name, s, id, origin)
	if serviceCannotRead(err) {
		return a.putThrough(ctx, name, s, id, origin)
	}
	return b, err
}

// serviceCannotRead reports whether the storage service couldn't fetch from the URL:
// it is behind a firewall, no blob, or not there. Reading it in this process
// works, or says why not.
func serviceCannotRead(err error) bool {
	return storage.Status(err) == http.StatusNotFound || bloberror.HasCode(err,
		bloberror.CannotVerifyCopySource, bloberror.CopyAcrossAccountsNotSupported,
		bloberror.InvalidSourceBlobType, bloberror.InvalidSourceBlobURL,
		bloberror.InvalidHeaderValue, bloberror.InvalidInput, bloberror.UnsupportedHeader,
		"APINotImplemented") // as Azurite says
}

func (a *Archive) putInOne(ctx context.Context, name string, s Source, id Identity, origin Origin) (Backup, error) {
	resp, err := a.container.NewBlobClient(name).CopyFromURL(ctx, s.URL, &blob.CopyFromURLOptions{
		Metadata:                       origin.metadata(), // else the source's own is taken along
		BlobAccessConditions:           ifAbsent(),
		SourceModifiedAccessConditions: &blob.SourceModifiedAccessConditions{SourceIfMatch: ifMatch(id.ETag)},
	})
	if err != nil {
		return Backup{}, err
	}
	return newBackup(resp.ETag, resp.LastModified, origin), nil
}

// putThrough reads the source twice: into a temporary file, to compare it with what
// was identified, and once more, to find bytes that were spoilt on their way. Above
// Options.SyncCopyLimit it sends the file in blocks, but for those that the service
// could fetch. The service checks what arrives by its MD5.
func (a *Archive) putThrough(ctx context.Context, name string, s Source, id Identity, origin Origin) (Backup, error) {
	first, second := md5.New(), md5.New()
	file, size, err := fill(a.options.TempDir, func(w io.Writer) (int64, error) {
		return a.readWhole(ctx, s, id.ETag, io.MultiWriter(w, first))
	})
	if err != nil {
		return Backup{}, err
	}
	defer file.Close()
	if now, err := identifyBytes(file, size); err != nil || now.ContentID != id.ContentID {
		return Backup{}, fmt.Errorf("read %s: %w", s.Name, errors.Join(ErrChanged, err))
	}
	if _, err := a.readWhole(ctx, s, id.ETag, second); err != nil {
		return Backup{}, err
	}
	sum := first.Sum(nil)
	if !bytes.Equal(sum, second.Sum(nil)) {
		return Backup{}, fmt.Errorf("read %s: %w: two reads gave different bytes", s.Name, ErrChanged)
	}
	if size > a.options.SyncCopyLimit {
		return a.inBlocks(ctx, name, id, origin, sum, fromFile(file))
	}
	body := streaming.NopCloser(io.NewSectionReader(file, 0, size))
	resp, err := a.container.NewBlockBlobClient(name).Upload(ctx, body, &blockblob.UploadOptions{
		Metadata:         origin.metadata(),
		AccessConditions: ifAbsent(),
		HTTPHeaders:      &blob.HTTPHeaders{BlobContentMD5: sum},
	})
	if err != nil {
		return Backup{}, err
	}
	return newBackup(resp.ETag, resp.LastModified, origin), nil
}

func newBackup(etag *azcore.ETag, modified *time.Time, origin Origin) Backup {
	b := Backup{ETag: etagOf(etag), Origin: origin}
	if modified != nil {
		b.LastModified = *modified
	}
	return b
}
