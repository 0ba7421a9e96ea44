package archive

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"visionkeeper/internal/storage"
)

// Verify reads a package back, judges it, and writes its proof; the verdict is
// in there. A bad package is no error. Where a proof with the same verdict stands
// already, for the same bytes, that one is returned. Bytes that were of unsure origin when
// they were copied are as certain as b.Origin says. At most two packages are
// read at a time. The error is ErrTooCostly where judging takes longer than the
// package's share of time. Two requests: Get Blob, Put Blob. A third, Get Blob again, where
// the storage service keeps no MD5 of the package that confirms what was read.
func (a *Archive) Verify(ctx context.Context, b Backup, facts Facts) (Proof, error) {
	select {
	case a.verifying <- struct{}{}:
		defer func() { <-a.verifying }()
	case <-ctx.Done():
		return Proof{}, fmt.Errorf("verify %s: %w", b.Blob, ctx.Err())
	}
	var got content
	file, size, err := fill(a.options.TempDir, b.Size, func(w io.Writer) (n int64, err error) {
		got, err = a.readBack(ctx, b, w)
		return got.size, err
	})
	if err != nil {
		return Proof{}, err
	}
	defer file.Close()
	if b.Size > 0 && size != b.Size { // an incomplete answer proves nothing about the package
		return Proof{}, fmt.Errorf("verify %s: %w: %d bytes came, it has %d", b.Blob, io.ErrUnexpectedEOF, size, b.Size)
	}
	// Where nothing made the bytes certain when they were copied, something may by now.
	if !got.origin.certain() && b.Origin.Certainty != "" {
		got.origin.Certainty = b.Origin.Certainty
	}
	var f judgement
	err = a.within(ctx, size, func(ctx context.Context) error {
		f, err = judge(ctx, file, size, b.Key, got.origin, maxExpanded(size, a.options.MaxSize))
		return err
	})
	if err != nil {
		return Proof{}, fmt.Errorf("verify %s: %w", b.Blob, err)
	}
	if f.contentID != b.ContentID && f.verdict != Damaged {
		f.damaged("its content is not the one it is named after")
	}
	// Not every byte of a zip has a checksum in it. One spoilt on its way here
	// would stand in the proof's hash for ever, against a package that is good.
	if !got.confirmed {
		again, err := a.readBack(ctx, Backup{Blob: b.Blob, ETag: got.etag}, io.Discard)
		if err != nil {
			return Proof{}, err
		}
		if again.sha256 != got.sha256 {
			return Proof{}, fmt.Errorf("verify %s: two reads gave different bytes: some were spoilt on their way", b.Blob)
		}
	}
	p := Proof{
		Layout: layoutVersion, Verdict: f.verdict, Note: f.note,
		Key: b.Key, Blob: b.Blob, ContentID: f.contentID,
		Size: size, SHA256: got.sha256, ETag: got.etag, Source: got.origin,
		Model: f.model, Entries: f.entries, Uncompressed: f.uncompressed,
		Facts: facts, VerifiedAt: a.options.Now().UTC(), Version: a.options.Version,
	}
	if f.manifest != nil {
		p.Manifest = f.manifest.Raw
	}
	return a.writeProof(ctx, p)
}

func (a *Archive) writeProof(ctx context.Context, p Proof) (Proof, error) {
	name := proofPath(p.Blob, p.Verdict)
	p, data, err := readable(p)
	if err != nil {
		return Proof{}, fmt.Errorf("write the proof %s: %w", name, err)
	}
	contentType := "application/json"
	_, err = a.container.NewBlockBlobClient(name).Upload(ctx, streaming.NopCloser(bytes.NewReader(data)), &blockblob.UploadOptions{
		HTTPHeaders:             &blob.HTTPHeaders{BlobContentType: &contentType},
		AccessConditions:        ifAbsent(),
		TransactionalValidation: blob.TransferValidationTypeComputeCRC64(), // a proof that arrived spoilt could never be replaced
	})
	if !refused(err) {
		return p, storage.Explain("write the proof "+name, err)
	}
	before, err := a.Proof(ctx, Backup{Key: p.Key, Blob: p.Blob, Proof: name})
	if err != nil {
		return Proof{}, err
	}
	if before.SHA256 != p.SHA256 || before.Size != p.Size {
		return Proof{}, fmt.Errorf("verify %s: %w: its proof of %s names other bytes", p.Blob, ErrDamaged, before.VerifiedAt.Format("2006-01-02"))
	}
	return before, nil
}

// content is what was read of an archived package.
type content struct {
	size      int64
	sha256    string
	confirmed bool // the MD5 that the service keeps says the same; some blobs have none, or a wrong one
	etag      string
	origin    Origin
}

// readBack writes an archived package to w, continuing where an answer breaks off.
// Where the backup has an ETag and the blob has another, the error is ErrChanged.
func (a *Archive) readBack(ctx context.Context, b Backup, w io.Writer) (content, error) {
	if b.Blob == "" {
		return content{}, fmt.Errorf("the package of %s: %w", b.Proof, ErrNotFound)
	}
	what := "read back " + b.Blob
	var o blob.DownloadStreamOptions
	if match := ifMatch(b.ETag); match != nil {
		o.AccessConditions = &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfMatch: match}}
	}
	resp, err := a.container.NewBlobClient(b.Blob).DownloadStream(storage.Streaming(ctx), &o)
	switch storage.Status(err) {
	case 0:
	case http.StatusNotFound:
		return content{}, fmt.Errorf("%s: %w", what, ErrNotFound)
	case http.StatusPreconditionFailed:
		return content{}, fmt.Errorf("%s: %w: it was overwritten since it was archived", what, ErrChanged)
	}
	if err != nil {
		return content{}, storage.Explain(what, err)
	}
	body := resp.NewRetryReader(storage.Streaming(ctx), &blob.RetryReaderOptions{MaxRetries: readAttempts})
	defer body.Close()
	if size := *resp.ContentLength; size > a.options.MaxSize {
		return content{}, a.tooLarge(b.Blob, size)
	}
	h, sum := sha256.New(), md5.New()
	n, err := io.Copy(io.MultiWriter(w, h, sum), body)
	if err != nil {
		return content{}, storage.Explain(what, err)
	}
	if n != *resp.ContentLength {
		return content{}, fmt.Errorf("%s: %w: only %d of %d bytes came", what, io.ErrUnexpectedEOF, n, *resp.ContentLength)
	}
	return content{
		size: n, sha256: hex.EncodeToString(h.Sum(nil)), confirmed: bytes.Equal(resp.ContentMD5, sum.Sum(nil)),
		etag: etagOf(resp.ETag), origin: originOf(resp.Metadata),
	}, nil
}

// ifAbsent is the condition under which the archive writes anything.
func ifAbsent() *blob.AccessConditions {
	any := azcore.ETagAny
	return &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfNoneMatch: &any}}
}

// refused reports whether a condition didn't hold: 409 where the blob exists, 412
// where the service looked at another condition first. If another
// process committed the blocks first, they are gone.
func refused(err error) bool {
	if Resting(err) || errors.Is(err, ErrUnreadable) {
		return false // that is a 409 or a 412 too, of the source
	}
	status := storage.Status(err)
	return status == http.StatusConflict || status == http.StatusPreconditionFailed ||
		bloberror.HasCode(err, bloberror.InvalidBlockList)
}
