package archive_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/internal/archive"
)

// shelf serves one package as Blob Storage does, and counts.
type shelf struct {
	data     []byte
	etag     string
	requests atomic.Int32
	each     func(n int, w http.ResponseWriter, r *http.Request) (done bool) // before the n-th answer, from 1
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := int(s.requests.Add(1))
	if s.each != nil && s.each(n, w, r) {
		return
	}
	w.Header().Set("ETag", `"`+cmp.Or(s.etag, "1")+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(s.data))
}

func (s *shelf) source(t testing.TB) archive.Source {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return archive.Source{Kind: archive.FromDownload, Name: "shelf/package.zip", URL: server.URL + "/package.zip?sig=SECRET"}
}

// lone is an archive that is asked for nothing but to read sources.
func lone(t testing.TB, o archive.Options) *archive.Archive {
	t.Helper()
	nowhere, err := service.NewClientWithNoCredential("http://127.0.0.1:1/nowhere", nil)
	require.NoError(t, err)
	return archive.Open(nowhere, "archive", o)
}

func TestIdentifyReadsLittle(t *testing.T) {
	t.Parallel()
	big := 1 << 20
	for name, c := range map[string]struct {
		data     []byte
		requests int
		manifest bool
	}{
		"small":                    {pack(export{platform: "ONNX"}), 1, true},
		"a little over the head":   {pack(export{platform: "ONNX", size: 70_000}), 2, true},
		"manifest first":           {pack(export{platform: "ONNX", size: big, place: "first"}), 2, true},
		"manifest last":            {pack(export{platform: "ONNX", size: big}), 2, true},
		"manifest in the middle":   {pack(export{platform: "ONNX", size: big, place: "middle"}), 3, true},
		"DockerFile":               {pack(export{platform: "DockerFile", size: big}), 2, true},
		"a directory of 500 KiB":   {crowd(9000), 3, false},
		"no manifest":              {pack(export{platform: "ONNX", size: big, without: "cvexport.manifest"}), 2, false},
		"small and no zip":         {noise(1000, 1), 1, false},
		"empty":                    {nil, 1, false},
		"large and no zip":         {noise(big, 1), 3, false},
		"a zip that is cut":        {pack(export{platform: "ONNX", size: big})[:big], 3, false},
		"a manifest of no sense":   {pack(export{platform: "ONNX", size: big, rawManifest: []byte("x")}), 2, false},
		"a manifest that is large": {pack(export{platform: "ONNX", rawManifest: noise(70_000, 1)}), 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &shelf{data: c.data}
			id, err := lone(t, archive.Options{}).Identify(t.Context(), s.source(t))
			require.NoError(t, err)
			assert.LessOrEqual(t, int(s.requests.Load()), c.requests)
			assert.EqualValues(t, len(c.data), id.Size)
			assert.Regexp(t, "^[0-9a-f]{32}$", id.ContentID)
			assert.Equal(t, bytes.HasPrefix(c.data, []byte("PK")), id.Zip)
			assert.Equal(t, c.manifest, id.Manifest != nil)
		})
	}
}

func TestTheIdentityIsTheSameByAnyWay(t *testing.T) {
	t.Parallel()
	a := lone(t, archive.Options{})
	for name, data := range map[string][]byte{
		"zip": pack(export{platform: "ONNX", size: 1 << 20}), "no zip": noise(1<<20, 1), "small": []byte("x"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ranged, err := a.Identify(t.Context(), (&shelf{data: data}).source(t))
			require.NoError(t, err)
			whole, err := a.Identify(t.Context(), (&shelf{data: data, each: noRanges}).source(t))
			require.NoError(t, err)
			chunked, err := a.Identify(t.Context(), (&shelf{each: func(_ int, w http.ResponseWriter, _ *http.Request) bool {
				w.(http.Flusher).Flush()
				w.Write(data)
				return true
			}}).source(t))
			require.NoError(t, err)
			streamed, err := a.Identify(t.Context(), stream(data))
			require.NoError(t, err)
			shown := func(id archive.Identity) archive.Identity {
				return archive.Identity{ContentID: id.ContentID, Size: id.Size, ETag: id.ETag, Zip: id.Zip, Manifest: id.Manifest}
			}
			ranged = shown(ranged)
			assert.Equal(t, ranged, shown(whole))
			ranged.ETag = ""
			assert.Equal(t, ranged, shown(chunked))
			assert.Equal(t, ranged, shown(streamed))
		})
	}
}

func noRanges(_ int, _ http.ResponseWriter, r *http.Request) bool {
	r.Header.Del("Range")
	return false
}

func stream(data []byte) archive.Source {
	return archive.Source{Kind: archive.FromArtifact, Name: "export/package.zip", Open: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	}}
}

func TestDifferentContentsHaveDifferentIDs(t *testing.T) {
	t.Parallel()
	a := lone(t, archive.Options{})
	seen := map[string]string{}
	for name, data := range map[string][]byte{
		"one": pack(export{platform: "ONNX"}), "other model": pack(export{platform: "ONNX", seed: 1}),
		"other iteration": pack(export{platform: "ONNX", iteration: other}), "other flavor": pack(export{platform: "ONNX", flavor: "ONNX12"}),
		"no zip": []byte("a"), "another": []byte("b"),
	} {
		id, err := a.Identify(t.Context(), stream(data))
		require.NoError(t, err)
		assert.Empty(t, seen[id.ContentID], name)
		seen[id.ContentID] = name
	}
}

func TestASourceInTheModelContainer(t *testing.T) {
	t.Parallel()
	h := newHouse(t, archive.Options{})
	gone, err := h.signer.ReadURL(t.Context(), h.world.Names.Models, "gone", time.Hour)
	require.NoError(t, err)
	_, err = h.Identify(t.Context(), archive.Source{Kind: archive.FromContainer, Name: "gone", URL: gone})
	assert.ErrorIs(t, err, archive.ErrNotFound)

	id, err := h.Identify(t.Context(), h.model(t, "ONNX", nil))
	require.NoError(t, err, "empty")
	assert.Zero(t, id.Size)

	late, err := h.signer.ReadURL(t.Context(), h.world.Names.Models, "gone", -time.Minute)
	require.NoError(t, err)
	_, err = h.Identify(t.Context(), archive.Source{Name: "late", URL: late})
	assert.ErrorContains(t, err, "403")
}

func TestASourceThatChangesWhileItIsRead(t *testing.T) {
	t.Parallel()
	s := &shelf{data: pack(export{platform: "ONNX", size: 1 << 20})}
	s.each = func(n int, w http.ResponseWriter, r *http.Request) bool {
		if n == 2 {
			s.etag = "2"
		}
		return false
	}
	_, err := lone(t, archive.Options{}).Identify(t.Context(), s.source(t))
	assert.ErrorIs(t, err, archive.ErrChanged)
}

func TestReadingGoesOnWhereItBrokeOff(t *testing.T) {
	t.Parallel()
	for name, data := range map[string][]byte{
		"in parts":     pack(export{platform: "ONNX", size: 1 << 20}),
		"as the whole": noise(1<<20, 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, err := lone(t, archive.Options{}).Identify(t.Context(), stream(data))
			require.NoError(t, err)
			s := &shelf{data: data, each: func(n int, w http.ResponseWriter, r *http.Request) bool {
				return n%2 == 1 && breakOff(w, r, data)
			}}
			got, err := lone(t, archive.Options{}).Identify(t.Context(), s.source(t))
			require.NoError(t, err)
			assert.Equal(t, want.ContentID, got.ContentID)
		})
	}
}

// breakOff answers with half of what was asked for, and hangs up.
func breakOff(w http.ResponseWriter, r *http.Request, data []byte) bool {
	w.Header().Set("ETag", `"1"`)
	http.ServeContent(&half{ResponseWriter: w}, r, "", time.Time{}, bytes.NewReader(data))
	panic(http.ErrAbortHandler)
}

type half struct {
	http.ResponseWriter
	asked, sent int64
}

func (h *half) WriteHeader(status int) {
	fmt.Sscan(h.Header().Get("Content-Length"), &h.asked)
	h.ResponseWriter.WriteHeader(status)
}

func (h *half) Write(b []byte) (int, error) {
	if h.sent += int64(len(b)); h.sent > h.asked/2 {
		return h.ResponseWriter.Write(b[:len(b)/2])
	}
	return h.ResponseWriter.Write(b)
}

func TestASourceThatAlwaysBreaksOffIsAnError(t *testing.T) {
	t.Parallel()
	data := noise(1<<20, 1)
	s := &shelf{each: func(_ int, w http.ResponseWriter, r *http.Request) bool { return breakOff(w, r, data) }}
	_, err := lone(t, archive.Options{}).Identify(t.Context(), s.source(t))
	assert.ErrorContains(t, err, "broke off")
	assert.NotContains(t, err.Error(), "SECRET")
}

func TestASourceThatGivesNoPartsIsNotContinued(t *testing.T) {
	t.Parallel()
	data := noise(1<<20, 1)
	s := &shelf{data: data}
	s.each = func(n int, w http.ResponseWriter, r *http.Request) bool {
		r.Header.Del("Range")
		return n < 3 && breakOff(w, r, data)
	}
	_, err := lone(t, archive.Options{}).Identify(t.Context(), s.source(t))
	assert.ErrorContains(t, err, "no parts")
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := &shelf{data: pack(export{platform: "ONNX"})}
	to := elsewhere.source(t).URL
	s := &shelf{each: func(_ int, w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, to, http.StatusFound)
		return true
	}}
	_, err := lone(t, archive.Options{}).Identify(t.Context(), s.source(t))
	assert.ErrorContains(t, err, "302")
	assert.Zero(t, elsewhere.requests.Load())
}

func TestNoCredentialIsSentToASource(t *testing.T) {
	t.Parallel()
	s := &shelf{data: []byte("x"), each: func(_ int, _ http.ResponseWriter, r *http.Request) bool {
		assert.Empty(t, r.Header.Get("Authorization"))
		assert.Empty(t, r.Header.Get("Cookie"))
		assert.Empty(t, r.Header.Get("Training-Key"))
		return false
	}}
	_, err := lone(t, archive.Options{}).Identify(t.Context(), s.source(t))
	require.NoError(t, err)
}

func TestWhatIsTooLargeIsLeft(t *testing.T) {
	t.Parallel()
	o := archive.Options{MaxSize: 1000, TempDir: t.TempDir()}
	a := lone(t, o)
	for name, s := range map[string]archive.Source{
		"in parts":     (&shelf{data: noise(1001, 1)}).source(t),
		"as the whole": (&shelf{data: noise(100_000, 1), each: noRanges}).source(t),
		"streamed":     stream(noise(1001, 1)),
		"endless": {Name: "endless", Open: func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(zeros{}), nil
		}},
	} {
		_, err := a.Identify(t.Context(), s)
		assert.ErrorIs(t, err, archive.ErrTooLarge, name)
	}
	_, err := a.Identify(t.Context(), stream(noise(1000, 1)))
	assert.NoError(t, err)
	left, err := os.ReadDir(o.TempDir)
	require.NoError(t, err)
	assert.Empty(t, left, "no temporary file stays")
}

func TestErrorsOfASourceHoldNoSecret(t *testing.T) {
	t.Parallel()
	a := lone(t, archive.Options{})
	for name, status := range map[string]int{"refused": 403, "gone": 404, "teapot": 418} {
		s := &shelf{each: func(_ int, w http.ResponseWriter, r *http.Request) bool {
			http.Error(w, "for "+r.URL.String(), status)
			return true
		}}
		_, err := a.Identify(t.Context(), s.source(t))
		require.Error(t, err, name)
		assert.NotContains(t, err.Error(), "SECRET", name)
	}
	_, err := a.Identify(t.Context(), archive.Source{Name: "x", URL: "http://127.0.0.1:bad/?sig=SECRET"})
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "SECRET")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = a.Identify(ctx, (&shelf{}).source(t))
	require.ErrorIs(t, err, context.Canceled)
	assert.NotContains(t, err.Error(), "SECRET")
}
