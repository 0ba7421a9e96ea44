package handler

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/leak"
)

func TestMain(m *testing.M) {
	if os.Getenv(envChild) != "" {
		os.Exit(serveAsChild())
	}
	os.Exit(leak.Run(m.Run))
}

// envChild makes this test binary a handler of its own.
const envChild = "HANDLER_TEST_CHILD"

const childCode = 3

// serveAsChild is what a program's main does.
func serveAsChild() int {
	h := New(Options{})
	h.Handle("stuck", func(_ context.Context, inv *Invocation) error {
		inv.Log.Info().Msg("stuck")
		select {}
	})
	fmt.Fprintln(os.Stderr, h.ListenAndServe(context.Background(), os.Getenv))
	return childCode
}

// lines is a log's destination that can be read while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// entries decodes the lines, each of which must be one JSON object.
func (l *lines) entries(t *testing.T) []map[string]any {
	t.Helper()
	var entries []map[string]any
	for line := range strings.Lines(l.String()) {
		var entry map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &entry), line)
		entries = append(entries, entry)
	}
	return entries
}

// host plays the Functions host against a handler: requests over a real
// connection, redirects shown instead of followed.
type host struct {
	*Handler
	url      string
	client   *http.Client
	out, err *lines
}

func newHost(t testing.TB, o Options) *host {
	h := &host{out: &lines{}, err: &lines{}}
	o.Out, o.Err = h.out, h.err
	h.Handler = New(o)
	server := httptest.NewServer(h.Handler)
	t.Cleanup(server.Close)
	h.url, h.client = server.URL, server.Client()
	h.client.Timeout = 30 * time.Second
	h.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return h
}

// answer is a response, read to its end.
type answer struct {
	status int
	header http.Header
	body   string
}

const testID = "11111111-2222-3333-4444-555555555555"

// do sends a request with a body of known length.
func (h *host) do(t testing.TB, method, path, body string) answer {
	return h.send(t, method, path, strings.NewReader(body))
}

// send sends a request as the host does; a body that isn't one of the standard
// library's in-memory readers goes out chunked.
func (h *host) send(t testing.TB, method, path string, body io.Reader) answer {
	t.Helper()
	return h.sent(t, h.request(t, method, path, body))
}

// request is a request as the host makes it.
func (h *host) request(t testing.TB, method, path string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, h.url+path, body)
	require.NoError(t, err)
	asTheHost(r)
	return r
}

// asTheHost sets the headers that the host sets.
func asTheHost(r *http.Request) {
	r.Header.Set(headerContentType, "application/json; charset=utf-8")
	r.Header.Set(headerHostVersion, "4.1052.200.0")
	r.Header.Set(headerInvocationID, testID)
}

// sent sends a request and reads the answer.
func (h *host) sent(t testing.TB, r *http.Request) answer {
	t.Helper()
	response, err := h.client.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return answer{response.StatusCode, response.Header, string(data)}
}

// unfinished sends a request as the host does, but for a body that never ends.
func (h *host) unfinished(t *testing.T, path string) answer {
	t.Helper()
	never, end := io.Pipe()
	defer end.Close()
	return h.sent(t, h.request(t, http.MethodPost, path, never))
}

// chunked hides a reader's length.
func chunked(s string) io.Reader { return struct{ io.Reader }{strings.NewReader(s)} }

// requireJSON checks what holds for every answer to the host: a JSON object with
// its content type.
func requireJSON(t testing.TB, a answer) map[string]any {
	t.Helper()
	require.Equal(t, "application/json", a.header.Get("Content-Type"))
	var object map[string]any
	require.NoError(t, json.Unmarshal([]byte(a.body), &object), a.body)
	require.NotNil(t, object)
	return object
}

func requireSuccess(t testing.TB, a answer) {
	t.Helper()
	require.Equal(t, http.StatusOK, a.status, a.body)
	require.Empty(t, requireJSON(t, a))
}

// requireFailure checks that the host takes the answer for a failure, and
// returns the reason given.
func requireFailure(t testing.TB, a answer, status int) string {
	t.Helper()
	require.Equal(t, status, a.status, a.body)
	reason, _ := requireJSON(t, a)["error"].(string)
	assert.NotEmpty(t, reason)
	return reason
}
