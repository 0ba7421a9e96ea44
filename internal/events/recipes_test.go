package events

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/funchost"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

const recipes = "../../docs/recipes"

// posted is what a server of others was asked.
type posted struct {
	path   string
	header http.Header
	body   map[string]any
}

// others stands in for GitHub, Slack and Teams.
func others(t *testing.T) (string, chan posted) {
	t.Helper()
	asked := make(chan posted, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := posted{path: r.URL.Path, header: r.Header}
		assert.NoError(t, json.NewDecoder(r.Body).Decode(&p.body))
		asked <- p
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(server.Close)
	return server.URL, asked
}

// next is the next thing that others are asked.
func next(t *testing.T, asked chan posted) posted {
	t.Helper()
	select {
	case p := <-asked:
		return p
	case <-time.After(time.Minute):
		require.FailNow(t, "nobody is asked anything")
		return posted{}
	}
}

// receive starts the recipe of a receiver, which verifies by the package of Standard
// Webhooks, and returns its address.
func receive(t *testing.T, env ...string) string {
	t.Helper()
	if _, err := os.Stat(recipes + "/node_modules/.package-lock.json"); err != nil {
		t.Fatal("the JavaScript packages are not installed: run `make tools`")
	}
	cmd := exec.CommandContext(t.Context(), "node", "receiver.mjs")
	cmd.Dir, cmd.Env = recipes, append(append(os.Environ(), "PORT=0"), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	require.True(t, lines.Scan())
	port, ok := strings.CutPrefix(lines.Text(), "listening on ")
	require.True(t, ok, lines.Text())
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return "http://127.0.0.1:" + port
}

// provenEvent is one as it is sent.
func provenEvent(id string) []byte {
	body, _ := json.Marshal(map[string]any{
		"specversion": "1.0", "id": id, "type": BackupProven, "subject": "a/b/ONNX/c.zip", "data": map[string]any{
			"project": Named{"a", "Kitchen"}, "iteration": Named{"b", "Iteration 1"}, "export": "ONNX", "blob": "a/b/ONNX/c.zip", "sha256": "00", "verdict": "proven", "size": 7,
		},
	})
	return body
}

func TestAReceiverInNodeVerifiesAndTellsOthers(t *testing.T) {
	t.Parallel()
	there, asked := others(t)
	key := []byte("0123456789abcdef0123456789abcdef")
	address := receive(t, "EVENTS_WEBHOOK_SECRET=whsec_"+base64.StdEncoding.EncodeToString(key),
		"CHANNEL_URL="+there+"/services/T1/B1/x", "GITHUB_API="+there, "GITHUB_REPOSITORY=me/models", "GITHUB_TOKEN=a-token")
	send := func(key []byte, at time.Time) error {
		w := NewWebhook(address, key, true, func() time.Time { return at })
		t.Cleanup(w.client.CloseIdleConnections)
		return w.Send(t.Context(), "1", provenEvent("1"))
	}
	assert.ErrorContains(t, send([]byte("another key, of another sender.."), time.Now()), "answers 401")
	assert.ErrorContains(t, send(key, time.Now().Add(-6*time.Minute)), "answers 401", "somebody plays it again")
	assert.Empty(t, asked)
	require.NoError(t, send(key, time.Now()))
	slack := next(t, asked)
	assert.Equal(t, "/services/T1/B1/x", slack.path)
	assert.Equal(t, map[string]any{"text": "Kitchen, Iteration 1, ONNX: the backup is proven (7 bytes)."}, slack.body)
	github := next(t, asked)
	assert.Equal(t, "/repos/me/models/dispatches", github.path)
	assert.Equal(t, "Bearer a-token", github.header.Get("Authorization"))
	assert.Equal(t, BackupProven, github.body["event_type"])
	assert.Equal(t, "a/b/ONNX/c.zip", github.body["client_payload"].(map[string]any)["blob"])
	require.NoError(t, send(key, time.Now()), "it comes twice")
	assert.Empty(t, asked, "and is taken once")
}

// The second function app runs under the stand-in for the Functions host, with the host's
// default encoding of messages.
func TestASecondFunctionGetsTheEventsOfTheQueue(t *testing.T) {
	t.Parallel()
	there, asked := others(t)
	o := newOffice(t)
	o.EventsQueue()
	q := Queue{Queues: o.Archives.Queues(&azcore.ClientOptions{}), Queue: o.World.Names.Events}
	root := t.TempDir()
	require.NoError(t, os.CopyFS(root, os.DirFS(recipes+"/queue-function")))
	script, err := os.ReadFile(recipes + "/reactions.mjs")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(root, "reactions.mjs"), script, 0o644))
	host, err := funchost.Start(context.Background(), funchost.Options{Root: root, Env: []string{
		"AzureWebJobsStorage=" + o.Customer.Connection, "EventsStorage=" + o.Archives.Connection, "EVENTS_QUEUE=" + o.World.Names.Events,
		"CHANNEL_URL=" + there + "/workflows/1",
	}})
	require.NoError(t, err)
	t.Cleanup(func() { host.Close() })
	e, _ := Trained(&state.Project{ID: "a", Name: "Küche"}, customvision.Iteration{ID: "b", Name: "Iteration 1", Status: customvision.StatusCompleted}, time.Now())
	body, err := write(t.Context(), o.Postman.Archive, e)
	require.NoError(t, err)
	require.NoError(t, q.Send(t.Context(), e.ID, body))
	teams := next(t, asked)
	assert.Equal(t, "message", teams.body["type"])
	card, err := json.Marshal(teams.body)
	require.NoError(t, err)
	assert.Contains(t, string(card), "Küche, Iteration 1: the training is completed.")
}
