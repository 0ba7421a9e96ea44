package archive_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/seal"
)

// unproven is a house with one copied package that nobody has verified.
func unproven(t testing.TB, o archive.Options, data []byte) (*house, archive.Backup) {
	t.Helper()
	h := newHouse(t, o)
	s := h.model(t, "ONNX", data)
	id, err := h.Identify(t.Context(), s)
	require.NoError(t, err)
	b, err := h.Copy(t.Context(), key(t, "ONNX", ""), s, id)
	require.NoError(t, err)
	return h, b
}

func TestACrashBetweenCopyAndVerifyIsMadeGood(t *testing.T) {
	t.Parallel()
	h := newHouse(t, archive.Options{})
	s := (&shelf{data: pack(export{platform: "ONNX"})}).source(t)
	k := key(t, "ONNX", "ONNX12") // proven only because it is known where it came from
	id, err := h.Identify(t.Context(), s)
	require.NoError(t, err)
	_, err = h.Copy(t.Context(), k, s, id)
	require.NoError(t, err)

	later := h.open(h.service)
	list, err := later.Backups(t.Context(), project, "")
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Empty(t, list[0].Verdict)
	_, err = later.Proof(t.Context(), list[0])
	require.ErrorIs(t, err, archive.ErrUnproven)
	p, err := later.Verify(t.Context(), list[0], archive.Facts{})
	require.NoError(t, err)
	assert.Equal(t, archive.Proven, p.Verdict, p.Note)
	assert.Equal(t, archive.FromDownload, p.Source.Kind)
}

func TestAProofIsWrittenOnce(t *testing.T) {
	t.Parallel()
	h, b := unproven(t, archive.Options{}, pack(export{platform: "ONNX"}))
	first, err := h.Verify(t.Context(), b, archive.Facts{ProjectName: "first"})
	require.NoError(t, err)
	bytesBefore := download(t, h.blobs, h.only(t).Proof)
	again, err := h.Verify(t.Context(), b, archive.Facts{ProjectName: "again"})
	require.NoError(t, err)
	assert.Equal(t, "first", again.ProjectName)
	assert.Equal(t, first.SHA256, again.SHA256)
	assert.Equal(t, bytesBefore, download(t, h.blobs, h.only(t).Proof))
}

func TestAProofOfOtherBytesIsNotTakenForThese(t *testing.T) {
	t.Parallel()
	h, b := unproven(t, archive.Options{}, pack(export{platform: "ONNX"}))
	p, err := h.Verify(t.Context(), b, archive.Facts{})
	require.NoError(t, err)
	p.SHA256 = strings.Repeat("0", 64)
	data, err := seal.Marshal(p)
	require.NoError(t, err)
	write(t, h.blobs, h.only(t).Proof, data)
	_, err = h.Verify(t.Context(), b, archive.Facts{})
	assert.ErrorIs(t, err, archive.ErrDamaged)
}

func TestAProofTellsNoSecret(t *testing.T) {
	t.Parallel()
	h := newHouse(t, archive.Options{})
	b, _ := h.backup(t, key(t, "ONNX", ""), (&shelf{data: pack(export{platform: "ONNX"})}).source(t))
	proof := string(download(t, h.blobs, h.only(t).Proof))
	assert.Contains(t, proof, "shelf/package.zip")
	for _, secret := range []string{"SECRET", "sig=", "?"} {
		assert.NotContains(t, proof, secret)
	}
	props, err := h.blobs.NewBlobClient(b.Blob).GetProperties(t.Context(), nil)
	require.NoError(t, err)
	for _, v := range props.Metadata {
		assert.NotContains(t, *v, "SECRET")
	}
}

func TestAPackageOverwrittenSinceItWasListed(t *testing.T) {
	t.Parallel()
	h, b := unproven(t, archive.Options{}, pack(export{platform: "ONNX"}))
	write(t, h.blobs, b.Blob, pack(export{platform: "ONNX", seed: 1}))
	_, err := h.Verify(t.Context(), b, archive.Facts{})
	assert.ErrorIs(t, err, archive.ErrChanged)
}

func TestAPackageThatIsGone(t *testing.T) {
	t.Parallel()
	h, b := unproven(t, archive.Options{}, pack(export{platform: "ONNX"}))
	b.ETag = ""
	_, err := h.blobs.NewBlobClient(b.Blob).Delete(t.Context(), nil)
	require.NoError(t, err)
	_, err = h.Verify(t.Context(), b, archive.Facts{})
	assert.ErrorIs(t, err, archive.ErrNotFound)
}

func TestADownloadThatBreaksOffGoesOn(t *testing.T) {
	t.Parallel()
	h, b := unproven(t, archive.Options{}, pack(export{platform: "ONNX", size: 1 << 20}))
	w := spoiling(t, world.On(isGet, world.Times(2, func(req *http.Request, send world.Send) (*http.Response, error) {
		resp, err := send(req)
		if err == nil {
			resp.Body = &cutBody{resp.Body, 300_000}
		}
		return resp, err
	})))
	p, err := h.over(w).Verify(t.Context(), b, archive.Facts{})
	require.NoError(t, err)
	assert.Equal(t, archive.Proven, p.Verdict, p.Note)
	assert.Equal(t, 3, count(w, "GET"))
}

// cutBody breaks off after left bytes.
type cutBody struct {
	io.ReadCloser
	left int
}

func (c *cutBody) Read(b []byte) (int, error) {
	if c.left == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := c.ReadCloser.Read(b[:min(len(b), c.left)])
	c.left -= n
	return n, err
}

func TestAShortAnswerIsNoPackage(t *testing.T) {
	t.Parallel()
	h, b := unproven(t, archive.Options{}, pack(export{platform: "ONNX"}))
	w := spoiling(t, world.On(isGet, func(req *http.Request, send world.Send) (*http.Response, error) {
		resp, err := send(req)
		if err == nil {
			resp.Body = struct {
				io.Reader
				io.Closer
			}{io.LimitReader(resp.Body, 100), resp.Body}
		}
		return resp, err
	}))
	_, err := h.over(w).Verify(t.Context(), b, archive.Facts{})
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.Zero(t, count(w, "PUT"), "no proof of what wasn't read")
}

func TestTwoPackagesAreReadAtATime(t *testing.T) {
	t.Parallel()
	h, b := unproven(t, archive.Options{}, pack(export{platform: "ONNX"}))
	var now, most atomic.Int32
	entered, leave := make(chan struct{}, 6), make(chan struct{})
	w := spoiling(t, func(req *http.Request, send world.Send) (*http.Response, error) {
		if !isGet(req) || strings.HasSuffix(req.URL.Path, ".json") {
			return send(req)
		}
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		entered <- struct{}{}
		<-leave
		now.Add(-1)
		return send(req)
	})
	a := h.over(w)
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			_, err := a.Verify(t.Context(), b, archive.Facts{})
			assert.NoError(t, err)
		})
	}
	<-entered
	<-entered
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := a.Verify(ctx, b, archive.Facts{})
	assert.ErrorIs(t, err, context.DeadlineExceeded, "a third waits, no longer than it may")
	close(leave)
	all.Wait()
	assert.EqualValues(t, 2, most.Load())
}

func TestNoTemporaryFileStays(t *testing.T) {
	t.Parallel()
	o := archive.Options{TempDir: t.TempDir()}
	h, b := unproven(t, o, pack(export{platform: "ONNX"}))
	_, err := h.Verify(t.Context(), b, archive.Facts{})
	require.NoError(t, err)
	broken := spoiling(t, killed)
	_, err = h.once(broken).Verify(t.Context(), b, archive.Facts{})
	require.Error(t, err)
	left, err := os.ReadDir(o.TempDir)
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestAPackageLargerThanTheArchiveTakes(t *testing.T) {
	t.Parallel()
	h, b := unproven(t, archive.Options{}, pack(export{platform: "ONNX"}))
	h.opts.MaxSize = 1000
	_, err := h.open(h.service).Verify(t.Context(), b, archive.Facts{})
	assert.ErrorIs(t, err, archive.ErrTooLarge)
	_, err = h.open(h.service).Copy(t.Context(), b.Key, archive.Source{}, archive.Identity{Size: 1001})
	assert.ErrorIs(t, err, archive.ErrTooLarge)
}

func BenchmarkVerify(b *testing.B) {
	data := pack(export{platform: "ONNX", size: 45 << 20})
	h, backup := unproven(b, archive.Options{}, data)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		p, err := h.Verify(b.Context(), backup, archive.Facts{})
		if err != nil || p.Verdict != archive.Proven {
			b.Fatal(err, p.Note)
		}
	}
}

func BenchmarkIdentify(b *testing.B) {
	data := pack(export{platform: "ONNX", size: 45 << 20})
	a := lone(b, archive.Options{})
	s := (&shelf{data: data}).source(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Identify(b.Context(), s); err != nil {
			b.Fatal(err)
		}
	}
}
