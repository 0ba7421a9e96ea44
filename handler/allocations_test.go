//go:build !race

// The race detector makes sync.Pool forget at random, so these counts hold without it.

package handler

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/figures"
)

// TestWhatAnInvocationAllocates counts: it isn't parallel, since others would be counted
// too.
func TestWhatAnInvocationAllocates(t *testing.T) {
	h := New(Options{Out: io.Discard, Err: io.Discard, Level: zerolog.InfoLevel})
	h.Handle("queueFn", func(_ context.Context, inv *Invocation) error {
		_, err := inv.Bytes("msg")
		return err
	})
	bare := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var invocation struct {
			Data, Metadata map[string]json.RawMessage
		}
		var text string
		require.NoError(t, json.NewDecoder(r.Body).Decode(&invocation))
		require.NoError(t, json.Unmarshal(invocation.Data["msg"], &text))
		_, err := base64.StdEncoding.DecodeString(text)
		require.NoError(t, err)
		w.Header().Set("Content-Type", "application/json")
		_, err = w.Write([]byte("{}"))
		require.NoError(t, err)
	})
	body := vector(t, "queue-binary")
	count := func(serve http.Handler) float64 {
		return testing.AllocsPerRun(200, func() {
			r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1/queueFn", strings.NewReader(body))
			asTheHost(r)
			answer := httptest.NewRecorder()
			serve.ServeHTTP(answer, r)
			require.Equal(t, http.StatusOK, answer.Code)
		})
	}
	ours, least := count(h), count(bare)
	figures.Print(t, "%.0f allocations, %.0f by bare net/http and encoding/json", ours, least)
	assert.LessOrEqual(t, ours-least, 12.0)
}
