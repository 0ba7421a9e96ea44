package handler

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func nothing(context.Context, *Invocation) error { return nil }

func TestReadinessIsAnsweredBeforeAnyFunctionIsRegistered(t *testing.T) {
	t.Parallel()
	requireSuccess(t, newHost(t, Options{}).do(t, http.MethodGet, "/", ""))
}

func TestOnlyTheExactPathIsAnsweredAndNothingRedirects(t *testing.T) {
	t.Parallel()
	h := newHost(t, Options{})
	h.Handle("sweep", nothing)
	requireSuccess(t, h.do(t, http.MethodPost, "/sweep", "{}"))
	for _, path := range []string{"//sweep", "/sweep/", "/x/../sweep", "/./sweep", "/Sweep", "/sweep/more", "/api/sweep", "//"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			a := h.do(t, http.MethodPost, path, "{}")
			requireFailure(t, a, http.StatusNotFound)
			assert.Empty(t, a.header.Get("Location"))
		})
	}
}

func TestAnUnknownPathIsLogged(t *testing.T) {
	t.Parallel()
	h := newHost(t, Options{})
	requireFailure(t, h.do(t, http.MethodPost, "/lost", "{}"), http.StatusNotFound)
	entry := h.err.entries(t)[0]
	assert.Equal(t, "error", entry["level"])
	assert.Equal(t, "/lost", entry["path"])
	assert.Equal(t, testID, entry["invocation"])
}

func TestAnotherMethodIsRefusedWithWhatIsAllowed(t *testing.T) {
	t.Parallel()
	h := newHost(t, Options{})
	h.Handle("sweep", nothing)
	h.HandleHTTP(http.MethodPut, "/api/thing", http.NotFoundHandler())
	h.HandleHTTP(http.MethodGet, "/api/thing", http.NotFoundHandler())
	for _, c := range []struct{ method, path, allow string }{
		{http.MethodGet, "/sweep", "POST"},
		{http.MethodPost, "/", "GET"},
		{http.MethodDelete, "/api/thing", "GET, PUT"},
	} {
		t.Run(c.method+c.path, func(t *testing.T) {
			t.Parallel()
			a := h.do(t, c.method, c.path, "")
			requireFailure(t, a, http.StatusMethodNotAllowed)
			assert.Equal(t, c.allow, a.header.Get("Allow"))
		})
	}
}

func TestARefusalDoesNotWaitForTheBody(t *testing.T) {
	t.Parallel()
	h := newHost(t, Options{})
	h.HandleHTTP(http.MethodGet, "/api/thing", http.NotFoundHandler())
	requireFailure(t, h.unfinished(t, "/lost"), http.StatusNotFound)
	requireFailure(t, h.unfinished(t, "/api/thing"), http.StatusMethodNotAllowed)
}

func TestRegistrationRefusesWhatTheHostCouldNeverCall(t *testing.T) {
	t.Parallel()
	h := New(Options{})
	h.Handle("sweep", nothing)
	h.HandleHTTP(http.MethodGet, "/api/health", http.NotFoundHandler())
	for name, register := range map[string]func(){
		"empty name":        func() { h.Handle("", nothing) },
		"name with a slash": func() { h.Handle("a/b", nothing) },
		"name too long":     func() { h.Handle(strings.Repeat("a", 129), nothing) },
		"second function":   func() { h.Handle("sweep", nothing) },
		"relative path":     func() { h.HandleHTTP(http.MethodGet, "api/x", http.NotFoundHandler()) },
		"readiness path":    func() { h.HandleHTTP(http.MethodGet, "/", http.NotFoundHandler()) },
		"second HTTP":       func() { h.HandleHTTP(http.MethodGet, "/api/health", http.NotFoundHandler()) },
	} {
		t.Run(name, func(t *testing.T) { assert.Panics(t, register) })
	}
}

func TestManyInvocationsRunAtOnceAndReadinessIsStillAnswered(t *testing.T) {
	t.Parallel()
	const many = 64
	h := newHost(t, Options{})
	var arrived sync.WaitGroup
	arrived.Add(many)
	release := make(chan struct{})
	h.Handle("notifications", func(context.Context, *Invocation) error {
		arrived.Done()
		<-release
		return nil
	})

	answers := make(chan answer, many)
	for range many {
		go func() { answers <- h.do(t, http.MethodPost, "/notifications", "{}") }()
	}
	arrived.Wait() // passes only if all of them run at the same time
	requireSuccess(t, h.do(t, http.MethodGet, "/", ""))
	require.Empty(t, answers)

	close(release)
	for range many {
		requireSuccess(t, <-answers)
	}
}
