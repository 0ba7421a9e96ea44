package archive

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	"visionkeeper/internal/storage"
)

// Source is where a package's bytes come from: one of URL, Blob and Open.
type Source struct {
	Kind string // FromContainer, which is the default, FromDownload or FromArtifact
	Name string // a blob's name, or host and path; without a query, since it goes into the proof
	// Certainty is why these bytes are taken for the export.
	Certainty Certainty
	// URL is read without any further credential and without following redirects.
	// It is a secret. Where it came from elsewhere, pass it through CheckDownloadURL.
	URL string
	// Blob is read by the app's own credential. Link makes a URL by which the storage
	// service may copy it, which is a secret.
	Blob *blob.Client
	Link func(context.Context) (string, error)
	// Open streams the bytes through this process. It may be called several times and
	// must give the same bytes.
	Open func(context.Context) (io.ReadCloser, error)
}

// Source is a package in the archive itself.
func (a *Archive) Source(b Backup) Source {
	return Source{Kind: b.Origin.Kind, Name: b.Blob, Blob: a.container.NewBlobClient(b.Blob)}
}

// link is the URL by which the storage service may copy the source.
func (s Source) link(ctx context.Context) (string, error) {
	if s.Link != nil {
		return s.Link(ctx)
	}
	return s.URL, nil
}

// answer is what a source sent to one request.
type answer struct {
	body   io.ReadCloser
	size   int64  // of the whole package; -1 where the source doesn't say
	etag   string // without quotes
	md5    []byte // of the whole package, where the source says so
	ranged bool   // body is the range asked for, not the whole
}

// get asks the source for count bytes from offset on, or for all that follow where
// count is 0. A source may answer with the whole instead. Where etag is given and
// the source has another by now, the error is ErrChanged.
func (a *Archive) get(ctx context.Context, s Source, offset, count int64, etag string) (answer, error) {
	if count == 0 {
		ctx = storage.Streaming(ctx)
	}
	if s.Blob != nil {
		return getBlob(ctx, s, offset, count, etag)
	}
	what := fmt.Sprintf("read %s", s.Name)
	req, err := runtime.NewRequest(ctx, http.MethodGet, s.URL)
	if err != nil {
		return answer{}, fmt.Errorf("%s: its address is not a URL", what)
	}
	runtime.SkipBodyDownload(req)
	switch {
	case count > 0:
		req.Raw().Header.Set("Range", fmt.Sprintf("bytes=%d-%d", offset, offset+count-1))
	case offset > 0:
		req.Raw().Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	if match := ifMatch(etag); match != nil {
		req.Raw().Header.Set("If-Match", string(*match))
	}
	resp, err := a.sources.Do(req)
	if err != nil {
		return answer{}, storage.Explain(what, err)
	}
	got := answer{body: resp.Body, etag: unquote(resp.Header.Get("ETag"))}
	switch resp.StatusCode {
	case http.StatusOK:
		got.size = resp.ContentLength
		got.md5, _ = base64.StdEncoding.DecodeString(resp.Header.Get("Content-MD5")) // one that can't be read confirms nothing
		return got, nil
	case http.StatusPartialContent:
		_, total, _ := strings.Cut(resp.Header.Get("Content-Range"), "/")
		got.ranged = true
		if got.size, err = strconv.ParseInt(total, 10, 64); err == nil && got.size >= 0 {
			return got, nil
		}
		resp.Body.Close()
		return answer{}, fmt.Errorf("%s: the answer does not have the whole length", what)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusRequestedRangeNotSatisfiable:
		if offset == 0 { // only an empty blob has no first byte
			return answer{body: http.NoBody, etag: got.etag}, nil
		}
		return answer{}, fmt.Errorf("%s: %w: it became shorter", what, ErrChanged)
	case http.StatusNotFound:
		return answer{}, fmt.Errorf("%s: %w", what, ErrNotFound)
	}
	return answer{}, refusedSource(what, runtime.NewResponseError(resp))
}

// refusedSource is what an answer means that isn't what was asked for.
func refusedSource(what string, err error) error {
	switch storage.Status(err) {
	case http.StatusPreconditionFailed:
		var answer *azcore.ResponseError
		if errors.As(err, &answer) && !strings.HasPrefix(answer.ErrorCode, "Lease") {
			return fmt.Errorf("%s: %w", what, ErrChanged)
		}
		fallthrough
	case http.StatusForbidden, http.StatusConflict:
		return fmt.Errorf("%w: %w", ErrUnreadable, storage.Explain(what, err))
	}
	return storage.Explain(what, err)
}

// getBlob is get of a blob that is read by the app's own credential.
func getBlob(ctx context.Context, s Source, offset, count int64, etag string) (answer, error) {
	what := fmt.Sprintf("read %s", s.Name)
	o := blob.DownloadStreamOptions{Range: blob.HTTPRange{Offset: offset, Count: count}}
	if match := ifMatch(etag); match != nil {
		o.AccessConditions = &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfMatch: match}}
	}
	resp, err := s.Blob.DownloadStream(ctx, &o)
	switch storage.Status(err) {
	case 0:
	case http.StatusRequestedRangeNotSatisfiable:
		if offset > 0 {
			return answer{}, fmt.Errorf("%s: %w: it became shorter", what, ErrChanged)
		}
		var empty *azcore.ResponseError // only an empty blob has no first byte
		if errors.As(err, &empty) && empty.RawResponse != nil {
			etag = unquote(empty.RawResponse.Header.Get("ETag"))
		}
		return answer{body: http.NoBody, etag: etag}, nil
	case http.StatusNotFound:
		return answer{}, fmt.Errorf("%s: %w", what, ErrNotFound)
	}
	if err != nil {
		return answer{}, refusedSource(what, err)
	}
	got := answer{body: resp.Body, size: -1, etag: etagOf(resp.ETag), ranged: resp.ContentRange != nil}
	if got.ranged {
		_, total, _ := strings.Cut(*resp.ContentRange, "/")
		if got.size, err = strconv.ParseInt(total, 10, 64); err != nil || got.size < 0 {
			resp.Body.Close()
			return answer{}, fmt.Errorf("%s: the answer does not have the whole length", what)
		}
	} else if resp.ContentLength != nil {
		got.size = *resp.ContentLength
	}
	return got, nil
}

// readAttempts is how often a body that breaks off is asked for again.
const readAttempts = 3

// readRange reads count bytes from offset on, which must all be there.
func (a *Archive) readRange(ctx context.Context, s Source, offset, count int64, etag string) ([]byte, error) {
	buf := make([]byte, count)
	for attempt := 1; ; attempt++ {
		got, err := a.get(ctx, s, offset, count, etag)
		if err != nil {
			return nil, err
		}
		if !got.ranged {
			got.body.Close()
			return nil, fmt.Errorf("read %s: %w: it no longer gives parts", s.Name, ErrChanged)
		}
		_, err = io.ReadFull(got.body, buf)
		got.body.Close()
		if err == nil {
			return buf, nil
		}
		if attempt == readAttempts || ctx.Err() != nil {
			return nil, fmt.Errorf("read %s: it broke off %d times: %w", s.Name, attempt, err)
		}
	}
}

// readWhole writes all of a source to w, and returns how much that was. With an ETag,
// an answer that breaks off is continued.
func (a *Archive) readWhole(ctx context.Context, s Source, etag string, w io.Writer) (int64, error) {
	if s.Open != nil {
		return a.stream(ctx, s, w)
	}
	var done int64
	for attempt := 1; ; attempt++ {
		got, err := a.get(ctx, s, done, 0, etag)
		if err != nil {
			return done, err
		}
		if done > 0 && !got.ranged {
			got.body.Close()
			return done, fmt.Errorf("read %s: it broke off after %d bytes and gives no parts", s.Name, done)
		}
		if got.size > a.options.MaxSize {
			got.body.Close()
			return done, a.tooLarge(s.Name, got.size)
		}
		n, err := io.Copy(w, io.LimitReader(got.body, a.options.MaxSize+1-done))
		got.body.Close()
		done += n
		switch {
		case done > a.options.MaxSize:
			return done, a.tooLarge(s.Name, done)
		case done == got.size || (got.size < 0 && err == nil):
			return done, nil
		}
		if etag = got.etag; ifMatch(etag) == nil || attempt == readAttempts || ctx.Err() != nil {
			return done, fmt.Errorf("read %s: it broke off after %d of %d bytes: %w", s.Name, done, got.size, errors.Join(err, ctx.Err()))
		}
	}
}

func (a *Archive) stream(ctx context.Context, s Source, w io.Writer) (int64, error) {
	body, err := s.Open(ctx)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", s.Name, err)
	}
	defer body.Close()
	n, err := io.Copy(w, io.LimitReader(body, a.options.MaxSize+1))
	if err != nil {
		return n, fmt.Errorf("read %s: %w", s.Name, err)
	}
	if n > a.options.MaxSize {
		return n, a.tooLarge(s.Name, n)
	}
	return n, nil
}

func (a *Archive) tooLarge(name string, size int64) error {
	return fmt.Errorf("%s has at least %d bytes: %w (%d)", name, size, ErrTooLarge, a.options.MaxSize)
}
