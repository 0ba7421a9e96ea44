package handler

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// FuzzInvocation sends any body. Whatever it is, no reader panics, and the answer
// is one the host understands: a JSON object, 200 exactly if the function was
// reached.
func FuzzInvocation(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	require.NoError(f, err)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(string(data))
	}
	for _, odd := range []string{
		"", "null", "{}", "{", "\ufeff{}", `{"Data":null,"Metadata":null}`, `{"data":{"":""},"DATA":{"":{}}}`,
		`{"Data":{"a":"\"\ud800\""},"Metadata":{"sys":5,"sys":"\"\\\"\""}}`,
		`{"Data":{"a":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}}`,
	} {
		f.Add(odd)
	}
	f.Fuzz(func(t *testing.T, body string) {
		errLog := &lines{}
		h := New(Options{Out: &lines{}, Err: errLog})
		reached := false
		h.Handle("f", func(_ context.Context, inv *Invocation) error {
			reached = true
			for name := range inv.Data {
				_, _ = inv.Bytes(name)
				_, _ = inv.Text(name)
				_, _ = inv.Timer(name)
			}
			for key := range inv.Metadata {
				_, _ = inv.Metadata.Int(key)
				_, _ = inv.Metadata.Time(key)
			}
			return nil
		})
		r, w := httptest.NewRequest(http.MethodPost, "http://127.0.0.1/f", strings.NewReader(body)), httptest.NewRecorder()
		asTheHost(r)
		h.ServeHTTP(w, r)
		requireJSON(t, answer{w.Code, w.Header(), w.Body.String()})
		assert.Equal(t, reached, w.Code == http.StatusOK, errLog)
	})
}
