package cli_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite"
	"visionkeeper/dev/azurite/azuritetest"
)

// replayFaults answer one request in place of the storage service; without a
// status the connection is cut, where lost is set after the request was served.
var replayFaults = map[string]struct {
	status int
	lost   bool
}{
	"429": {status: 429}, "500": {status: 500}, "401": {status: 401}, "404": {status: 404}, "409": {status: 409}, "412": {status: 412},
	"reset": {}, "lost": {lost: true},
}

// TestNoFaultOfAReplayLosesTheMessage puts each fault at each request of a replay.
// At no time the message is neither kept nor on the queue; in the end it is on the
// queue, byte for byte, and kept no more.
func TestNoFaultOfAReplayLosesTheMessage(t *testing.T) {
	t.Parallel()
	azure := azuritetest.Start(t)
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
				var left atomic.Int64
				behind := func(address string) *httptest.Server {
					target, err := url.Parse(address)
					require.NoError(t, err)
					proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: target.Scheme, Host: target.Host})
					front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						switch {
						case !is(r) || left.Add(-1) < 0:
							proxy.ServeHTTP(w, r)
							return
						case fault.status != 0:
							w.WriteHeader(fault.status)
							return
						case fault.lost:
							proxy.ServeHTTP(httptest.NewRecorder(), r)
						}
						panic(http.ErrAbortHandler)
					}))
					t.Cleanup(front.Close)
					return front
				}
				dir, settings := t.TempDir(), map[string]string{}
				w := newWorld(t, dir, func(name, value string) { settings[name] = value })
				customer, archives := account(t, azure.ConnectionString(azurite.Customer)), account(t, azure.ConnectionString(azurite.Archive))
				over := map[string]string{
					"CustomVisionStorage": strings.ReplaceAll(settings["CustomVisionStorage"], host(t, customer.QueueURL), host(t, behind(customer.QueueURL).URL)),
					"ArchiveStorage":      strings.ReplaceAll(settings["ArchiveStorage"], host(t, archives.BlobURL), host(t, behind(archives.BlobURL).URL)),
				}
				_, err := w.state.Bury(t.Context(), []byte(raw), "unknown", time.Now())
				require.NoError(t, err)
				messages := func() (list []string) {
					page, err := w.queue.PeekMessages(t.Context(), nil)
					require.NoError(t, err)
					for _, m := range page.Messages {
						list = append(list, *m.MessageText)
					}
					return list
				}
				kept := func() int {
					letters, err := w.state.DeadLetters(t.Context())
					require.NoError(t, err)
					return len(letters)
				}

				left.Store(1)
				first := start(t, dir, settings, over, "deadletters", "replay", "--all")
				if first.code() != 0 {
					assert.Equal(t, 1, kept(), "what failed is kept: %s", first.stderr)
				}
				assert.LessOrEqual(t, left.Load(), int64(0), "the request was made")
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

func host(t *testing.T, address string) string {
	u, err := url.Parse(address)
	require.NoError(t, err)
	return u.Host
}
