package handler

import (
	"context"
	"net/http"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAPanicFailsItsInvocationAloneWithTheStackInOneLine(t *testing.T) {
	t.Parallel()
	h := newHost(t, Options{})
	h.Handle("bad", func(context.Context, *Invocation) error { return dividesByZero(0) })
	h.Handle("good", nothing)
	requireFailure(t, h.do(t, http.MethodPost, "/bad", "{}"), http.StatusInternalServerError)
	requireSuccess(t, h.do(t, http.MethodPost, "/good", "{}"))

	entries := h.err.entries(t)
	require.Len(t, entries, 1)
	assert.Equal(t, "error", entries[0]["level"])
	assert.Contains(t, entries[0]["error"], "divide by zero")
	assert.Contains(t, entries[0]["stack"], "dividesByZero")
	assert.Equal(t, testID, entries[0]["invocation"])
}

func dividesByZero(zero int) error {
	_ = 1 / zero
	return nil
}

func TestAFunctionThatEndsItsGoroutineFails(t *testing.T) {
	t.Parallel()
	h := newHost(t, Options{})
	h.Handle("gone", func(context.Context, *Invocation) error {
		runtime.Goexit()
		return nil
	})
	reason := requireFailure(t, h.do(t, http.MethodPost, "/gone", "{}"), http.StatusInternalServerError)
	assert.Equal(t, errGone.Error(), reason)
}
