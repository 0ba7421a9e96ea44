package twin

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
)

// sent are the effects that the service received.
func (w *scene) sent() map[string]int {
	sent := map[string]int{}
	counts := w.Service.Counts()
	for _, effect := range []string{"ImportProject", "TrainProject", "DeleteProject", "DeleteIteration", "ExportIteration"} {
		sent[effect] = counts[effect]
	}
	return sent
}

// isTrue requires that the story came to its one end.
func (w *scene) isTrue(before map[string]int, what string) {
	w.t.Helper()
	twin := w.ends()
	require.Empty(w.t, twin.Why, what)
	list := w.recorded()
	require.Len(w.t, list, 1, what)
	require.Len(w.t, list[0].Twin.Proofs, 2, what)
	require.Equal(w.t, map[string]archive.Verdict{"ONNX": archive.Proven, "TensorFlow": archive.Proven}, w.Verdicts(twin.Project, twin.Trained), what)
	for _, p := range w.others() {
		require.NotContains(w.t, p.Name, w.original.ID, what)
	}
	kept, err := w.Client.Project(context.Background(), w.original.ID)
	require.NoError(w.t, err)
	require.Equal(w.t, world.General, kept.Settings.DomainID, what)
	after := w.sent()
	for effect, n := range map[string]int{"ImportProject": 1, "TrainProject": 1, "DeleteProject": 1, "DeleteIteration": 0, "ExportIteration": 2} {
		require.Equal(w.t, n, after[effect]-before[effect], "%s: %s", what, effect)
	}
}

// safely looks, at each request to delete a project, that the archive has all of it.
func (w *scene) safely(f world.Fault) world.Fault {
	return func(req *http.Request, send world.Send) (*http.Response, error) {
		if at := strings.LastIndex(req.URL.Path, "/projects/"); req.Method == http.MethodDelete && at >= 0 && !strings.Contains(req.URL.Path, "/iterations/") {
			id := req.URL.Path[at+len("/projects/"):]
			require.NotEqual(w.t, w.original.ID, id)
			proven := 0
			for _, b := range w.Backups(id, "") {
				require.NoError(w.t, w.Archive.Stands(context.Background(), b))
				proven++
			}
			require.Equal(w.t, 2, proven)
			require.Len(w.t, w.recorded(), 1)
		}
		return f(req, send)
	}
}

// goesOn lets one process go on through all stages, until it is killed or the twin has ended.
func (w *scene) goesOn(line *world.Interceptor) error {
	m := w.process(line)
	for {
		w.sweep()
		twin, err := m.Run(context.Background(), w.original)
		if err != nil || !twin.Open() {
			return err
		}
		w.Service.Advance(10 * time.Minute)
	}
}

// TestATwinIsMadeThoughTheProcessIsKilledAtAnyRequest ends the process after each of its
// writes, and before the first one: a read changes nothing, so to be killed at it is the
// same. Others go on from there.
func TestATwinIsMadeThoughTheProcessIsKilledAtAnyRequest(t *testing.T) {
	t.Parallel()
	w := newScene(t, rules, emulator.Options{ImportTime: time.Minute})
	writes := func(r *http.Request) bool { return r.Method != http.MethodGet && r.Method != http.MethodHead }
	for k := 0; ; k++ {
		w.story()
		w.sweep()
		w.begin()
		before, line := w.sent(), world.NewInterceptor(t)
		kill := world.On(writes, world.Nth(max(k, 1), line.KillAfter))
		if k == 0 {
			kill = world.On(writes, line.KillBefore)
		}
		line.Use(w.safely(kill))
		err := w.goesOn(line)
		if !line.Dead() {
			require.NoError(t, err)
			require.Greater(t, k, 10)
			return
		}
		what := line.Sent()[len(line.Sent())-1].String()
		require.Error(t, err, what)
		w.isTrue(before, what)
	}
}

var ids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32,}|[0-9]{8}T[0-9]{6}Z-[0-9a-z]{8}`)

// operation is a request's kind.
func operation(r *http.Request) string {
	return r.Method + " " + ids.ReplaceAllString(r.URL.Path, "*") + " " + r.URL.Query().Get("comp")
}

// TestATwinIsMadeThoughAnyRequestFails meets each kind of request once with each fault.
func TestATwinIsMadeThoughAnyRequestFails(t *testing.T) {
	t.Parallel()
	w := newScene(t, rules, emulator.Options{ImportTime: time.Minute})
	for fault, spoil := range map[string]world.Fault{
		"401": world.Refuse(401), "404": world.Refuse(404), "409": world.Refuse(409), "412": world.Refuse(412), "429": world.Refuse(429), "500": world.Refuse(500),
		"reset": world.Break, "lost": world.Lose, "cut": world.Cut, "short": world.Short,
	} {
		w.story()
		w.sweep()
		w.begin()
		before, line := w.sent(), world.NewInterceptor(t)
		var mu sync.Mutex
		met := map[string]bool{}
		line.Use(w.safely(func(r *http.Request, send world.Send) (*http.Response, error) {
			mu.Lock()
			name := operation(r)
			again := met[name]
			met[name] = true
			mu.Unlock()
			if again {
				return send(r)
			}
			return spoil(r, send)
		}))
		for n := 0; ; n++ {
			w.sweep()
			twin, err := w.process(line).Run(context.Background(), w.original)
			if err == nil && twin != nil && !twin.Open() {
				break
			}
			require.Less(t, n, 60, "%s: %v", fault, err)
			w.Service.Advance(10 * time.Minute)
		}
		require.Greater(t, len(met), 15, fault)
		w.isTrue(before, fault)
	}
}
