package handler

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type observedKey struct{}

// Who observes learns which invocation it is, gives its context and its log, and hears
// of the outcome before the host does.
func TestAnInvocationIsObservedUntilItIsAnswered(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	var outcome error
	answer := httptest.NewRecorder()
	h := newHost(t, Options{Observe: func(ctx context.Context, function, id, traceparent string) (context.Context, func(error)) {
		assert.Equal(t, []string{"f", testID, "00-aa-bb-01"}, []string{function, id, traceparent})
		ctx = zerolog.Ctx(ctx).With().Str("trace", "aa").Logger().WithContext(ctx)
		return context.WithValue(ctx, observedKey{}, true), func(err error) {
			assert.Zero(t, answer.Body.Len(), "the host isn't answered yet")
			outcome = err
		}
	}})
	h.Handle("f", func(ctx context.Context, _ *Invocation) error {
		assert.Equal(t, true, ctx.Value(observedKey{}))
		return broken
	})
	req := h.request(t, http.MethodPost, "/f", strings.NewReader("{}"))
	req.Header.Set("traceparent", "00-aa-bb-01")
	req.Host = "127.0.0.1"
	h.ServeHTTP(answer, req)
	assert.Equal(t, http.StatusInternalServerError, answer.Code)
	assert.ErrorIs(t, outcome, broken)
	entries := h.err.entries(t)
	require.Len(t, entries, 1)
	assert.Equal(t, "aa", entries[0]["trace"])
	assert.Equal(t, testID, entries[0]["invocation"])
}
