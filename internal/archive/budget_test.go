package archive_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/internal/archive"
)

// A backup may cost eight storage requests in all. The archive's share is six:
// one listing, up to two to identify, one to copy, two to verify.
func TestWhatABackupCosts(t *testing.T) {
	t.Parallel()
	for name, place := range map[string]string{"manifest first": "first", "manifest last": "last"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, archive.Options{})
			w := &watch{}
			a := h.open(watched(t, w))
			s := h.model(t, "ONNX", pack(export{platform: "ONNX", size: 1 << 20, place: place}))
			front, reads := countingFront(t, s.URL)

			_, err := a.Backups(t.Context(), project, iteration)
			require.NoError(t, err)
			id, err := a.Identify(t.Context(), archive.Source{Kind: s.Kind, Name: s.Name, URL: front})
			require.NoError(t, err)
			b, err := a.Copy(t.Context(), key(t, "ONNX", ""), s, id)
			require.NoError(t, err)
			p, err := a.Verify(t.Context(), b, archive.Facts{})
			require.NoError(t, err)
			require.Equal(t, archive.Proven, p.Verdict)

			assert.EqualValues(t, 2, reads.Load(), "to identify")
			assert.Equal(t, []string{"GET list container", "PUT from URL", "GET", "PUT"}, w.requests)
		})
	}
}

// countingFront passes reads on to where the URL leads. It stands on another
// port, which no signature covers.
func countingFront(t testing.TB, to string) (string, *atomic.Int32) {
	t.Helper()
	u, err := url.Parse(to)
	require.NoError(t, err)
	behind := u.Host
	var n atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		req, _ := http.NewRequestWithContext(r.Context(), r.Method, "http://"+behind+r.RequestURI, nil)
		req.Header = r.Header
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			http.Error(w, "front", http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		for k, v := range resp.Header {
			w.Header()[k] = v
		}
		w.WriteHeader(resp.StatusCode)
		io.Copy(w, resp.Body)
	}))
	t.Cleanup(server.Close)
	u.Host = server.Listener.Addr().String()
	return u.String(), &n
}
