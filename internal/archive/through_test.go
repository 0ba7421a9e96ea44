package archive_test

import (
	"bytes"
	"crypto/md5"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/internal/archive"
)

// inFive are options under which data goes into the archive in five blocks.
func inFive(data []byte) archive.Options {
	return archive.Options{SyncCopyLimit: 1, BlockSize: int64(len(data)+4) / 5}
}

// tally counts the requests of each kind.
func (w *watch) tally() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := map[string]int{}
	for _, r := range w.requests {
		n[r]++
	}
	return n
}

// isBlock tells requests that stage a block: with its bytes or from a URL.
func isBlock(req *policy.Request, fromURL bool) bool {
	return req.Raw().URL.Query().Get("comp") == "block" && (req.Raw().ContentLength <= 0) == fromURL
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
	w := &watch{instead: func(req *policy.Request) (*http.Response, error) {
		if !isBlock(req, true) {
			return nil, nil
		}
		if met.Add(1) == 1 {
			defer close(fetched)
			return req.Next()
		}
		<-fetched
		return &http.Response{
			StatusCode: http.StatusNotFound, Header: http.Header{"X-Ms-Error-Code": {"CannotVerifyCopySource"}},
			Body: http.NoBody, Request: req.Raw(),
		}, nil
	}}
	b, err := h.open(watched(t, w)).Copy(t.Context(), key(t, "ONNX", ""), s, id)
	require.NoError(t, err)
	assert.Equal(t, 4, w.tally()["PUT block"], "all but the one that was fetched")
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
	w := &watch{}
	b, err := h.open(watched(t, w)).Copy(t.Context(), key(t, "ONNX", ""), s, id)
	require.NoError(t, err)
	assert.Equal(t, map[string]int{"GET list container": 1, "GET blocklist": 1, "PUT block": 5, "PUT blocklist": 1}, w.tally())
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

	var met atomic.Int32
	spoiling := h.open(watchedOnce(t, &watch{instead: func(req *policy.Request) (*http.Response, error) {
		if isBlock(req, false) && met.Add(1) == 3 {
			return spoilsUploads(req)
		}
		return nil, nil
	}}))
	_, err = spoiling.Copy(t.Context(), key(t, "ONNX", ""), s, id)
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
			late := h.open(watched(t, &watch{instead: func(req *policy.Request) (*http.Response, error) {
				if req.Raw().Method == http.MethodPut && req.Raw().URL.Query().Get("comp") == "blocklist" && first.Blob == "" {
					first, _ = h.backup(t, key(t, "ONNX", ""), s)
				}
				return nil, nil
			}}))
			second, err := late.Copy(t.Context(), key(t, "ONNX", ""), s, id)
			require.NoError(t, err)
			assert.Equal(t, first.ETag, second.ETag)
			assert.Equal(t, archive.Proven, second.Verdict)
		})
	}
}
