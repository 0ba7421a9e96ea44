package handler

import (
	"fmt"
	"io"
	"net/http"
	"testing"

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
