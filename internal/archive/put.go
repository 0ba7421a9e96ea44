package archive

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
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

// put writes a source to a name that must be free: by the storage service, or, where
// through is set or the service refuses, through this process. Reading a source that
// the service couldn't read works here, or says why not. Through this process no bytes
// come whose SHA-256 a damaged copy has: the error is ErrDamaged then.
func (a *Archive) put(ctx context.Context, name string, s Source, id Identity, through bool, damaged map[string]string) (Backup, error) {
	origin := s.origin(id)
	if !through {
		b, err := a.putByService(ctx, name, s, id, origin)
		if err == nil || ctx.Err() != nil || refused(err) || uploadMeetsTheSame(err) {
			return b, err
		}
	}
	return a.putThrough(ctx, name, s, id, origin, damaged)
}

// origin is what the archive records of a source.
func (s Source) origin(id Identity) Origin {
	return Origin{Kind: cmp.Or(s.Kind, FromContainer), Name: s.Name, ETag: id.ETag, Certainty: s.Certainty}
}

// errNoLink says that there is no link by which the storage service could copy.
var errNoLink = errors.New("no link for the storage service")

// putByService lets the storage service copy, in one request or in blocks.
func (a *Archive) putByService(ctx context.Context, name string, s Source, id Identity, origin Origin) (Backup, error) {
	link, err := s.link(ctx)
	if err != nil {
		return Backup{}, fmt.Errorf("%w: %s", errNoLink, err)
	}
	if id.Size > a.options.SyncCopyLimit {
		return a.putInBlocks(ctx, name, link, id, origin)
	}
	return a.putInOne(ctx, name, link, id, origin)
}

// uploadMeetsTheSame reports whether what refused a copy would refuse an upload as
// well: the account or the container can't be written to, or doesn't answer.
func uploadMeetsTheSame(err error) bool {
	switch status := storage.Status(err); {
	case errors.Is(err, errNoLink), bloberror.HasCode(err, bloberror.CannotVerifyCopySource):
		return false
	case status == 0, status == http.StatusTooManyRequests:
		return true
	case status >= 500 && status != http.StatusNotImplemented:
		return true
	}
	return bloberror.HasCode(err, bloberror.ContainerNotFound, bloberror.ContainerBeingDeleted, bloberror.ContainerDisabled,
		bloberror.AccountIsDisabled, bloberror.AccountBeingCreated)
}

func (a *Archive) putInOne(ctx context.Context, name, link string, id Identity, origin Origin) (Backup, error) {
	resp, err := a.container.NewBlobClient(name).CopyFromURL(storage.Streaming(ctx), link, &blob.CopyFromURLOptions{
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
// was identified, and once more, to find bytes that were spoilt on their way, unless it
// was read whole before, and was the same. Above
// Options.SyncCopyLimit it sends the file in blocks, but for those that the service
// could fetch. The service checks what arrives by its MD5.
func (a *Archive) putThrough(ctx context.Context, name string, s Source, id Identity, origin Origin, damaged map[string]string) (Backup, error) {
	first, second, content := md5.New(), md5.New(), sha256.New()
	file, size, err := fill(a.options.TempDir, id.Size, func(w io.Writer) (int64, error) {
		return a.readWhole(ctx, s, id.ETag, io.MultiWriter(w, first, content))
	})
	if err != nil {
		return Backup{}, err
	}
	defer file.Close()
	if now, err := identifyBytes(ctx, file, size); err != nil || now.ContentID != id.ContentID {
		return Backup{}, fmt.Errorf("read %s: %w", s.Name, errors.Join(ErrChanged, err))
	}
	if note, known := damaged[hex.EncodeToString(content.Sum(nil))]; known {
		return Backup{}, errSameBytes(s, note)
	}
	sum := first.Sum(nil)
	if !bytes.Equal(sum, id.md5) {
		if _, err := a.readWhole(ctx, s, id.ETag, second); err != nil {
			return Backup{}, err
		}
		if !bytes.Equal(sum, second.Sum(nil)) {
			return Backup{}, fmt.Errorf("read %s: %w: two reads gave different bytes", s.Name, ErrChanged)
		}
	}
	if size > a.options.SyncCopyLimit {
		return a.inBlocks(ctx, name, id, origin, sum, fromFile(file))
	}
	body := streaming.NopCloser(io.NewSectionReader(file, 0, size))
	resp, err := a.container.NewBlockBlobClient(name).Upload(storage.Streaming(ctx), body, &blockblob.UploadOptions{
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
