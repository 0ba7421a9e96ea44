package e2e

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite"
)

// front stands before Azurite's blob port, its queue port and the emulated
// Custom Vision. It counts the requests of the app over all three, lets one
// through at a time, forwards them byte for byte, and can end the app before or
// after any of them. What is not the app's goes through unseen.
type front struct {
	t         *testing.T
	transport *http.Transport
	blob      string // URLs of the fronts, without a trailing slash
	queue     string
	replace   *strings.Replacer // from Azurite's addresses to the fronts'

	// lives is how many processes were ended: a connection belongs to the one
	// that lived when it was opened, and an ended one gets no answer any more.
	lives atomic.Int64

	mu   sync.Mutex
	sent []string // the app's requests: method and path
	// crash, if set, ends the app before or after the request that sent has last,
	// and tells whether it did.
	crash func(side side) bool
}

// side of a request's forwarding.
type side string

const (
	before side = "before"
	after  side = "after"
)

func newFront(t *testing.T, server *azurite.Server) *front {
	t.Helper()
	f := &front{t: t, transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 8}}
	t.Cleanup(f.transport.CloseIdleConnections)
	base := func(account string) string {
		u, err := url.Parse(account)
		require.NoError(t, err)
		return "http://" + u.Host
	}
	blob, queue := base(server.BlobURL(azurite.Customer)), base(server.QueueURL(azurite.Customer))
	f.blob, f.queue = f.before(blob), f.before(queue)
	f.replace = strings.NewReplacer(blob+"/", f.blob+"/", queue+"/", f.queue+"/")
	return f
}

// before starts a front of a server and returns its URL.
func (f *front) before(target string) string {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.serve(w, r, target) }))
	server.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		return context.WithValue(ctx, lifeKey{}, f.lives.Load())
	}
	server.Start()
	f.t.Cleanup(server.Close)
	return server.URL
}

type lifeKey struct{}

// strangers name themselves in the User-Agent: the host, the emulated service,
// the test, and Azurite, which to copy asks for the source's properties.
var strangers = []string{"funchost ", "emulator ", "test ", "axios/"}

func (f *front) serve(w http.ResponseWriter, r *http.Request, target string) {
	if slices.ContainsFunc(strangers, func(prefix string) bool { return strings.HasPrefix(r.UserAgent(), prefix) }) {
		f.answer(w, f.forward(r, target))
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // it ended in the middle of its request
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Context().Value(lifeKey{}) != f.lives.Load() {
		cut(w)
		return
	}
	f.sent = append(f.sent, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+r.URL.Query().Get("comp")))
	if f.crashes(before) {
		cut(w)
		return
	}
	answer := f.forward(r, target)
	if f.crashes(after) {
		cut(w)
		return
	}
	f.answer(w, answer)
}

func (f *front) crashes(s side) bool {
	if f.crash == nil || !f.crash(s) {
		return false
	}
	f.lives.Add(1)
	return true
}

// forwarded is an answer, read to its end; nil where none came.
type forwarded struct {
	*http.Response
	body []byte
}

// forward sends the request on as it came, to its end even if its sender is gone.
func (f *front) forward(r *http.Request, target string) *forwarded {
	out := &http.Request{
		Method: r.Method, Header: r.Header, Body: r.Body, ContentLength: r.ContentLength, Host: r.Host,
		URL: &url.URL{Scheme: "http", Host: strings.TrimPrefix(target, "http://"), Opaque: r.RequestURI},
	}
	if r.ContentLength == 0 {
		out.Body = http.NoBody
	}
	if r.Header["User-Agent"] == nil {
		r.Header["User-Agent"] = nil // else net/http adds its own
	}
	resp, err := f.transport.RoundTrip(out.WithContext(context.WithoutCancel(r.Context())))
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil
	}
	return &forwarded{resp, body}
}

func (f *front) answer(w http.ResponseWriter, a *forwarded) {
	if a == nil {
		cut(w)
		return
	}
	for k, v := range a.Header {
		w.Header()[k] = v
	}
	w.WriteHeader(a.StatusCode)
	w.Write(a.body)
}

// cut ends the connection without an answer.
func cut(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		conn.Close()
	}
}

// watch counts from here on, and calls crash around every request.
func (f *front) watch(crash func(s side) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent, f.crash = nil, crash
}

// requests are the app's since watch.
func (f *front) requests() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.sent)
}
