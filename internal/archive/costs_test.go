package archive_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/zips"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/zipfile"
)

// TestIdentifyingIsCheapWhateverItIs counts requests and bytes of sources that would
// have cost many.
func TestIdentifyingIsCheapWhateverItIs(t *testing.T) {
	t.Parallel()
	big := zips.Part{Name: "big", Data: zips.Noise(2<<20, 1)}
	manifest := zips.Part{Name: "cvexport.manifest", Deflate: true, Packed: zips.Empty(20 << 20 / 5)}
	crowded := make([]zips.Part, 9_000)
	for i := range crowded {
		crowded[i] = zips.Part{Name: strings.Repeat("n", 350) + strconv.Itoa(i)}
	}
	for name, data := range map[string][]byte{
		"a manifest of empty blocks":     zips.Made([]zips.Part{big, manifest, big}, nil),
		"a large directory":              zips.Made(append([]zips.Part{big, {Name: "cvexport.manifest", Data: "{}"}, big}, crowded...), nil),
		"a manifest that isn't there":    zips.Made([]zips.Part{big, {Name: "cvexport.manifest", Data: "{}", Entry: func(h []byte) { h[42] = 1 }}, big}, nil),
		"a manifest with long extras":    zips.Made([]zips.Part{big, {Name: "cvexport.manifest", Data: "{}", Extra: append([]byte{0xfe, 0xca, 0xf0, 0xff}, make([]byte, 0xfff0)...)}, big}, nil),
		"a large record of another size": zips.Large(zips.Made([]zips.Part{big, big}, nil), func(r, _ []byte) { r[46] = 1 }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var sent atomic.Int64
			s := &shelf{data: data}
			s.each = func(_ int, w http.ResponseWriter, r *http.Request) bool {
				w.Header().Set("ETag", `"1"`)
				http.ServeContent(bytesSent{w, &sent}, r, "", time.Time{}, bytes.NewReader(data))
				return true
			}
			_, err := lone(t, archive.Options{TempDir: t.TempDir()}).Identify(t.Context(), s.source(t))
			require.NoError(t, err)
			if name == "a large record of another size" { // no directory: it is read whole, once
				assert.LessOrEqual(t, int(s.requests.Load()), 3)
				return
			}
			assert.LessOrEqual(t, int(s.requests.Load()), 6)
			assert.LessOrEqual(t, sent.Load(), int64(zipfile.MaxDirectory+8*zipfile.TailSize))
		})
	}
}

// bytesSent counts the bytes of answers.
type bytesSent struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (b bytesSent) Write(p []byte) (int, error) {
	b.n.Add(int64(len(p)))
	return b.ResponseWriter.Write(p)
}

func TestJudgingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	for name, data := range map[string][]byte{
		"zeros":        zips.Made([]zips.Part{zips.Bomb("zeros", 4<<30-1<<20)}, nil),
		"empty blocks": zips.Made([]zips.Part{{Name: "model.onnx", Deflate: true, Packed: zips.Empty(1 << 20)}}, nil),
		"noise":        zips.Made([]zips.Part{{Name: "model.onnx", Data: zips.Noise(2<<20, 1)}}, nil),
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r := &ending{from: bytes.NewReader(data), cancel: cancel, after: 20}
			err := archive.JudgeFrom(ctx, r, int64(len(data)), key(t, "ONNX", ""), 4<<30)
			require.ErrorIs(t, err, context.Canceled, "an error, and no verdict")
			assert.LessOrEqual(t, r.reads, r.after, "nothing more is read")
		})
	}
}

// ending is a reader that ends the context.
type ending struct {
	from         io.ReaderAt
	cancel       func()
	reads, after int
}

func (e *ending) ReadAt(b []byte, offset int64) (int, error) {
	if e.reads++; e.reads == e.after {
		e.cancel()
	}
	return e.from.ReadAt(b, offset)
}

// TestBombsDoNotHoldThePlacesOfVerifying has more packages at once than there are places,
// each of which takes longer than its share: then a true one is verified.
func TestBombsDoNotHoldThePlacesOfVerifying(t *testing.T) {
	t.Parallel()
	good := pack(export{platform: "ONNX"})
	id, err := lone(t, archive.Options{}).Identify(t.Context(), stream(good))
	require.NoError(t, err)
	bomb := zips.Made([]zips.Part{{Name: "pad", Data: zips.Noise(3<<20, 1)}, zips.Bomb("model.onnx", 350<<20)}, nil)
	blobs := map[string][]byte{"good": good, "bomb": bomb}
	open := func(share time.Duration) *archive.Archive {
		return answering(t, func(req *http.Request) (http.Header, []byte) {
			_, name, _ := strings.Cut(req.URL.Path, "/archive/")
			return http.Header{"Etag": {`"1"`}, "X-Ms-Meta-Sourcekind": {archive.FromDownload}, "Content-Length": {strconv.Itoa(len(blobs[name]))}}, blobs[name]
		}, archive.Options{TempDir: t.TempDir(), Share: share})
	}
	verify := func(ctx context.Context, a *archive.Archive, name string) (archive.Proof, error) {
		return a.Verify(ctx, archive.Backup{Key: key(t, "ONNX", ""), ContentID: id.ContentID, Blob: name, Size: int64(len(blobs[name]))}, archive.Facts{})
	}
	a := open(1)
	failed := make(chan error)
	for range 4 {
		go func() {
			_, err := verify(t.Context(), a, "bomb")
			failed <- err
		}()
	}
	for range 4 {
		assert.ErrorIs(t, <-failed, archive.ErrTooCostly)
	}

	a = open(time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for range 2 {
		_, err = verify(ctx, a, "bomb")
		assert.ErrorIs(t, err, context.DeadlineExceeded, "nor past the deadline of who asks")
	}
	p, err := verify(t.Context(), a, "good")
	require.NoError(t, err)
	assert.Equal(t, archive.Proven, p.Verdict, p.Note)
}
