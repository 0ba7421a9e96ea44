package handler

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAForwardedRequestArrivesWholeAndItsAnswerIsPassedOnAsItIs(t *testing.T) {
	t.Parallel()
	h := newHost(t, Options{})
	h.HandleHTTP(http.MethodPost, "/api/echo", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		assert.EqualValues(t, len(body), r.ContentLength)
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Add("X-Two", "1")
		w.Header().Add("X-Two", "2")
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "%s %s %s", r.Method, r.URL.RequestURI(), body)
	}))
	a := h.send(t, http.MethodPost, "/api/echo?x=1&x=2", chunked("hello"))
	assert.Equal(t, http.StatusTeapot, a.status)
	assert.Equal(t, "text/plain", a.header.Get("Content-Type"))
	assert.Equal(t, []string{"1", "2"}, a.header.Values("X-Two"))
	assert.Equal(t, "POST /api/echo?x=1&x=2 hello", a.body)
}

func TestAForwardedFunctionMayAnswerNothing(t *testing.T) {
	t.Parallel()
	h := newHost(t, Options{})
	h.HandleHTTP(http.MethodGet, "/api/quiet", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	a := h.do(t, http.MethodGet, "/api/quiet", "")
	assert.Equal(t, http.StatusOK, a.status)
	assert.Empty(t, a.body)
}

func TestAForwardedFunctionFindsItsLogger(t *testing.T) {
	t.Parallel()
	h := newHost(t, Options{})
	h.HandleHTTP(http.MethodGet, "/api/health", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		zerolog.Ctx(r.Context()).Info().Msg("asked")
	}))
	h.do(t, http.MethodGet, "/api/health", "")
	entry := h.out.entries(t)[0]
	assert.Equal(t, "asked", entry["message"])
	assert.Equal(t, testID, entry["invocation"])
}

func TestAPanicLeavesNoHalfAnswerAndTellsTheClientNothing(t *testing.T) {
	t.Parallel()
	h := newHost(t, Options{})
	h.HandleHTTP(http.MethodGet, "/api/bad", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Half", "1")
		_, _ = w.Write([]byte("half an answer"))
		panic("inner matter")
	}))
	a := h.do(t, http.MethodGet, "/api/bad", "")
	requireFailure(t, a, http.StatusInternalServerError)
	assert.NotContains(t, a.body, "inner matter")
	assert.NotContains(t, a.body, "half")
	assert.Empty(t, a.header.Get("X-Half"))
	require.Len(t, h.err.entries(t), 1)
	assert.Contains(t, h.err.String(), "inner matter")
}

func TestAForwardedFunctionThatIgnoresTheDeadlineIsAnsweredFor(t *testing.T) {
	t.Parallel()
	h := newHost(t, Options{Deadline: soon})
	release, done := make(chan struct{}), make(chan struct{})
	h.HandleHTTP(http.MethodPost, "/api/slow", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		<-release
		r.Header.Set("X-Late", "1") // all of this must touch nothing that is still in use
		_, _ = io.Copy(w, r.Body)
	}))
	requireFailure(t, h.do(t, http.MethodPost, "/api/slow", "{}"), http.StatusInternalServerError)
	close(release)
	<-done
}

func TestATreeServesItsPathAndAllBelow(t *testing.T) {
	t.Parallel()
	h := newHost(t, Options{})
	h.HandleHTTPTree("/api/status", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Method+" "+r.URL.Path)
	}))
	h.HandleHTTP(http.MethodGet, "/api/status/own", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "own") }))
	for path, want := range map[string]string{
		"/api/status": "POST /api/status", "/api/status/": "POST /api/status/", "/API/Status/a/b": "POST /API/Status/a/b",
	} {
		assert.Equal(t, want, h.do(t, http.MethodPost, path, "").body)
	}
	assert.Equal(t, "own", h.do(t, http.MethodGet, "/api/status/own", "").body)
	requireFailure(t, h.do(t, http.MethodGet, "/api/statuses", ""), http.StatusNotFound)
	assert.Panics(t, func() { h.HandleHTTPTree("/", nil) })
}

func TestAFlushedAnswerIsPassedOnAsItComes(t *testing.T) {
	t.Parallel()
	h := newHost(t, Options{})
	seen := make(chan struct{})
	h.HandleHTTP(http.MethodGet, "/api/long", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Own", "1")
		w.WriteHeader(http.StatusPartialContent)
		fmt.Fprint(w, "first")
		w.(http.Flusher).Flush()
		<-seen
		fmt.Fprint(w, " second")
	}))
	response, err := h.client.Do(h.request(t, http.MethodGet, "/api/long", nil))
	require.NoError(t, err)
	defer response.Body.Close()
	assert.Equal(t, http.StatusPartialContent, response.StatusCode)
	assert.Equal(t, "1", response.Header.Get("X-Own"))
	first := make([]byte, len("first"))
	_, err = io.ReadFull(response.Body, first)
	require.NoError(t, err)
	close(seen)
	rest, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	assert.Equal(t, "first second", string(first)+string(rest))
}

func TestAFlushedAnswerThatFailsIsCut(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]bool{"a panic": true, "the deadline": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, Options{Deadline: soon})
			release := make(chan struct{})
			defer close(release)
			h.HandleHTTP(http.MethodGet, "/api/long", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprint(w, "first")
				w.(http.Flusher).Flush()
				if fails {
					panic("inner matter")
				}
				<-release
			}))
			response, err := h.client.Do(h.request(t, http.MethodGet, "/api/long", nil))
			require.NoError(t, err)
			defer response.Body.Close()
			_, err = io.ReadAll(response.Body)
			assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
		})
	}
}

// A host that proxies passes on how slowly its client reads.
func TestAClientThatDoesNotReadKeepsNoInvocationBeyondItsDeadline(t *testing.T) {
	t.Parallel()
	h, s := listen(t, Options{Deadline: soon})
	ended := make(chan struct{})
	h.HandleHTTP(http.MethodGet, "/api/long", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		defer close(ended)
		part := make([]byte, 1<<20)
		for {
			if _, err := w.Write(part); err != nil {
				return
			}
			w.(http.Flusher).Flush()
		}
	}))
	serve(t.Context(), s)
	if response, err := h.client.Do(h.request(t, http.MethodGet, "/api/long", nil)); err == nil { // or it was cut before it began
		defer response.Body.Close()
	}
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Fatal("the invocation still waits for the client")
	}
}
