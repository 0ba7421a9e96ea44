package reconcile

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

// later sweeps every two days for two weeks, whatever fails.
func (w *app) later() {
	w.t.Helper()
	for range 8 {
		w.sweepAnyhow()
		w.Service.Advance(2 * 24 * time.Hour)
	}
	w.sweepAnyhow()
}

// best is the best verdict of an export's copies.
func (w *app) best(key Key, name string) archive.Verdict {
	w.t.Helper()
	best := archive.Verdict("none")
	order := []archive.Verdict{archive.Proven, archive.Intact, "", archive.Unidentified, archive.Damaged, archive.Lost, "none"}
	for _, b := range w.kept(key) {
		if b.Key.String() == name && slices.Index(order, b.Verdict) < slices.Index(order, best) {
			best = b.Verdict
		}
	}
	return best
}

func TestAPlatformHeldByAnUnknownStatusIsFreedAfterATime(t *testing.T) {
	t.Parallel()
	for _, status := range []any{"Canceled", "Queued", "", nil} {
		t.Run(fmt.Sprintf("%v", status), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, `{"projects":[{"project":"*","exports":["ONNX.ONNX12"]}]}`)
			w.overLine()
			key := w.trained()
			w.export(key, "ONNX")
			w.line.Use(w.lists("/export", each(func(e map[string]any) {
				if e["flavor"] == nil {
					e["status"] = status
				}
			})))
			w.later()
			assert.Equal(t, 2, w.Service.Counts()["ExportIteration"], "ONNX12 is asked for")
		})
	}
}

func TestAnIterationThatIsListedTwiceIsExportedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	w.overLine()
	key := w.trained()
	w.line.Use(w.lists("/iterations", func(list []map[string]any) []map[string]any { return append(list, list...) }))
	report, err := w.try(key)
	t.Log(steps(report.Done), err)
	assert.Equal(t, 1, w.Service.Counts()["ExportIteration"], "refused ones counted")
}

func TestARenameBetweenTwoEffects(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"in","exports":["CoreML","ONNX"]}]}`)
	w.overLine()
	p := w.Create(customvision.CreateProjectOptions{Name: "in", ExportModelContainerURI: w.Containers.Models.URL()})
	require.NoError(t, New(w.options).ConnectionTested(t.Context(), p.ID))
	key := Key{Project: p.ID, Iteration: w.Train(p.ID).ID}
	var met atomic.Bool
	w.line.Use(world.On(func(req *http.Request) bool { return req.Method == http.MethodPost }, func(req *http.Request, send world.Send) (*http.Response, error) {
		resp, err := send(req)
		if met.CompareAndSwap(false, true) {
			p.Name = "out"
			_, renamed := w.Client.UpdateProject(context.Background(), p.ID, p)
			assert.NoError(t, renamed)
			w.Service.Advance(time.Minute)
		}
		return resp, err
	}))
	w.try(key)
	assert.Equal(t, 1, w.Service.Counts()["ExportIteration"], "the second is sent a minute after the rename")
}

func TestAPersonsExportBetweenTwoEffects(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","exports":["CoreML","ONNX"]}]}`)
	w.overLine()
	key := w.trained()
	var met atomic.Bool
	w.line.Use(world.On(func(req *http.Request) bool { return req.Method == http.MethodPost }, func(req *http.Request, send world.Send) (*http.Response, error) {
		resp, err := send(req)
		if met.CompareAndSwap(false, true) {
			other := "ONNX"
			if req.URL.Query().Get("platform") == "ONNX" {
				other = "CoreML"
			}
			w.export(key, other)
			w.Service.Advance(time.Minute)
		}
		return resp, err
	}))
	w.try(key)
	assert.Equal(t, 2, w.Service.Counts()["ExportIteration"], "ours and the person's, refused ones counted")
}

func TestAFailureThatTheListLacksForOneLookStaysOld(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.overLine()
	w.Service.FailTrainings(1)
	failed := w.trained()
	w.sweep()
	w.line.While(w.lists("/iterations", func([]map[string]any) []map[string]any { return []map[string]any{} }), func() { w.sweep() })
	w.Service.Advance(60 * 24 * time.Hour)
	w.options.Policy = parsed(t, `{"projects":[{"project":"*","retrain":{"afterFailure":1}}]}`)
	renamed := w.lists("/iterations", each(func(it map[string]any) {
		it["name"], it["lastModified"] = "another name", w.Service.Now().Format(time.RFC3339)
	}))
	w.line.While(renamed, func() {
		w.sweep()
		w.reconcile(failed)
	})
	assert.Equal(t, 1, w.Service.Counts()["TrainProject"], "the person's")
}

func TestWhatIsUnprovenStaysCountedDuringAnOutage(t *testing.T) {
	t.Parallel()
	for _, paths := range [][]string{{"/projects", "/iterations"}, {"/iterations"}, {"/export"}} {
		t.Run(paths[0], func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, onnx)
			w.overLine()
			key := w.unconnected()
			w.export(key, "ONNX")
			w.line.While(w.lists("/export", each(without("downloadUri"))), func() { w.sweepAnyhow() })
			before := w.condition(key, "ONNX")
			require.True(t, before.Unproven)
			w.Service.Advance(time.Hour)
			w.line.Use(w.outage(400, paths...))
			swept := w.sweepAnyhow()
			assert.Equal(t, 1, swept.Unproven)
			assert.Equal(t, 1+len(paths), swept.Blocked, "and what couldn't be looked at")
			assert.Len(t, swept.Conditions, swept.Blocked)
			assert.WithinDuration(t, w.Service.Now(), swept.Oldest, 2*time.Hour)
			assert.False(t, swept.Oldest.IsZero())
		})
	}
}

func TestAnIterationWhoseCallsHangHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/performance", "/export"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, `{"projects":[{"project":"*","exports":[]}]}`)
			w.overLine()
			project := w.project(world.Compact)
			var keys []Key
			for range 3 {
				key := Key{Project: project, Iteration: w.Train(project).ID}
				w.export(key, "ONNX")
				keys = append(keys, key)
			}
			// The one that is looked at first.
			slices.SortFunc(keys, func(a, b Key) int { return strings.Compare(a.Iteration, b.Iteration) })
			hang := keys[0].Iteration
			if path == "/performance" { // in the order of the list
				all, err := w.Client.Iterations(t.Context(), project)
				require.NoError(t, err)
				hang = all[0].ID
			}
			w.line.Use(world.On(ending(hang+path), func(req *http.Request, _ world.Send) (*http.Response, error) {
				<-req.Context().Done()
				return nil, req.Context().Err()
			}))
			r := New(w.options)
			for range 6 {
				ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
				r.Sweep(ctx, Before{})
				cancel()
				w.Service.Advance(time.Hour)
			}
			for _, key := range keys {
				if key.Iteration != hang {
					assert.NotEqual(t, archive.Verdict("none"), w.best(key, "ONNX"), "a good neighbour isn't even copied")
				}
			}
		})
	}
}

func TestARefusalThatNobodyTriesAgainCostsASweepNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	key := w.trained()
	require.NoError(t, w.Service.FaultCalls("ExportIteration", 1, emulator.CallFault{Status: 400, Code: "BadRequestExceededQuota"}))
	w.sweep()
	require.Equal(t, state.ExportRefused, w.condition(key, "ONNX").Code)
	w.options.Policy = parsed(t, `{"mode":"observe","projects":[{"project":"*","exports":["ONNX"]}]}`)
	w.sweep()
	for range 3 {
		w.Service.Advance(time.Hour)
		calls := w.calls(func() { w.sweep() })
		assert.Zero(t, calls["GetExports"], "%v", calls)
	}
}

func TestAnIterationThatCannotBeLookedAtDoesNotKeepLostStateLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","exports":["ONNX"],"iterations":["all"],"retrain":{"afterFailure":1}}]}`)
	w.overLine()
	old := w.trained()
	w.loseState(old.Project)
	w.line.Use(world.On(ending(old.Iteration+"/export"), world.Refuse(400)))
	w.later()
	w.Service.FailTrainings(1)
	failed := Key{Project: old.Project, Iteration: w.Train(old.Project).ID}
	before := w.Service.Counts()["TrainProject"]
	w.try(failed)
	w.sweepAnyhow()
	assert.Equal(t, before+1, w.Service.Counts()["TrainProject"], "what fails two weeks later is answered")
}

func TestAnOldIterationIsNoAnswerToATraining(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","retrain":{"afterFailure":1}}]}`)
	w.overLine()
	old := w.trained()
	w.settle(old)
	w.Service.FailTrainings(1)
	failed := Key{Project: old.Project, Iteration: w.Train(old.Project).ID}
	before := w.Service.Counts()["TrainProject"]
	require.NoError(t, w.Service.FaultCalls("TrainProject", 1, emulator.CallFault{Status: 503}))
	w.line.While(w.lists("/iterations", func(list []map[string]any) []map[string]any {
		return slices.DeleteFunc(list, func(it map[string]any) bool { return it["id"] == old.Iteration })
	}), func() { w.try(failed) })
	require.Equal(t, before+1, w.Service.Counts()["TrainProject"])
	for range 4 {
		w.Service.Advance(time.Hour)
		w.sweepAnyhow()
	}
	assert.Equal(t, before+2, w.Service.Counts()["TrainProject"], "%+v", w.Remembered(old.Project).Trainings[0])
}

func TestAProjectThatIsListedTwiceIsSweptOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.overLine()
	key := w.trained()
	w.export(key, "ONNX")
	w.line.Use(w.lists("/export", each(func(e map[string]any) { delete(e, "downloadUri") })))
	long := w.blob(key, strings.Repeat("x", 65))
	w.write(w.Containers.Models, long, []byte("anything"))
	w.tier(w.blob(key, "ONNX"), "Archive")
	w.sweep()
	before := len(w.Remembered(key.Project).Conditions)
	require.Equal(t, 3, before)
	w.line.Use(chainOf(w.lists("/export", each(func(e map[string]any) { delete(e, "downloadUri") })),
		w.lists("/projects", func(list []map[string]any) []map[string]any { return append(list, list...) })))
	swept := w.sweepAnyhow()
	assert.Equal(t, 1, swept.Projects)
	assert.Equal(t, 1, swept.Unproven)
	assert.Len(t, w.Remembered(key.Project).Conditions, before, "a blob's condition stays")
}

func TestAFailureIsNotAnsweredOnceItsTrainingIsForgotten(t *testing.T) {
	t.Parallel()
	for name, known := range map[string]bool{"it was answered before": true, "it is from before the app": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, `{"projects":[{"project":"*","exports":[],"retrain":{"afterFailure":1,"within":"8760h"}}]}`)
			project := w.Create(customvision.CreateProjectOptions{ExportModelContainerURI: w.Containers.Models.URL()}).ID
			if known {
				require.NoError(t, New(w.options).ConnectionTested(t.Context(), project))
			}
			remove := func(id string) { require.NoError(t, w.Client.DeleteIteration(t.Context(), project, id)) }
			w.Service.FailTrainings(1)
			old := w.Train(project).ID
			w.sweep()
			w.Service.Advance(time.Hour)
			w.sweep()
			if known {
				trainings := w.Remembered(project).Trainings
				require.Len(t, trainings, 1)
				require.NotEmpty(t, trainings[0].Result)
			}
			w.Service.Advance(61 * 24 * time.Hour)
			w.Service.FailTrainings(1)
			w.Train(project)
			w.sweep() // answers the young failure
			w.Service.Advance(time.Hour)
			w.sweep()
			all, err := w.Client.Iterations(t.Context(), project)
			require.NoError(t, err)
			for _, it := range all { // a person tidies up
				if it.ID != old {
					remove(it.ID)
				}
			}
			before := w.Service.Counts()["TrainProject"]
			w.sweep()
			w.Service.Advance(time.Hour)
			w.sweep()
			assert.Equal(t, before, w.Service.Counts()["TrainProject"], "the failure is two months old, and answered or past")
		})
	}
}

func TestWhenAProjectWasFirstSeenIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","exports":[],"retrain":{"afterFailure":1}}]}`)
	project := w.Create(customvision.CreateProjectOptions{ExportModelContainerURI: w.Containers.Models.URL()}).ID
	w.Train(project)
	archives := func(req *http.Request) bool {
		return req.Method == http.MethodGet && strings.HasSuffix(req.URL.Path, "/"+w.Names.Archive)
	}
	w.line.While(world.On(archives, world.Refuse(403)), func() { w.sweepAnyhow() })
	w.Service.FailTrainings(1)
	failed := Key{Project: project, Iteration: w.Train(project).ID}
	before := w.Service.Counts()["TrainProject"]
	w.sweep()
	w.reconcile(failed)
	assert.Equal(t, before+1, w.Service.Counts()["TrainProject"], "%+v", w.Remembered(project).Trainings)
}

func TestWhenAFailureWasFirstSeenIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","exports":["ONNX"],"iterations":["all"]}]}`)
	w.overLine()
	key := w.trained()
	w.sweep()
	w.Service.FailTrainings(1)
	failed := Key{Project: key.Project, Iteration: w.Train(key.Project).ID}
	archives := func(req *http.Request) bool {
		return req.Method == http.MethodGet && strings.HasSuffix(req.URL.Path, "/"+w.Names.Archive)
	}
	w.line.While(world.On(archives, world.Refuse(403)), func() {
		for range 10 {
			w.sweepAnyhow()
			w.Service.Advance(24 * time.Hour)
		}
	})
	w.options.Policy = parsed(t, `{"projects":[{"project":"*","retrain":{"afterFailure":1}}]}`)
	before := w.Service.Counts()["TrainProject"]
	w.line.While(w.lists("/iterations", each(func(it map[string]any) {
		if it["id"] == failed.Iteration {
			it["name"], it["lastModified"] = "another name", w.Service.Now().Format(time.RFC3339)
		}
	})), func() { w.sweep() })
	assert.Equal(t, before, w.Service.Counts()["TrainProject"], "it failed ten days ago, and was seen then")
}
