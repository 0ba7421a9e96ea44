package handler

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func vector(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	require.NoError(t, err)
	return string(data)
}

func wantBytes(want string, dequeued int) func(*testing.T, *Invocation) {
	return func(t *testing.T, inv *Invocation) {
		got, err := inv.Bytes("msg")
		assert.NoError(t, err)
		assert.Equal(t, want, string(got))
		assert.Equal(t, dequeued, inv.DequeueCount())
	}
}

func wantText(want string, dequeued int) func(*testing.T, *Invocation) {
	return func(t *testing.T, inv *Invocation) {
		got, err := inv.Text("msg")
		assert.NoError(t, err)
		assert.Equal(t, want, got)
		assert.Equal(t, dequeued, inv.DequeueCount())
	}
}

func wantTimer(want Timer) func(*testing.T, *Invocation) {
	return func(t *testing.T, inv *Invocation) {
		got, err := inv.Timer("timer")
		assert.NoError(t, err)
		assert.Equal(t, want.IsPastDue, got.IsPastDue)
		if want.ScheduleStatus == nil {
			assert.Nil(t, got.ScheduleStatus)
			return
		}
		assert.WithinDuration(t, want.ScheduleStatus.Last, got.ScheduleStatus.Last, 0)
		assert.WithinDuration(t, want.ScheduleStatus.Next, got.ScheduleStatus.Next, 0)
		assert.WithinDuration(t, want.ScheduleStatus.LastUpdated, got.ScheduleStatus.LastUpdated, 0)
	}
}

func TestVectors(t *testing.T) {
	t.Parallel()
	last := time.Date(2026, 8, 27, 10, 10, 0, 0, time.UTC)
	next := last.Add(5 * time.Minute)
	checks := map[string]func(*testing.T, *Invocation){
		"queue-binary":          wantBytes(`{"a":1}`, 1),
		"queue-binary-empty":    wantBytes("", 1),
		"queue-binary-not-utf8": wantBytes("\xff\xfe\x00\x80", 1),
		"queue-manual-binary":   wantBytes("hello", 0),
		"queue-manual-text":     wantText("hello", 0),
		"queue-text-object":     wantText(`{"a":1}`, 1),
		"queue-text-plain":      wantText("hello", 1),
		"queue-text-number":     wantText("123", 1),
		"queue-text-array":      wantText("[1,2]", 1),
		"queue-text-empty":      wantText("", 1),
		"queue-text-base64":     wantText("aGVsbG8=", 1),
		"queue-text-unicode":    wantText("zażółć 🐈 <&> a/b", 1),
		"queue-text-multiline":  wantText("two\r\nlines\t\"quoted\" \\ end", 1),
		"queue-documented":      wantText(`{"a":1}`, 1),
		"timer":                 wantTimer(Timer{ScheduleStatus: &ScheduleStatus{last, next, last}}),
		"timer-past-due":        wantTimer(Timer{IsPastDue: true, ScheduleStatus: &ScheduleStatus{last, next, last}}),
		"timer-first-run":       wantTimer(Timer{ScheduleStatus: &ScheduleStatus{Next: next}}),
		"timer-unmonitored":     wantTimer(Timer{}),
		"queue-text-forged-metadata": func(t *testing.T, inv *Invocation) {
			id, ok := inv.Metadata.String("Id")
			assert.True(t, ok)
			assert.Equal(t, "evil", id)
			when, ok := inv.Metadata.Time("when")
			assert.True(t, ok)
			assert.Equal(t, 2026, when.Year())
			assert.Equal(t, 99, inv.DequeueCount())
		},
		"http-envelope": func(t *testing.T, inv *Invocation) {
			var r struct {
				Method, Body string
				Headers      map[string][]string
			}
			assert.NoError(t, inv.JSON("req", &r))
			assert.Equal(t, "POST", r.Method)
			assert.Equal(t, `{"a":1}`, r.Body)
			assert.Equal(t, []string{"application/json"}, r.Headers["Content-Type"])
		},
	}
	files, err := filepath.Glob("testdata/*.json")
	require.NoError(t, err)
	require.Len(t, checks, len(files), "every vector is checked")

	// The host sends bodies chunked, and under Core Tools with a length.
	forms := map[string]func(string) io.Reader{
		"chunked":     chunked,
		"with length": func(s string) io.Reader { return strings.NewReader(s) },
	}
	for name, check := range checks {
		for form, reader := range forms {
			t.Run(name+" "+form, func(t *testing.T) {
				t.Parallel()
				h := newHost(t, Options{})
				called := false
				h.Handle("f", func(_ context.Context, inv *Invocation) error {
					called = true
					check(t, inv)
					return nil
				})
				requireSuccess(t, h.send(t, http.MethodPost, "/f", reader(vector(t, name))))
				assert.True(t, called)
			})
		}
	}
}

func TestQueueMetadata(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"queue-binary", "queue-text-plain", "queue-documented"} {
		inv, err := decode([]byte(vector(t, name)))
		require.NoError(t, err)
		id, ok := inv.Metadata.String("Id")
		assert.True(t, ok)
		assert.Equal(t, "6f0fb1c2-3d4e-4f50-8a61-7b8c9d0e1f22", id)
		inserted, ok := inv.Metadata.Time("InsertionTime")
		assert.True(t, ok)
		assert.WithinDuration(t, time.Date(2026, 8, 27, 10, 11, 12, 0, time.UTC), inserted, 0)
	}
	inv, err := decode([]byte(vector(t, "queue-manual-binary")))
	require.NoError(t, err)
	_, ok := inv.Metadata.String("Id")
	assert.False(t, ok, "a manual run has no message id")
	expires, ok := inv.Metadata.Time("ExpirationTime")
	assert.True(t, ok)
	assert.Equal(t, 9999, expires.Year())
}
