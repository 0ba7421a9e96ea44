package handler

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
)

// forwarded serves an HTTP function whose requests the host forwards. The answer
// is kept until hh has returned, so that a panic or a missed deadline can't leave
// half an answer. (The host buffers answers too.) The client gets the status of a
// failure alone; the log has the reason.
func (h *Handler) forwarded(path string, hh http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer := &buffer{header: http.Header{}}
		err := h.attempt(w, r, path, func(ctx context.Context, body []byte) error {
			hh.ServeHTTP(answer, withBody(r.Clone(ctx), body))
			return nil
		})
		if err != nil {
			status := failureStatus(err)
			fail(w, status, http.StatusText(status))
			return
		}
		answer.copyTo(w)
	}
}

// withBody replaces the body of r by bytes that have already been read.
func withBody(r *http.Request, body []byte) *http.Request {
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	return r
}

// buffer is an http.ResponseWriter that keeps the answer in memory.
type buffer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (b *buffer) Header() http.Header { return b.header }

func (b *buffer) WriteHeader(status int) {
	if b.status == 0 {
		b.status = status
	}
}

func (b *buffer) Write(p []byte) (int, error) {
	b.WriteHeader(http.StatusOK)
	return b.body.Write(p)
}

func (b *buffer) copyTo(w http.ResponseWriter) {
	b.WriteHeader(http.StatusOK)
	maps.Copy(w.Header(), b.header)
	w.WriteHeader(b.status)
	_, _ = w.Write(b.body.Bytes())
}
