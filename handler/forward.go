package handler

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"sync"
	"time"
)

// forwarded serves an HTTP function whose requests the host forwards. Until hh flushes,
// the answer is kept, so that a panic or a missed deadline can't leave half an answer.
// (The host buffers answers too, unless it proxies.) The client gets the status of a
// failure alone; the log has the reason.
func (h *Handler) forwarded(path string, hh http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer := &buffer{header: http.Header{}, w: w}
		h.boundWrites(w, r)
		err := h.attempt(w, r, path, func(body []byte) (func(context.Context) error, error) {
			return func(ctx context.Context) error {
				hh.ServeHTTP(answer, withBody(r.Clone(ctx), body))
				return nil
			}, nil
		})
		begun := answer.end(err == nil)
		if err != nil && begun {
			panic(http.ErrAbortHandler) // the client sees that the answer is not whole
		}
		_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // the connection is used again
		if err != nil {
			status := failureStatus(err)
			fail(w, status, http.StatusText(status))
		}
	}
}

// boundWrites ends at the invocation's deadline what is written to a client that doesn't
// read: the wait for it would keep the invocation from ending. (The error is that of a
// ResponseWriter without a connection.)
func (h *Handler) boundWrites(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := h.withDeadline(r.Context())
	defer cancel()
	if deadline, ok := ctx.Deadline(); ok {
		_ = http.NewResponseController(w).SetWriteDeadline(deadline)
	}
}

// withBody replaces the body of r by bytes that have already been read.
func withBody(r *http.Request, body []byte) *http.Request {
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	return r
}

// buffer is an http.ResponseWriter that keeps the answer in memory until it is flushed.
// From then on it passes on what is written.
type buffer struct {
	header http.Header

	mu     sync.Mutex
	w      http.ResponseWriter // nil once the request is answered
	status int
	body   bytes.Buffer
	begun  bool
}

func (b *buffer) Header() http.Header { return b.header }

func (b *buffer) WriteHeader(status int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.writeHeader(status)
}

func (b *buffer) writeHeader(status int) {
	if b.status == 0 {
		b.status = status
	}
}

// errAnswered says that nobody waits for the answer any more.
var errAnswered = errors.New("the request has been answered")

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.writeHeader(http.StatusOK)
	switch {
	case !b.begun:
		return b.body.Write(p)
	case b.w == nil:
		return 0, errAnswered
	}
	return b.w.Write(p)
}

// Flush implements http.Flusher.
func (b *buffer) Flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.w != nil {
		b.begin()
		_ = http.NewResponseController(b.w).Flush()
	}
}

// begin sends what was kept.
func (b *buffer) begin() {
	if b.begun {
		return
	}
	b.begun = true
	b.writeHeader(http.StatusOK)
	maps.Copy(b.w.Header(), b.header)
	b.w.WriteHeader(b.status)
	_, _ = b.w.Write(b.body.Bytes())
	b.body = bytes.Buffer{}
}

// end closes the answer, whole or not, and reports whether any of it was sent. What is
// still written touches nothing.
func (b *buffer) end(whole bool) (begun bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if whole {
		b.begin()
	}
	b.w = nil
	return b.begun
}
