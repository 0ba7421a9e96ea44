package cli_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/world"
)

// replayFaults deal with one request in place of the storage service.
var replayFaults = map[string]world.Fault{
	"429": bare(429), "500": bare(500), "401": bare(401), "404": bare(404), "409": bare(409), "412": bare(412),
	"reset": world.Break, "lost": world.Lose,
}

// bare is a refusal that says no more than its status.
func bare(status int) world.Fault {
	return func(r *http.Request, _ world.Send) (*http.Response, error) {
		return world.Answer(r, status, http.Header{}, nil), nil
	}
}

// TestNoFaultOfAReplayLosesTheMessage puts each fault at each request of a replay.
// At no time the message is neither kept nor on the queue; in the end it is on the
// queue, byte for byte, and kept no more.
func TestNoFaultOfAReplayLosesTheMessage(t *testing.T) {
	t.Parallel()
	const raw = `{"version":"9.0","note":"Küche"}`
	for request, is := range map[string]func(*http.Request) bool{
		"enqueue": func(r *http.Request) bool { return r.Method == http.MethodPost },
		"list":    func(r *http.Request) bool { return r.URL.Query().Get("comp") == "list" },
		"read": func(r *http.Request) bool {
			return r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/dead-letters/")
		},
		"drop": func(r *http.Request) bool { return r.Method == http.MethodDelete },
	} {
		for name, fault := range replayFaults {
			t.Run(request+" "+name, func(t *testing.T) {
				t.Parallel()
				dir, settings := t.TempDir(), map[string]string{}
				w := newScene(t, dir, func(name, value string) { settings[name] = value })
				line, over := w.over(t, world.On(is, world.Times(1, fault)))
				_, err := w.State.Bury(t.Context(), []byte(raw), "unknown", time.Now())
				require.NoError(t, err)
				messages := func() (list []string) {
					page, err := w.Queue.PeekMessages(t.Context(), nil)
					require.NoError(t, err)
					for _, m := range page.Messages {
						list = append(list, *m.MessageText)
					}
					return list
				}
				kept := func() int { return len(w.Letters()) }

				first := start(t, dir, settings, over, "deadletters", "replay", "--all")
				if first.code() != 0 {
					assert.Equal(t, 1, kept(), "what failed is kept: %s", first.stderr)
				}
				assert.True(t, slices.ContainsFunc(line.Sent(), func(r world.Request) bool { return is(r.Request) }), "the request was made")
				second := start(t, dir, settings, over, "deadletters", "replay", "--all")
				assert.Zero(t, second.code(), second.stderr)
				assert.Zero(t, kept())
				sent := messages()
				assert.NotEmpty(t, sent)
				for _, text := range sent {
					assert.Equal(t, raw, text)
				}
			})
		}
	}
}
