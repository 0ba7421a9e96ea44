package reconcile

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

// imported copies a project, and gives the copy's id. The import isn't done yet.
func (w *app) imported(project string) string {
	w.t.Helper()
	call := func(method, path string, answer any) {
		req, err := http.NewRequestWithContext(w.t.Context(), method, w.API+"/customvision/v3.3/training/projects/"+path, nil)
		require.NoError(w.t, err)
		req.Header.Set("Training-Key", world.Key)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(w.t, err)
		defer resp.Body.Close()
		require.Equal(w.t, http.StatusOK, resp.StatusCode)
		require.NoError(w.t, json.NewDecoder(resp.Body).Decode(answer))
	}
	var export struct{ Token string }
	call(http.MethodGet, project+"/export", &export)
	var copied struct{ ID, Status string }
	call(http.MethodPost, "import?token="+url.QueryEscape(export.Token), &copied)
	require.Equal(w.t, "Importing", copied.Status)
	return copied.ID
}

// In an imported project every iteration was created and changed at the time of the
// import. Only when it was trained stays.
func TestAnImportedProjectsPastIsPast(t *testing.T) {
	t.Parallel()
	const rules = `{"projects":[{"project":"*","exports":["ONNX"],"iterations":["newest"],"retrain":{"afterFailure":1,"within":"24h"}}]}`
	for name, c := range map[string]struct {
		order   string
		visits  func(w *app, project string) // while the import runs
		arrives bool                         // whether the iterations are listed only then
	}{
		"seen when all of it is there":           {"oldest-first", func(*app, string) {}, false},
		"listed the other way around":            {"newest-first", func(*app, string) {}, false},
		"seen while it arrives":                  {"shuffled", func(w *app, _ string) { w.sweep() }, false},
		"seen before its iterations are listed":  {"oldest-first", func(w *app, _ string) { w.sweep() }, true},
		"looked at before iterations are listed": {"oldest-first", func(w *app, p string) { w.reconcile(Key{Project: p}) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, rules, answering(emulator.IterationOrder, c.order), func(o *emulator.Options) { o.ImportTime = time.Hour })
			w.overLine()
			source := w.Create(customvision.CreateProjectOptions{}).ID
			old := w.Train(source)
			w.Service.FailTrainings(1)
			w.Train(source)
			newest := w.Train(source)
			newest, err := w.Client.Iteration(t.Context(), source, newest.ID)
			require.NoError(t, err)
			w.Service.Advance(90 * 24 * time.Hour)
			copied := w.imported(source)
			require.NoError(t, w.Client.DeleteProject(t.Context(), source))
			trainings := w.Service.Counts()["TrainProject"]

			arriving := w.lists("/iterations", func(list []map[string]any) []map[string]any {
				if c.arrives {
					return []map[string]any{}
				}
				return list
			})
			w.line.While(arriving, func() { c.visits(w, copied) })
			w.Service.Advance(time.Hour)
			w.sweep()
			w.settle(Key{Project: copied})

			var wanted, failed customvision.Iteration
			all, err := w.Client.Iterations(t.Context(), copied)
			require.NoError(t, err)
			for _, it := range all {
				switch {
				case it.TrainedAt == nil:
					failed = it
				case it.TrainedAt.Equal(*newest.TrainedAt):
					wanted = it
				}
			}
			kept := w.kept(Key{Project: copied, Iteration: wanted.ID})
			require.Len(t, kept, 1, "of the iterations that were created at once, the one trained last counts")
			proofs := w.proofs(Key{Project: copied, Iteration: wanted.ID})
			require.Len(t, proofs, 1)
			assert.True(t, proofs[0].TrainedAt.Equal(*newest.TrainedAt), "trained when it was, not when it was imported")
			assert.NotEqual(t, old.ID, wanted.ID)

			w.sweep()
			w.reconcile(Key{Project: copied, Iteration: failed.ID})
			assert.Equal(t, trainings, w.Service.Counts()["TrainProject"], "a failure from before the import is no new one")

			w.Service.FailTrainings(1)
			again := w.Train(copied)
			assert.Contains(t, w.settle(Key{Project: copied, Iteration: again.ID}), "retrain", "one from after it is")
			assert.True(t, slices.ContainsFunc(w.Remembered(copied).Trainings, func(tr *state.Training) bool { return tr.Cause == state.FailureOf(again.ID) && tr.Nothing == "" }))
		})
	}
}
