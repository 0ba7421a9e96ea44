package handler

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAFunctionLearnsWhichInvocationItIs(t *testing.T) {
	t.Parallel()
	h := newHost(t, Options{})
	h.Handle("Sweep-2", func(_ context.Context, inv *Invocation) error {
		assert.Equal(t, testID, inv.ID)
		assert.Equal(t, "Sweep-2", inv.Function)
		inv.Log.Info().Msg("hello")
		return nil
	})
	requireSuccess(t, h.do(t, http.MethodPost, "/Sweep-2", "{}"))
	entry := h.out.entries(t)[0]
	assert.Equal(t, "hello", entry["message"])
	assert.Equal(t, testID, entry["invocation"])
	assert.Equal(t, "Sweep-2", entry["function"])
}

func TestAnErrorFailsTheInvocationAndIsLoggedFirst(t *testing.T) {
	t.Parallel()
	h := newHost(t, Options{})
	h.Handle("sweep", func(context.Context, *Invocation) error { return errors.New("no such container") })
	a := h.do(t, http.MethodPost, "/sweep", "{}")
	assert.Equal(t, "no such container", requireFailure(t, a, http.StatusInternalServerError))

	entries := h.err.entries(t)
	require.Len(t, entries, 1)
	assert.Equal(t, "error", entries[0]["level"])
	assert.Equal(t, "no such container", entries[0]["error"])
	assert.Equal(t, testID, entries[0]["invocation"])
	assert.Equal(t, "sweep", entries[0]["function"])
}

func TestAMalformedEnvelopeFailsWithoutCallingTheFunctionOrQuotingIt(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"empty":          "",
		"null":           "null",
		"array":          `["s3cret"]`,
		"string":         `"s3cret"`,
		"cut off":        `{"Data":{"msg":"s3cret`,
		"two values":     `{"Data":{}} "s3cret"`,
		"data no object": `{"Data":"s3cret"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, Options{})
			h.Handle("f", func(context.Context, *Invocation) error {
				t.Error("called")
				return nil
			})
			a := h.do(t, http.MethodPost, "/f", body)
			requireFailure(t, a, http.StatusInternalServerError)
			assert.NotContains(t, a.body+h.err.String(), "s3cret")
		})
	}
}

func TestDequeueCount(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		metadata Metadata
		want     int
	}{
		"from the host": {Metadata{"DequeueCount": []byte(`"3"`)}, 3},
		"as documented": {Metadata{"DequeueCount": []byte(`3`)}, 3},
		"missing":       {nil, 0},
		"no number":     {Metadata{"DequeueCount": []byte(`{}`)}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, c.want, (&Invocation{Metadata: c.metadata}).DequeueCount())
		})
	}
}

// BenchmarkInvocation is one queue message over a kept connection, as the host
// sends it.
func BenchmarkInvocation(b *testing.B) {
	h := newHost(b, Options{})
	h.Handle("queueFn", func(_ context.Context, inv *Invocation) error {
		_, err := inv.Bytes("msg")
		return err
	})
	body := vector(b, "queue-binary")
	b.ReportAllocs()
	for b.Loop() {
		requireSuccess(b, h.send(b, http.MethodPost, "/queueFn", chunked(body)))
	}
}
