package archive_test

import (
	"bytes"
	"crypto/md5"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
)

// inFive are options under which data goes into the archive in five blocks.
func inFive(data []byte) archive.Options {
	return archive.Options{SyncCopyLimit: 1, BlockSize: int64(len(data)+4) / 5}
}

// stages reports whether a request stages a block.
func stages(req *http.Request) bool { return req.URL.Query().Get("comp") == "block" }

// isBlock matches requests that stage a block: with its bytes or from a URL.
func isBlock(fromURL bool) func(*http.Request) bool {
	return func(req *http.Request) bool { return stages(req) && (req.ContentLength <= 0) == fromURL }
}

func TestBlocksThatTheServiceCouldFetchAreKeptWhereItCannotFetchTheRest(t *testing.T) {
	t.Parallel()
	data := pack(export{platform: "ONNX"})
	h := newHouse(t, inFive(data))
	s := h.model(t, "ONNX", data)
	id, err := h.Identify(t.Context(), s)
	require.NoError(t, err)

	var met atomic.Int32
	fetched := make(chan struct{}) // the first block
	w := spoiling(t, world.On(isBlock(true), func(req *http.Request, send world.Send) (*http.Response, error) {
		if met.Add(1) == 1 {
			defer close(fetched)
			return send(req)
		}
		<-fetched
		return world.Answer(req, http.StatusNotFound, http.Header{"X-Ms-Error-Code": {"CannotVerifyCopySource"}}, nil), nil
	}))
	b, err := h.over(w).Copy(t.Context(), key(t, "ONNX", ""), s, id)
	require.NoError(t, err)
	assert.Equal(t, 4, tally(w)["PUT block"], "all but the one that was fetched")
	assert.True(t, bytes.Equal(data, download(t, h.blobs, b.Blob)))
	p, err := h.Verify(t.Context(), b, archive.Facts{})
	require.NoError(t, err)
	assert.Equal(t, archive.Proven, p.Verdict, p.Note)
}

func TestALargeStreamIsWrittenInBlocks(t *testing.T) {
	t.Parallel()
	data := pack(export{platform: "ONNX"})
	h := newHouse(t, inFive(data))
	s := stream(data)
	id, err := h.Identify(t.Context(), s)
	require.NoError(t, err)
	w := world.NewInterceptor(t)
	b, err := h.over(w).Copy(t.Context(), key(t, "ONNX", ""), s, id)
	require.NoError(t, err)
	assert.Equal(t, map[string]int{"GET list container": 1, "GET blocklist": 1, "PUT block": 5, "PUT blocklist": 1}, tally(w))
	props, err := h.blobs.NewBlobClient(b.Blob).GetProperties(t.Context(), nil)
	require.NoError(t, err)
	sum := md5.Sum(data)
	assert.Equal(t, sum[:], props.ContentMD5, "so that Verify needs to read it but once")
}

func TestABlockThatArrivesSpoiltIsNotKept(t *testing.T) {
	t.Parallel()
	data := pack(export{platform: "ONNX"})
	h := newHouse(t, inFive(data))
	s := (&shelf{data: data}).source(t) // it has an ETag, so a second try goes on from the first
	id, err := h.Identify(t.Context(), s)
	require.NoError(t, err)

	_, err = h.once(spoiling(t, world.On(isBlock(false), world.Nth(3, spoilsUploads)))).Copy(t.Context(), key(t, "ONNX", ""), s, id)
	require.ErrorContains(t, err, "Md5Mismatch")
	list, err := h.Backups(t.Context(), "", "")
	require.NoError(t, err)
	require.Empty(t, list)

	b, p := h.backup(t, key(t, "ONNX", ""), s)
	assert.Equal(t, archive.Proven, p.Verdict, p.Note)
	assert.True(t, bytes.Equal(data, download(t, h.blobs, b.Blob)))
}

func TestBlocksAreNotCommittedOverAnother(t *testing.T) {
	t.Parallel()
	data := pack(export{platform: "ONNX"})
	for name, source := range map[string]func(*house) archive.Source{
		"by the service": func(h *house) archive.Source { return h.model(t, "ONNX", data) },
		"through":        func(*house) archive.Source { return (&shelf{data: data}).source(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, inFive(data))
			s := source(h)
			id, err := h.Identify(t.Context(), s)
			require.NoError(t, err)
			var first archive.Backup
			late := h.over(spoiling(t, world.On(commits, func(req *http.Request, send world.Send) (*http.Response, error) {
				if first.Blob == "" {
					first, _ = h.backup(t, key(t, "ONNX", ""), s)
				}
				return send(req)
			})))
			second, err := late.Copy(t.Context(), key(t, "ONNX", ""), s, id)
			require.NoError(t, err)
			assert.Equal(t, first.ETag, second.ETag)
			assert.Equal(t, archive.Proven, second.Verdict)
		})
	}
}
