package functions_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/world"
	"visionkeeper/handler"
)

// secretPath is the part of a heartbeat's URL by which its monitor knows who asks.
const secretPath = "/ping/0b1c2d3e-secret"

// said sweeps once, which must succeed, and gives the log's lines of a level.
func (w *app) said(level string) []string {
	var printed bytes.Buffer
	log := zerolog.New(&printed)
	require.NoError(w.t, w.sweeping.Invoke(log.WithContext(w.t.Context()), &handler.Invocation{Log: log}))
	assert.NotContains(w.t, printed.String(), "secret")
	var lines []string
	for line := range strings.Lines(printed.String()) {
		var l struct{ Level, Message string }
		require.NoError(w.t, json.Unmarshal([]byte(line), &l))
		if l.Level == level {
			lines = append(lines, l.Message)
		}
	}
	return lines
}

// A monitor hears of each whole round, and of no other.
func TestTheHeartbeatIsAskedAfterEveryWholeRound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{policy: onnx, container: true})
	var asked atomic.Int32
	monitor := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "GET "+secretPath, r.Method+" "+r.URL.Path)
		asked.Add(1)
	}))
	t.Cleanup(monitor.Close)
	w.sweeping.Heartbeat = monitor.URL + secretPath
	for n := range int32(2) {
		require.NoError(t, w.sweep(t.Context()))
		assert.Equal(t, n+1, asked.Load())
	}

	w.line.While(world.On(func(req *http.Request) bool { return strings.Contains(req.URL.Path, w.project) }, world.Refuse(http.StatusForbidden)), func() {
		assert.Error(t, w.sweep(t.Context()))
	})
	assert.Equal(t, int32(2), asked.Load(), "a project failed, so the round isn't whole")
	require.NoError(t, w.sweep(t.Context()))
	assert.Equal(t, int32(3), asked.Load())
}

// Whatever the monitor does, the sweep succeeds, and the log names its host alone.
func TestAHeartbeatThatFailsIsLoggedAndFailsNothing(t *testing.T) {
	t.Parallel()
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(stranger.Close)
	for name, answer := range map[string]http.HandlerFunc{
		"unknown": http.NotFound,
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, stranger.URL+r.URL.Path, http.StatusFound)
		},
		"hangs":   func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"cut off": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, setting{policy: onnx, container: true})
			monitor := httptest.NewServer(answer)
			t.Cleanup(monitor.Close)
			w.sweeping.Heartbeat = monitor.URL + secretPath
			began := time.Now()
			lines := w.said("warn")
			assert.Less(t, time.Since(began), 30*time.Second)
			if assert.Len(t, lines, 1) {
				assert.Contains(t, lines[0], "HEARTBEAT_URL at "+strings.TrimPrefix(monitor.URL, "http://"))
			}
		})
	}
}

// The alarms in infra/ are made of this line.
func TestTheLineOfASweepSaysWhatTheAlarmsAsk(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{policy: onnx, container: true})
	w.export(w.train())
	_, err := w.Poison.EnqueueMessage(t.Context(), noNotification, nil)
	require.NoError(t, err)
	swept := func() map[string]any {
		var printed bytes.Buffer
		log := zerolog.New(&printed)
		require.NoError(t, w.sweeping.Invoke(log.WithContext(t.Context()), &handler.Invocation{Log: log}))
		for line := range strings.Lines(printed.String()) {
			var l map[string]any
			require.NoError(t, json.Unmarshal([]byte(line), &l))
			if l["message"] == "swept" {
				return l
			}
		}
		t.Fatal("no such line")
		return nil
	}
	first := swept()
	assert.EqualValues(t, 1, first["poison"])
	assert.EqualValues(t, 0, first["deadLetters"], "they are counted as the sweep begins")
	assert.Contains(t, first, "round")
	second := swept()
	assert.EqualValues(t, 0, second["poison"])
	assert.EqualValues(t, 1, second["deadLetters"])
}
