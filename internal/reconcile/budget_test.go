package reconcile

import (
	"net/http"
	"strconv"
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
	"visionkeeper/internal/zipfile"
)

const onnx = `{"projects":[{"project":"*","exports":["ONNX"],"retrain":{"afterFailure":1}}]}`

func TestWhatABackupCosts(t *testing.T) {
	t.Parallel()
	// Large enough that identifying takes its head and its end.
	w := newWorld(t, onnx, func(o *emulator.Options) { o.ModelSize = 1 << 20 })
	key := w.trained()
	w.reconcile(key) // which asks for the export
	w.Service.Advance(world.ExportTime)

	var read atomic.Int64
	w.line.Use(func(r *http.Request, send world.Send) (*http.Response, error) {
		resp, err := send(r)
		if err == nil && r.Method == http.MethodGet {
			read.Add(resp.ContentLength)
		}
		return resp, err
	})
	requests, calls := w.cost(func() { w.reconcile(key) })
	assert.Equal(t, map[string]archive.Verdict{"ONNX": archive.Proven}, w.backups(key))
	assert.NotNil(t, w.Remembered(key.Project).Iterations[key.Iteration].Settled)
	assert.Equal(t, map[string]int{"state GET": 1, "archive GET list": 1, "models GET": 2, "archive PUT": 2, "archive GET": 1, "state PUT": 1}, requests)
	assert.Equal(t, map[string]int{"GetIterations": 1, "GetExports": 1}, calls)
	beside := read.Load() - w.kept(key)[0].Size
	assert.LessOrEqual(t, beside, int64(64<<10+zipfile.TailSize+8<<10), "the package once, its two ends, the state and a listing")
	assert.Positive(t, beside)
}

// cost is what a cause costs: requests by container and kind, and calls of the service.
func (w *app) cost(cause func()) (requests, calls map[string]int) {
	w.t.Helper()
	requests = map[string]int{}
	for _, r := range w.line.During(func() { calls = w.calls(cause) }) {
		container, _, _ := strings.Cut(strings.Split(r.URL.Path, "/")[2], "-")
		requests[strings.TrimSpace(container+" "+r.Method+" "+r.URL.Query().Get("comp"))]++
	}
	return requests, calls
}

func TestWhatAFollowUpExportCosts(t *testing.T) {
	t.Parallel()
	for name, exports := range map[string]int{`"ONNX"`: 1, `"ONNX","CoreML"`: 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, `{"projects":[{"project":"*","exports":[`+name+`]}]}`)
			key := w.trained()
			requests, calls := w.cost(func() { w.reconcile(key) })
			assert.Equal(t, map[string]int{"state GET": 1, "archive GET list": 1, "state PUT": 1 + exports}, requests)
			assert.Equal(t, map[string]int{"GetProject": 1, "GetIterations": 1, "GetExports": 1, "ExportIteration": exports,
				"GetDomain": 1, "GetTags": 1, "GetIterationPerformance": 1}, calls, "with what proofs record")
		})
	}
}

func TestWhatNewPackagesCostASweep(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 3} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "", func(o *emulator.Options) { o.ModelSize = 1 << 20 })
			project := w.project(world.Compact)
			w.sweep()
			for range n {
				w.export(Key{Project: project, Iteration: w.Train(project).ID}, "ONNX")
			}
			requests, calls := w.cost(func() { w.sweep() })
			assert.Equal(t, map[string]int{"models GET list": 1, "state GET list": 1, "state GET": 1, "archive GET list": 1,
				"models GET": 2 * n, "archive PUT": 2 * n, "archive GET": n, "state PUT": n}, requests)
			assert.Equal(t, map[string]int{"GetProjects": 1, "GetIterations": 1, "GetDomain": 1,
				"GetExports": n, "GetTags": n, "GetIterationPerformance": n}, calls)
		})
	}
}

func TestWhatABackupCostsThatOnlyTheDownloadLinkLeadsTo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx, func(o *emulator.Options) { o.ModelSize = 1 << 20 })
	p, err := w.Client.CreateProject(t.Context(), customvision.CreateProjectOptions{Name: "no container", DomainID: world.Compact})
	require.NoError(t, err)
	require.NoError(t, New(w.options).ConnectionTested(t.Context(), p.ID))
	key := Key{Project: p.ID, Iteration: w.Train(p.ID).ID}
	w.reconcile(key)
	w.Service.Advance(world.ExportTime)

	requests := w.line.During(func() { w.reconcile(key) })
	assert.Equal(t, map[string]archive.Verdict{"ONNX": archive.Proven}, w.backups(key))
	assert.LessOrEqual(t, len(requests), 8, requests)
}

// The project is connected, but its container doesn't hold the export: it is older, or
// its blob was moved away. A sweep knows that by its listing; a message's run looks for
// it once, by the form of name that the project's other blobs have.
func TestWhatABackupByLinkCostsThatTheContainerDoesNotHold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		run  func(*app, Key)
		most int
	}{
		"a sweep":   {func(w *app, _ Key) { w.sweep() }, 8 + 1 + 1}, // its listing, and the note that it was begun
		"a message": {func(w *app, key Key) { w.reconcile(key) }, 8 + 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, onnx, func(o *emulator.Options) { o.ModelSize = 1 << 20 })
			before := w.trained()
			w.settle(before)
			w.sweep()
			key := Key{Project: before.Project, Iteration: w.Train(before.Project).ID}
			w.reconcile(key)
			w.Service.Advance(world.ExportTime)
			_, err := w.Containers.Models.NewBlobClient(w.blob(key, "ONNX")).Delete(t.Context(), nil)
			require.NoError(t, err)
			requests := w.line.During(func() { c.run(w, key) })
			assert.Equal(t, map[string]archive.Verdict{"ONNX": archive.Proven}, w.backups(key))
			assert.LessOrEqual(t, len(requests), c.most, requests)
		})
	}
}

func TestWhatABackupOfAnArtifactCosts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx, answering(emulator.DownloadURI, "relative"), func(o *emulator.Options) { o.ModelSize = 1 << 20 })
	p, err := w.Client.CreateProject(t.Context(), customvision.CreateProjectOptions{Name: "no container", DomainID: world.Compact})
	require.NoError(t, err)
	require.NoError(t, New(w.options).ConnectionTested(t.Context(), p.ID))
	key := Key{Project: p.ID, Iteration: w.Train(p.ID).ID}
	w.reconcile(key)
	w.Service.Advance(world.ExportTime)

	var calls map[string]int
	requests := w.line.During(func() {
		calls = w.calls(func() { w.reconcile(key) })
	})
	assert.Equal(t, map[string]archive.Verdict{"ONNX": archive.Proven}, w.backups(key))
	assert.LessOrEqual(t, len(requests), 8, requests)
	assert.Equal(t, map[string]int{"GetIterations": 1, "GetExports": 1, "GetArtifact": 2}, calls)
}

func TestASettledIterationCostsASweepNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","exports":["ONNX"],"iterations":["all"]}]}`)
	sweep := func() (requests, calls int) {
		sent := w.line.During(func() {
			for _, n := range w.calls(func() {
				swept, err := New(w.options).Sweep(t.Context(), Before{})
				require.NoError(t, err)
				require.Equal(t, 1, swept.Covered)
			}) {
				calls += n
			}
		})
		return len(sent), calls
	}
	key := w.trained()
	w.settle(key)
	requests, calls := sweep()
	for range 4 {
		w.settle(Key{Project: key.Project, Iteration: w.Train(key.Project).ID})
	}
	withFive, callsWithFive := sweep()
	assert.Equal(t, requests, withFive)
	assert.Equal(t, calls, callsWithFive)
	assert.Len(t, w.backups(Key{Project: key.Project}), 1)
	assert.Len(t, w.kept(Key{Project: key.Project}), 5, "all of them are archived")
}

func TestProjectsInWhichNothingIsLeftToDoCostASweepOneListing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	w.settle(w.trained())
	w.sweep()
	alone := len(w.line.During(func() { require.Equal(t, 1, w.sweep()) }))
	for range 4 {
		w.settle(w.trained())
	}
	w.sweep()
	assert.Len(t, w.line.During(func() { require.Equal(t, 5, w.sweep()) }), alone)
	assert.Equal(t, 2, alone, "one of the state, one of the model container")
}

// What another process did since the sweep listed the state isn't done again.
func TestWhatOthersDidSinceASweepListedTheStateIsNotDoneAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	key := w.trained()
	w.settle(key)
	w.sweep()
	states, err := w.options.State.List(t.Context(), w.options.Clock.Now)
	require.NoError(t, err)

	next := Key{Project: key.Project, Iteration: w.Train(key.Project).ID}
	others := w.options
	others.State = state.Open(w.Archives.Blobs(nil), w.Names.State)
	_, err = New(others).Reconcile(t.Context(), Request{Key: next}) // which asks for the export
	require.NoError(t, err)
	asked := w.Remembered(key.Project).Iterations[next.Iteration].Exports["ONNX"]

	calls := w.calls(func() {
		swept, err := New(w.options).Sweep(t.Context(), Before{States: states})
		require.NoError(t, err)
		require.Equal(t, 1, swept.Covered)
	})
	assert.Zero(t, calls["ExportIteration"])
	assert.Equal(t, asked, w.Remembered(key.Project).Iterations[next.Iteration].Exports["ONNX"])
	w.settle(next)
	assert.Equal(t, map[string]archive.Verdict{"ONNX": archive.Proven}, w.backups(next))
}

func TestWhileSomethingNeverEndsTheServiceIsAskedSeldom(t *testing.T) {
	t.Parallel()
	for name, stall := range map[string]func(*app) Key{
		"training": func(w *app) Key {
			w.Service.StallTrainings(1)
			return w.trained()
		},
		"export": func(w *app) Key {
			w.Service.StallExports(1)
			return w.trained()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, onnx)
			key := stall(w)
			r := New(w.options)
			begin, from := w.Service.Now(), len(w.Service.Requests())
			for range 30 {
				report, err := r.Reconcile(t.Context(), Request{Key: key})
				require.NoError(t, err)
				require.NotEmpty(t, report.Waiting)
				w.Service.SetTime(w.Service.Now().Add(4 * time.Second))
			}
			require.GreaterOrEqual(t, w.Service.Now().Sub(begin), 2*time.Minute)
			last := map[string]time.Time{}
			looks := 0
			for _, request := range w.Service.Requests()[from:] {
				if before, ok := last[request.Operation]; ok {
					assert.GreaterOrEqual(t, request.Time.Sub(before), 10*time.Second, request.Operation)
				}
				if last[request.Operation] = request.Time; request.Operation == "GetIterations" {
					looks++
				}
			}
			assert.Equal(t, 30, looks, "each of the calls was answered by a look of its own")
		})
	}
}

// Copies of a message that were sent before the look which showed that there is nothing
// to do about a failed training, or that it is answered, cost one read of the state.
func TestAMessageAboutAFailedTrainingThatIsSettledCostsNoCall(t *testing.T) {
	t.Parallel()
	for name, rules := range map[string]string{
		"nothing is to be done": "",
		"it is answered":        `{"projects":[{"project":"*","exports":[],"retrain":{"afterFailure":1}}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, rules)
			project := w.project(world.Compact)
			w.Service.FailTrainings(1)
			key := Key{Project: project, Iteration: w.Train(project).ID}
			sent := w.Service.Now()
			w.Service.Advance(time.Minute)
			w.reconcile(key)
			for range 3 {
				requests := w.line.During(func() {
					_, err := New(w.options).Reconcile(t.Context(), Request{Key: key, Inserted: sent})
					require.NoError(t, err)
				})
				assert.Len(t, requests, 1, requests)
			}
			calls := w.calls(func() {
				_, err := New(w.options).Reconcile(t.Context(), Request{Key: key, Inserted: w.Service.Now().Add(time.Minute)})
				require.NoError(t, err)
			})
			assert.NotEmpty(t, calls, "one that was sent after the look is a look")
		})
	}
}

// A person may make due what couldn't be done: the next message tries it, be it a copy of one
// that this process answered a moment ago.
func TestACopyOfAMessageTriesWhatAPersonMadeDue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	project := w.project("a8e3c40f-fb4a-466f-832a-5e457ae4a344") // General, which is not a compact one
	key := Key{Project: project, Iteration: w.Train(project).ID}
	sent := Request{Key: key, Inserted: w.Service.Now()}
	w.Service.Advance(time.Minute)
	r := New(w.options)
	deal := func() Report {
		report, err := r.Reconcile(t.Context(), sent)
		require.NoError(t, err)
		return report
	}
	deal()
	require.Equal(t, state.NotExportable, w.condition(key, "").Code)
	require.True(t, deal().Seen)

	person := w.options
	person.State = state.Open(w.Archives.Blobs(nil), w.Names.State)
	n, err := New(person).Retry(t.Context(), project, state.Scope{})
	require.NoError(t, err)
	require.Equal(t, 1, n)
	assert.False(t, deal().Seen, "it is tried")
}
