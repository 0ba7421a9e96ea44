package reconcile

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

// lacking lets the list of iterations come without these.
func (w *app) lacking(iterations ...string) world.Fault {
	return w.lists("/iterations", func(list []map[string]any) []map[string]any {
		return slices.DeleteFunc(list, func(it map[string]any) bool {
			id, _ := it["id"].(string)
			return slices.Contains(iterations, id)
		})
	})
}

// The first list of all lacks a failure: it is from before all the same.
func TestAFailureThatTheFirstListLacksIsFromBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","exports":[],"retrain":{"afterFailure":1}}]}`)
	w.overLine()
	project := w.Create(customvision.CreateProjectOptions{ExportModelContainerURI: w.Containers.Models.URL()}).ID
	w.Service.FailTrainings(1)
	failed := w.Train(project).ID
	w.Service.Advance(time.Hour)
	w.line.While(w.lacking(failed), func() { w.sweep() })
	w.Service.Advance(time.Hour)
	w.sweep()
	assert.Equal(t, 1, w.Service.Counts()["TrainProject"], "the person's")
}

// What was trained since a failure is remembered: the list may lack it for one look.
func TestATrainingThatTheListLacksIsNoReasonToTrain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","exports":[],"retrain":{"afterFailure":1}}]}`)
	w.overLine()
	project := w.project(world.Compact)
	w.Service.FailTrainings(1)
	w.Train(project)
	later := w.Train(project).ID
	w.sweep()
	require.Equal(t, 2, w.Service.Counts()["TrainProject"], "the person's")
	w.line.While(w.lacking(later), func() { w.sweepAnyhow() })
	assert.Equal(t, 2, w.Service.Counts()["TrainProject"], "it is there, as the service says when it is asked")
	w.line.While(chainOf(w.lacking(later), w.outage(400, later)), func() { w.sweepAnyhow() })
	assert.Equal(t, 2, w.Service.Counts()["TrainProject"], "nobody knows whether it is there")
	require.NoError(t, w.Client.DeleteIteration(t.Context(), project, later))
	w.sweep()
	assert.Equal(t, 3, w.Service.Counts()["TrainProject"], "it is gone, and the failure is the last training")
}

func TestAnIterationThatTheListLacksMakesNoOtherTheNewest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","exports":["ONNX"]}]}`)
	w.overLine()
	old := w.trained()
	newer := Key{Project: old.Project, Iteration: w.Train(old.Project).ID}
	w.settle(newer)
	asked := w.Service.Counts()["ExportIteration"]
	w.line.While(w.lacking(newer.Iteration), func() { w.sweepAnyhow() })
	assert.Equal(t, asked, w.Service.Counts()["ExportIteration"], "nobody wants exports of the old one")
}

// What rests and is in no list for an hour is forgotten, and costs no call. The list may
// lack it for one look.
func TestAnIterationThatRestsIsForgottenWithoutACall(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	w.overLine()
	key := w.trained()
	w.settle(key)
	before := w.Remembered(key.Project).Iterations[key.Iteration]
	sweep := func() {
		t.Helper()
		assert.Zero(t, w.calls(func() { w.sweep() })["GetIteration"])
	}
	for range 3 {
		w.line.While(w.lacking(key.Iteration), sweep)
		w.Service.Advance(time.Minute)
		w.line.While(w.lacking(key.Iteration), sweep)
		require.False(t, w.Remembered(key.Project).Iterations[key.Iteration].Lacked.IsZero())
		w.Service.Advance(lackedFor)
		sweep()
		require.Equal(t, before, w.Remembered(key.Project).Iterations[key.Iteration], "it is there again")
	}
	require.NoError(t, w.Client.DeleteIteration(t.Context(), key.Project, key.Iteration))
	w.remove(key, "ONNX")
	sweep()
	require.Contains(t, w.Remembered(key.Project).Iterations, key.Iteration)
	w.Service.Advance(lackedFor)
	sweep()
	assert.Empty(t, w.Remembered(key.Project).Iterations)
}

// The list of exports lacks one for one look, which was without a link before, or underway.
func TestAnExportThatTheListLacksForOneLookIsArchived(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(map[string]any){
		"without a link": without("downloadUri"),
		"underway":       func(e map[string]any) { e["status"] = "Exporting" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "")
			w.overLine()
			key := w.unconnected()
			w.export(key, "ONNX")
			w.line.While(w.lists("/export", each(before)), func() { w.sweepAnyhow() })
			w.Service.Advance(time.Hour)
			w.line.While(w.lists("/export", func([]map[string]any) []map[string]any { return []map[string]any{} }), func() { w.sweepAnyhow() })
			w.Service.Advance(time.Hour)
			w.sweepAnyhow()
			assert.Equal(t, archive.Proven, w.best(key, "ONNX"))
		})
	}
}

// A project of another resource that shares the model container.
func TestAProjectThatIsNotOursHoldsUpNoRound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.overLine()
	key := w.trained()
	w.export(key, "ONNX")
	w.line.Use(world.On(func(req *http.Request) bool { return req.URL.Host == world.Host(t, w.API) }, w.foreign(key.Project)))
	w.later()
	assert.Equal(t, archive.Proven, w.best(key, "ONNX"))
	swept := w.sweepAnyhow()
	assert.True(t, swept.Whole, "%+v", swept)
	assert.Zero(t, swept.Blocked)
}

// It moved to another resource: what is remembered of it stays, as one condition, which is
// tried ever more seldom.
func TestAProjectThatMovedIsAConditionAndHoldsUpNoRound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	w.overLine()
	key := w.trained()
	w.settle(key)
	before := w.Remembered(key.Project).Iterations
	w.line.Use(world.On(func(req *http.Request) bool { return req.URL.Host == world.Host(t, w.API) }, w.foreign(key.Project)))
	w.export(key, "CoreML")
	asked := 0
	for range 30 {
		var swept Swept
		for _, r := range w.line.During(func() { swept = w.sweepAnyhow() }) {
			if strings.HasSuffix(r.URL.Path, "/"+key.Project) {
				asked++
			}
		}
		require.True(t, swept.Whole, "%+v", swept)
		require.Equal(t, 1, swept.Covered)
		require.GreaterOrEqual(t, swept.Blocked, 1)
		remembered := w.Remembered(key.Project)
		require.Equal(t, state.Elsewhere, remembered.Condition(state.Scope{}).Code)
		w.Service.Advance(24 * time.Hour)
	}
	assert.Equal(t, archive.Proven, w.best(key, "CoreML"), "what lies in the container is archived all the same")
	assert.Less(t, asked, 12, "it is asked for ever more seldom")
	assert.Equal(t, before[key.Iteration].Facts, w.Remembered(key.Project).Iterations[key.Iteration].Facts)
	w.line.Use(nil)
	w.sweep()
	w.sweep()
	assert.Empty(t, w.Remembered(key.Project).Conditions)
}

// The proof of a copy waits for its facts. Meanwhile the service drops the export, or calls
// it failed.
func TestACopyThatWaitsIsProvenThoughItsExportIsNoLongerThere(t *testing.T) {
	t.Parallel()
	for name, then := range map[string]func([]map[string]any) []map[string]any{
		"it failed":        each(func(e map[string]any) { e["status"] = "Failed" }),
		"it is gone":       func([]map[string]any) []map[string]any { return []map[string]any{} },
		"it is made again": each(func(e map[string]any) { e["status"] = "Exporting" }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "")
			w.overLine()
			key := w.unconnected()
			w.export(key, "ONNX")
			w.line.While(w.outage(503, "/performance"), func() { w.sweepAnyhow() })
			require.Equal(t, archive.Verdict(""), w.best(key, "ONNX"))
			w.line.Use(w.lists("/export", then))
			for range 4 {
				w.Service.Advance(24 * time.Hour)
				w.sweepAnyhow()
			}
			assert.Equal(t, archive.Proven, w.best(key, "ONNX"))
		})
	}
}

// The process died between a copy and its proof, and the iteration is deleted.
func TestACopyThatWasCutIsProvenThoughItsIterationIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.overLine()
	key := w.unconnected()
	w.reconcile(key)
	w.export(key, "ONNX")
	proofs := func(req *http.Request) bool {
		return req.Method == http.MethodPut && strings.Contains(req.URL.Path, "/"+w.Names.Archive+"/") && strings.HasSuffix(req.URL.Path, ".json")
	}
	w.line.While(world.On(proofs, world.Refuse(403)), func() { w.try(key) })
	require.Equal(t, archive.Verdict(""), w.best(key, "ONNX"))
	require.NoError(t, w.Client.DeleteIteration(t.Context(), key.Project, key.Iteration))
	for range 3 {
		w.Service.Advance(24 * time.Hour)
		w.sweepAnyhow()
	}
	assert.Equal(t, archive.Proven, w.best(key, "ONNX"))
}

// A copy that waits for its facts is unproven, also while the exports can't be listed.
func TestACopyThatWaitsForItsFactsStaysCountedDuringAnOutage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.overLine()
	key := w.trained()
	w.export(key, "ONNX")
	facts := w.outage(503, "/performance")
	var swept Swept
	w.line.While(facts, func() { swept = w.sweepAnyhow() })
	require.Equal(t, 1, swept.Unproven)
	w.line.While(chainOf(facts, w.outage(400, "/export")), func() { swept = w.sweepAnyhow() })
	assert.Equal(t, 1, swept.Unproven)
}
