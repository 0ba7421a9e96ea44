package reconcile

import (
	"net/http"
	"slices"
	"strings"
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

const keepsTwo = `{"projects":[{"project":"*","exports":["ONNX"],"keep":2}]}`

// crowded is a project with so many trained iterations, the oldest first, each with its
// export in the archive.
func (w *app) crowded(n int) (project string, iterations []Key) {
	w.t.Helper()
	project = w.project(world.Compact)
	for range n {
		key := Key{Project: project, Iteration: w.Train(project).ID}
		w.settle(key)
		iterations = append(iterations, key)
	}
	return project, iterations
}

// listed are the iterations that the service has, by a person's look.
func (w *app) listed(project string) []string {
	w.t.Helper()
	list, err := w.Client.Iterations(w.t.Context(), project)
	require.NoError(w.t, err)
	var ids []string
	for _, it := range list {
		if it.Status != customvision.StatusNew {
			ids = append(ids, it.ID)
		}
	}
	return ids
}

// tombstones are how many of each kind the archive has of an iteration.
func (w *app) tombstones(key Key) (announced, done int) {
	w.t.Helper()
	pages := w.Containers.Archive.NewListBlobsFlatPager(nil)
	for pages.More() {
		page, err := pages.NextPage(w.t.Context())
		require.NoError(w.t, err)
		for _, item := range page.Segment.BlobItems {
			if !strings.HasPrefix(*item.Name, key.Project+"/"+key.Iteration+"/deletion-") {
				continue
			}
			if strings.HasSuffix(*item.Name, ".done.json") {
				done++
			} else {
				announced++
			}
		}
	}
	return announced, done
}

// full is what keeps a project from making room; nil where nothing does.
func (w *app) full(project string) *state.Condition {
	w.t.Helper()
	remembered := w.Remembered(project)
	return remembered.Condition(noRoom)
}

func TestTheOldestIsDeletedOnceItIsSafe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, keepsTwo)
	project, its := w.crowded(3)
	planned, _, err := New(w.options).Preview(t.Context(), Request{Key: Key{Project: project}})
	require.NoError(t, err)
	require.Len(t, planned, 1)
	assert.Equal(t, Delete, planned[0].Kind)
	assert.Equal(t, its[0].Iteration, planned[0].Iteration)
	assert.Contains(t, planned[0].Why, "the project has 3 iterations, and the policy keeps 2")
	assert.Len(t, w.listed(project), 3, "a plan deletes nothing")

	ctx, log := logged(t)
	_, err = New(w.options).Sweep(ctx, Before{})
	require.NoError(t, err)
	assert.Contains(t, log.String(), "deleted an iteration to make room")
	assert.ElementsMatch(t, []string{its[1].Iteration, its[2].Iteration}, w.listed(project))
	assert.Equal(t, map[string]archive.Verdict{"ONNX": archive.Proven}, w.backups(its[0]))

	stones, err := w.Archive.Tombstones(t.Context(), project)
	require.NoError(t, err)
	require.Len(t, stones, 1)
	assert.Equal(t, its[0].Iteration, stones[0].Iteration)
	assert.Equal(t, []string{w.kept(its[0])[0].Proof}, stones[0].Proofs)
	assert.NotNil(t, stones[0].Gone)
	assert.Contains(t, stones[0].Why, "the policy keeps 2")
	announced, done := w.tombstones(its[0])
	assert.Equal(t, []int{1, 1}, []int{announced, done})

	remembered := w.Remembered(project)
	d := remembered.Deletions[its[0].Iteration]
	require.NotNil(t, d)
	assert.False(t, d.Open())
	assert.Empty(t, remembered.Conditions)
	assert.True(t, onlyBlobs(remembered.Iterations[its[0].Iteration]), "but for what lies in the model container it is forgotten")

	calls := w.calls(func() { w.sweep() })
	assert.Zero(t, calls["DeleteIteration"], "two are left")
	assert.Zero(t, calls["GetExports"], "and need no look")
}

func TestOneIsDeletedWithEachSweep(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	project, its := w.crowded(4)
	w.options.Policy = parsed(t, strings.Replace(keepsTwo, `"keep":2`, `"keep":1`, 1))
	for left := 3; left > 0; left-- {
		calls := w.calls(func() { w.sweep() })
		assert.Equal(t, 1, calls["DeleteIteration"])
		assert.Len(t, w.listed(project), left)
	}
	w.sweep()
	assert.Equal(t, []string{its[3].Iteration}, w.listed(project), "the newest stays")
}

func TestAPolicyThatOnlyObservesDeletesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, keepsTwo)
	project, _ := w.crowded(3)
	w.options.Policy = parsed(t, strings.Replace(keepsTwo, `{"projects"`, `{"mode":"observe","projects"`, 1))
	ctx, log := logged(t)
	_, err := New(w.options).Sweep(ctx, Before{})
	require.NoError(t, err)
	assert.Contains(t, log.String(), "would delete, but the policy only observes")
	assert.Len(t, w.listed(project), 3)
}

func TestWhatIsDeletedIsNeitherPublishedNorNewestNorUnsafe(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before  func(w *app, its []Key)
		deleted int    // which one is deleted; -1 none
		why     string // why none is
	}{
		"the oldest is published": {func(w *app, its []Key) { w.publish(its[0], "live") }, 1, ""},
		"all but the newest are published": {func(w *app, its []Key) {
			w.publish(its[0], "live")
			w.publish(its[1], "before")
		}, -1, "each is published, or is the newest"},
		"an export is underway": {func(w *app, its []Key) {
			require.NoError(w.t, w.Service.Export(its[0].Project, its[0].Iteration, "CoreML", ""))
			w.publish(its[1], "live")
		}, -1, "CoreML is being exported"},
		"its package was written anew": {func(w *app, its []Key) {
			w.publish(its[1], "live")
			blob := w.kept(its[0])[0].Blob
			w.write(w.Containers.Archive, blob, w.read(w.Containers.Archive, blob))
			w.sweep()
			announced, _ := w.tombstones(its[0])
			assert.Zero(w.t, announced, "nothing was asked for")
		}, -1, "the archive is not as the proofs say"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, keepsTwo)
			project, its := w.crowded(3)
			c.before(w, its)
			w.sweepAnyhow()
			left := w.listed(project)
			if c.deleted >= 0 {
				assert.Len(t, left, 2)
				assert.NotContains(t, left, its[c.deleted].Iteration)
				return
			}
			assert.Len(t, left, 3)
			if full := w.full(project); assert.NotNil(t, full) {
				assert.Equal(t, state.Full, full.Code)
				assert.Contains(t, full.Why, c.why)
			}
		})
	}
}

// safely lets a request to delete an iteration through only after what of it would be lost
// was looked for, and lets it meet a fault.
func (w *app) safely(f world.Fault) world.Fault {
	return func(req *http.Request, send world.Send) (*http.Response, error) {
		id := world.Deletes(req)
		if id == "" {
			return send(req)
		}
		for _, p := range w.Service.View().Projects {
			assert.Empty(w.t, w.Unsaved(p.ID, id), "it is deleted, and with it")
		}
		return f(req, send)
	}
}

// deletions counts the requests that reached the service.
func (w *app) deletions(do func()) int { return w.calls(do)["DeleteIteration"] }

func TestALostAnswerToADeletionIsFoundByTheNextLook(t *testing.T) {
	t.Parallel()
	w := newWorld(t, keepsTwo)
	w.overLine()
	project, its := w.crowded(3)
	assert.Equal(t, 1, w.deletions(func() { w.line.While(w.safely(world.Lose), func() { w.sweepAnyhow() }) }))
	remembered := w.Remembered(project)
	require.NotNil(t, remembered.Deletions[its[0].Iteration])
	_, done := w.tombstones(its[0])
	assert.Zero(t, done+len(remembered.Deletions)-1, "nobody knows yet that it is gone")

	assert.Zero(t, w.deletions(func() { w.sweep() }))
	announced, done := w.tombstones(its[0])
	assert.Equal(t, []int{1, 1}, []int{announced, done})
	remembered = w.Remembered(project)
	assert.False(t, remembered.Deletions[its[0].Iteration].Open())
	assert.Empty(t, remembered.Conditions)
}

// The process dies before the announcement is in the archive, and a person deletes the
// iteration: nothing says that the app did.
func TestADeletionThatWasNotAnnouncedIsForgottenAfterAnHour(t *testing.T) {
	t.Parallel()
	w := newWorld(t, keepsTwo)
	w.overLine()
	project, its := w.crowded(3)
	w.line.While(dying(t, func(req *http.Request) bool { return strings.Contains(req.URL.Path, ".announced.json") }), func() { w.sweepAnyhow() })
	require.NoError(t, w.Client.DeleteIteration(t.Context(), project, its[0].Iteration))
	for _, after := range []time.Duration{0, 30 * time.Minute, 40 * time.Minute} {
		w.Service.Advance(after)
		w.sweepAnyhow()
		d := w.Remembered(project).Deletions[its[0].Iteration]
		assert.Equal(t, after == 40*time.Minute, d == nil, after)
	}
	announced, done := w.tombstones(its[0])
	assert.Zero(t, announced+done)
}

func TestADeletionThatNeverArrivedIsAskedForAgainAfterTheGrace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, keepsTwo)
	w.overLine()
	project, its := w.crowded(3)
	w.line.While(w.safely(world.Break), func() { w.sweepAnyhow() })
	assert.Zero(t, w.deletions(func() { w.sweep() }), "its sender may not be done yet")
	w.Service.Advance(10 * time.Minute)
	assert.Equal(t, 1, w.deletions(func() { w.line.While(w.safely(world.Pass), func() { w.sweep() }) }))
	assert.Len(t, w.listed(project), 2)
	announced, done := w.tombstones(its[0])
	assert.Equal(t, []int{2, 1}, []int{announced, done}, "each announcement has its own")
}

// What a person does at each instant of a deletion: after the app looked, after it
// announced it in the state and in the archive, and while the request is on its way.
func TestAPersonActsWhileAnIterationIsBeingDeleted(t *testing.T) {
	t.Parallel()
	inState := func(req *http.Request) bool {
		return req.Method == http.MethodPut && strings.Contains(req.URL.Path, "/projects/")
	}
	inArchive := func(req *http.Request) bool { return strings.Contains(req.URL.Path, ".announced.json") }
	request := func(req *http.Request) bool { return world.Deletes(req) != "" }
	export := func(w *app, its []Key) {
		require.NoError(w.t, w.Service.Export(its[0].Project, its[0].Iteration, "CoreML", ""))
	}
	publish := func(w *app, its []Key) { w.publish(its[0], "live") }
	remove := func(w *app, its []Key) {
		require.NoError(w.t, w.Client.DeleteIteration(w.t.Context(), its[0].Project, its[0].Iteration))
	}
	for name, c := range map[string]struct {
		at      func(*http.Request) bool
		does    func(w *app, its []Key)
		deleted bool // it is gone in the end
		refused bool // by the service
	}{
		"publishes it when it is announced in the state":   {inState, publish, false, false},
		"publishes it when it is announced in the archive": {inArchive, publish, false, false},
		"publishes it when the request is sent":            {request, publish, false, true},
		"exports it when it is announced in the archive":   {inArchive, export, false, false},
		"deletes it when it is announced in the archive":   {inArchive, remove, true, false},
		"deletes it when the request is sent":              {request, remove, true, false},
		"deletes all others when it is announced in the archive": {inArchive, func(w *app, its []Key) {
			require.NoError(w.t, w.Client.Unpublish(w.t.Context(), its[1].Project, its[1].Iteration))
			for _, other := range its[1:] {
				require.NoError(w.t, w.Client.DeleteIteration(w.t.Context(), other.Project, other.Iteration))
			}
		}, false, false},
		"trains when it is announced": {inArchive, func(w *app, its []Key) { w.Train(its[0].Project) }, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, keepsTwo)
			w.overLine()
			project, its := w.crowded(3)
			w.publish(its[1], "before")
			acted := world.On(c.at, world.Times(1, func(req *http.Request, send world.Send) (*http.Response, error) {
				c.does(w, its)
				return send(req)
			}))
			w.line.While(acted, func() { w.sweepAnyhow() })
			left := w.listed(project)
			assert.Equal(t, c.deleted, !slices.Contains(left, its[0].Iteration))
			remembered := w.Remembered(project)
			d, kept := remembered.Deletions[its[0].Iteration], remembered.Condition(roomOf(its[0].Iteration))
			_, done := w.tombstones(its[0])
			if c.deleted {
				assert.Equal(t, 1, done)
				assert.False(t, d.Open())
				return
			}
			assert.Nil(t, d, "nothing is announced any more")
			assert.Zero(t, done, "and no tombstone says that it is gone")
			w.Service.Advance(time.Hour)
			w.sweep()
			remembered = w.Remembered(project)
			switch {
			case c.refused:
				require.NotNil(t, kept)
				assert.Equal(t, state.DeletionRefused, kept.Code)
				assert.Nil(t, remembered.Condition(roomOf(its[0].Iteration)), "published, it isn't in question any more")
			case !slices.Contains(w.listed(project), its[0].Iteration): // once its export is in the archive
				assert.Equal(t, archive.Proven, w.backups(its[0])["CoreML"])
			}
		})
	}
}

// The list of exports lacks for one look what was being exported.
func TestAnExportThatTheListLacksIsNotLostWithItsIteration(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	w.overLine()
	project, its := w.crowded(3)
	w.publish(its[1], "live")
	w.options.Policy = parsed(t, keepsTwo)
	require.NoError(t, w.Service.Export(project, its[0].Iteration, "CoreML", ""))
	underway := each(func(e map[string]any) {
		if e["platform"] == "CoreML" {
			e["status"] = "Exporting"
		}
	})
	w.line.While(w.lists("/export", underway), func() { w.sweepAnyhow() })
	require.Len(t, w.listed(project), 3)
	w.Service.Advance(time.Hour)
	lacks := func(list []map[string]any) []map[string]any {
		return slices.DeleteFunc(list, func(e map[string]any) bool { return e["platform"] == "CoreML" })
	}
	w.line.While(w.lists("/export", lacks), func() { w.sweepAnyhow() })
	assert.Len(t, w.listed(project), 3)
	w.Service.Advance(24 * time.Hour)
	w.line.While(w.safely(world.Pass), func() { w.sweepAnyhow() })
	w.Service.Advance(24 * time.Hour)
	w.line.While(w.safely(world.Pass), func() { w.sweepAnyhow() })
	assert.Equal(t, archive.Proven, w.backups(its[0])["CoreML"])
	assert.Len(t, w.listed(project), 2, "it is deleted once that is in the archive")
}

func TestATrainingThatTheLimitRefusesBeginsOnceThereIsRoom(t *testing.T) {
	t.Parallel()
	for name, makeRoom := range map[string]func(w *app, its []Key){
		"a person makes it": func(w *app, its []Key) {
			require.NoError(w.t, w.Client.DeleteIteration(w.t.Context(), its[0].Project, its[0].Iteration))
		},
		"the app makes it": func(w *app, its []Key) {
			w.options.Policy = parsed(w.t, `{"projects":[{"project":"*","retrain":{"afterFailure":1},"keep":20}]}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, `{"projects":[{"project":"*","retrain":{"afterFailure":1}}]}`)
			w.overLine()
			project := w.project(world.Compact)
			var its []Key
			for range mostIterations - 2 {
				its = append(its, Key{Project: project, Iteration: w.Train(project).ID})
			}
			w.export(its[0], "ONNX")
			w.settle(its[0])
			w.Service.FailTrainings(2)
			failed := Key{Project: project, Iteration: w.Train(project).ID}
			failed.Iteration = w.Train(project).ID
			w.sweep()
			c := w.condition(failed, "")
			require.Equal(t, state.Full, c.Code)
			assert.Contains(t, c.Why, "keep")
			require.Equal(t, mostIterations, len(w.listed(project)))

			makeRoom(w, its)
			calls := w.calls(func() { w.line.While(w.safely(world.Pass), func() { w.sweep() }) })
			assert.Equal(t, 1, calls["TrainProject"], "at once")
			assert.Empty(t, w.condition(failed, "").Code)
		})
	}
}

// An export that was asked for may be there though the list lacks it for one look.
func TestNothingIsDeletedWhileTheListLacksAnExportThatWasAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, keepsTwo)
	w.overLine()
	project, its := w.crowded(3)
	w.Service.StallExports(1)
	require.NoError(t, w.ask(its[0], Ask{Exports: []string{"CoreML"}}).Err(""))
	w.publish(its[1], "live")
	w.Service.Advance(time.Hour)
	lacks := w.lists("/iterations/"+its[0].Iteration+"/export", func(list []map[string]any) []map[string]any {
		return slices.DeleteFunc(list, func(e map[string]any) bool { return e["platform"] == "CoreML" })
	})
	assert.Zero(t, w.deletions(func() { w.line.While(lacks, func() { w.sweep() }) }))
	require.NotNil(t, w.full(project))
	assert.Contains(t, w.full(project).Why, "CoreML was being exported, and isn't in the list")
	w.Service.FinishNow(emulator.Scope{})
	for range 2 {
		w.Service.Advance(2 * time.Hour)
		w.line.While(w.safely(world.Pass), func() { w.sweep() })
	}
	assert.NotContains(t, w.listed(project), its[0].Iteration, "once it is archived")
}

// Nothing comes of looking again and again at what is only said.
func TestAFullProjectThatIsOnlyObservedRests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, keepsTwo)
	project, _ := w.crowded(3)
	w.options.Policy = parsed(t, strings.Replace(keepsTwo, `{"projects"`, `{"mode":"observe","projects"`, 1))
	says := func() bool {
		t.Helper()
		ctx, log := logged(t)
		swept, err := New(w.options).Sweep(ctx, Before{Lists: w.seen})
		require.NoError(t, err)
		w.seen = swept.Lists
		return strings.Contains(log.String(), "would delete")
	}
	assert.True(t, says())
	calls := w.calls(func() {
		for range 5 {
			assert.False(t, says())
			w.Service.Advance(2 * time.Hour)
		}
	})
	assert.Zero(t, calls["GetExports"])
	w.Train(project)
	assert.True(t, says(), "there is another one")
	w.Service.Advance(w.options.Times.SettledFor)
	assert.True(t, says(), "after a week at most")
	planned, _, err := New(w.options).Preview(t.Context(), Request{Key: Key{Project: project}})
	require.NoError(t, err)
	assert.Contains(t, steps(planned), "delete", "whoever asks is told at any time")
}

// The service may allow fewer iterations than it says.
func TestATrainingThatIsRefusedForALowerLimitRests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","retrain":{"afterFailure":1}}]}`)
	project := w.project(world.Compact)
	first := w.Train(project).ID
	w.sweep()
	w.Service.FailTrainings(1)
	failed := Key{project, w.Train(project).ID}
	require.NoError(t, w.Service.FaultCalls("TrainProject", 100, emulator.CallFault{Status: http.StatusBadRequest, Code: "BadRequestExceedIterationPerProjectLimit"}))
	asked := func(sweeps int, every time.Duration) int {
		return w.calls(func() {
			for range sweeps {
				w.sweep()
				w.Service.Advance(every)
			}
		})["TrainProject"]
	}
	assert.Equal(t, 1, asked(5, time.Second))
	require.Equal(t, state.Full, w.condition(failed, "").Code)
	assert.Less(t, asked(50, 15*time.Minute), 5, "the pauses grow")
	require.NoError(t, w.Client.DeleteIteration(t.Context(), project, first))
	assert.Equal(t, 1, asked(1, time.Second), "room was made")
	assert.Zero(t, asked(5, time.Second))
}
