package reconcile

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite"
	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
)

// during does something once, while the app copies a package, which takes a minute.
func (w *app) during(do func()) world.Fault {
	var met atomic.Bool
	return func(req *http.Request, send world.Send) (*http.Response, error) {
		if world.Copies(req) && met.CompareAndSwap(false, true) {
			do()
			w.Service.Advance(time.Minute)
		}
		return send(req)
	}
}

// exportedAndFailed is a project with an export to be archived and a failed training.
func exportedAndFailed(w *app) (exported, failed Key) {
	exported = w.trained()
	w.export(exported, "CoreML")
	w.Service.FailTrainings(1)
	failed = Key{Project: exported.Project, Iteration: w.Train(exported.Project).ID}
	return exported, failed
}

func TestAPersonsTrainingWhileBackupsRunIsTheAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","retrain":{"afterFailure":1}}]}`)
	_, failed := exportedAndFailed(w)
	trainings := 0
	w.line.While(w.during(func() {
		w.Train(failed.Project) // to the end
		trainings = w.Service.Counts()["TrainProject"]
	}), func() { w.reconcile(Key{Project: failed.Project}) })
	require.NotZero(t, trainings)
	w.sweep()
	assert.Equal(t, trainings, w.Service.Counts()["TrainProject"], "no second one is sent, not even one that is refused")
	assert.Empty(t, w.Remembered(failed.Project).Trainings)
}

func TestAPersonsExportWhileBackupsRunIsNotAskedForAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	key := w.trained()
	w.export(key, "CoreML")
	w.line.While(w.during(func() { w.export(key, "ONNX") }), func() { w.reconcile(key) })
	w.settle(key)
	assert.Equal(t, 2, w.Service.Counts()["ExportIteration"], "the person's two, refused ones counted")
	assert.Equal(t, map[string]archive.Verdict{"CoreML": archive.Proven, "ONNX": archive.Proven}, w.backups(key))
}

// Messages about a project that was renamed out of the policy ask for nothing, even if
// the rename comes while backups run.
func TestAProjectRenamedOutOfThePolicyIsNeitherTrainedNorExported(t *testing.T) {
	t.Parallel()
	for name, atOnce := range map[string]bool{"before": true, "while backups run": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, `{"projects":[{"project":"in","exports":["ONNX"],"iterations":["all"],"retrain":{"afterFailure":1}}]}`)
			p := w.Create(customvision.CreateProjectOptions{Name: "in", ExportModelContainerURI: w.Containers.Models.URL()})
			require.NoError(t, New(w.options).ConnectionTested(t.Context(), p.ID))
			key := Key{Project: p.ID, Iteration: w.Train(p.ID).ID}
			w.export(key, "CoreML")
			w.Service.FailTrainings(1)
			failed := Key{Project: p.ID, Iteration: w.Train(p.ID).ID}
			require.Equal(t, "in", w.Remembered(p.ID).Name)
			exports, trainings := w.Service.Counts()["ExportIteration"], w.Service.Counts()["TrainProject"]
			rename := func() {
				p.Name = "out"
				_, err := w.Client.UpdateProject(t.Context(), p.ID, p)
				require.NoError(t, err)
			}
			if atOnce {
				rename()
				rename = func() {}
			}
			w.line.While(w.during(rename), func() {
				for _, k := range []Key{key, failed, key} {
					w.reconcile(k)
				}
			})
			assert.Equal(t, exports, w.Service.Counts()["ExportIteration"])
			assert.Equal(t, trainings, w.Service.Counts()["TrainProject"])
			assert.Equal(t, "out", w.Remembered(p.ID).Name)
			assert.True(t, w.reconcile(key).Outside)
		})
	}
}

// changing is a policy that a person changes.
type changing struct{ atomic.Pointer[policy.Policy] }

func (c *changing) Now(context.Context) (policy.InForce, error) {
	return policy.InForce{Policy: *c.Load()}, nil
}

func TestAPolicyChangedWhileBackupsRunCountsForWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"it only observes": `{"mode":"observe","projects":[{"project":"*","exports":["ONNX"]}]}`,
		"other exports":    `{"projects":[{"project":"*","exports":["CoreML"]}]}`,
		"no rule":          `{"projects":[{"project":"another"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "")
			var now changing
			before, after := parsed(t, onnx), parsed(t, text)
			now.Store(&before)
			w.options.Policy = &now
			key := w.trained()
			w.export(key, "CoreML")
			w.line.While(w.during(func() { now.Store(&after) }), func() { w.reconcile(key) })
			w.reconcile(key)
			assert.Equal(t, 1, w.Service.Counts()["ExportIteration"], "the person's")
			assert.Equal(t, map[string]archive.Verdict{"CoreML": archive.Proven}, w.backups(key))
		})
	}
}

func TestAllExportsAreAskedFor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		offered []string // as the service says it
		want    []string
	}{
		// VAIDK needs a setting of the project; it is refused without.
		"nothing is said": {nil, slices.DeleteFunc(policy.Rule{Exports: policy.Words{policy.All}}.ExportsOf(nil), func(name string) bool { return name == "VAIDK" })},
		"some are said":   {[]string{"ONNX", "CoreML"}, []string{"CoreML", "CoreML.CoreMLFloat16", "ONNX", "ONNX.ONNX10", "ONNX.ONNX12", "ONNX.ONNXFloat16"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, `{"projects":[{"project":"*","exports":"all","iterations":"all"}]}`)
			w.overLine()
			key := w.trained()
			said := w.lists("/iterations", each(func(it map[string]any) { it["exportableTo"] = c.offered }))
			w.line.While(said, func() { w.settle(key) })
			assert.ElementsMatch(t, c.want, slices.Collect(maps.Keys(w.backups(key))))
		})
	}
}

// A rename changes an iteration's lastModified.
func TestARenameMakesNoFailureYoungAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.overLine()
	w.Service.FailTrainings(1)
	failed := w.trained()
	w.sweep()
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

// The app ran without an endpoint first; what failed before it had one is past.
func TestAFailureFromBeforeTheEndpointIsNotAnswered(t *testing.T) {
	t.Parallel()
	for name, seen := range map[string]bool{"the state knows the project by its blobs": true, "nothing is known of it": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, onnx)
			service := w.options.Service
			w.options.Service = nil
			w.Service.FailTrainings(1)
			project := w.Create(customvision.CreateProjectOptions{ExportModelContainerURI: w.Containers.Models.URL()}).ID
			old := Key{Project: project, Iteration: w.Train(project).ID}
			young := Key{Project: project, Iteration: w.Train(project).ID}
			if seen {
				w.export(young, "ONNX")
				require.Equal(t, 1, w.sweep())
			}
			require.NoError(t, w.Client.DeleteIteration(t.Context(), young.Project, young.Iteration)) // else it answers the failure
			w.options.Service = service
			for range 2 {
				w.sweep()
				w.reconcile(old)
			}
			assert.Equal(t, 2, w.Service.Counts()["TrainProject"], "the person's")
			w.Service.FailTrainings(1)
			again := Key{Project: project, Iteration: w.Train(project).ID}
			w.reconcile(again)
			assert.Equal(t, 4, w.Service.Counts()["TrainProject"], "what fails from then on is answered")
		})
	}
}

// Ours was refused since another one runs: that is no answer of ours.
func TestARefusedTrainingAdoptsNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","retrain":{"afterFailure":1,"perMonth":1}}]}`)
	w.Service.FailTrainings(1)
	failed := w.trained()
	person := w.trainings(failed.Project)
	require.NoError(t, w.Service.FaultCalls("TrainProject", 1, emulator.CallFault{Status: 400, Code: "BadRequestTrainingAlreadyInProgress"}))
	w.reconcile(failed)
	c := w.condition(failed, "")
	assert.Equal(t, state.TrainingRefused, c.Code)
	assert.Empty(t, w.Remembered(failed.Project).Trainings, "ours wasn't begun")
	// Now the person's is seen.
	person()
	report := w.reconcile(failed)
	assert.NotContains(t, steps(report.Done), "adopt")
	w.sweep()
	assert.Empty(t, w.Remembered(failed.Project).Trainings)
	assert.Empty(t, w.Remembered(failed.Project).Conditions, "its failure is answered by the person")
}

// trainings is a person who trains, when asked, and leaves it to go on.
func (w *app) trainings(project string) func() {
	return func() {
		_, err := w.Client.Train(w.t.Context(), project, customvision.TrainOptions{Force: true})
		require.NoError(w.t, err)
	}
}

// Another process asks for the export and archives it, all within the two seconds that a
// look counts as fresh: who is overtaken looks anew all the same.
func TestWhoIsOvertakenLooksAnewAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	key := w.trained()
	other := w.options
	other.State = state.Open(w.Archives.Blobs(&azcore.ClientOptions{Transport: world.Send(w.Timed)}), w.Names.State)
	var met atomic.Bool
	w.line.While(world.On(world.Begins("PUT /"+azurite.Archive+"/state"), func(req *http.Request, send world.Send) (*http.Response, error) {
		if met.CompareAndSwap(false, true) {
			for range 2 {
				_, err := New(other).Reconcile(t.Context(), Request{Key: key})
				assert.NoError(t, err)
				w.Service.FinishNow(emulator.Scope{})
			}
		}
		return send(req)
	}), func() { w.reconcile(key) })
	assert.Equal(t, proven, w.backups(key))
	assert.Equal(t, 1, w.Service.Counts()["ExportIteration"], "refused ones counted")
}

// What is published is exported in the same run. That goes by a look of its own: what the
// run saw of it before may be old by then.
func TestAnExportIsPlannedOnAFreshLookAtItsOwnIteration(t *testing.T) {
	t.Parallel()
	w, project := publisher(t)
	w.overLine()
	key := w.train(project, 0.9)
	w.line.Use(func(req *http.Request, send world.Send) (*http.Response, error) {
		switch {
		case strings.HasSuffix(req.URL.Path, "/performance"):
			w.Service.Advance(time.Minute)
		case strings.HasSuffix(req.URL.Path, "/publish"):
			assert.NoError(t, w.Service.Export(project, key.Iteration, "ONNX", "")) // by a person
			w.Service.FinishNow(emulator.Scope{})
		}
		return send(req)
	})
	w.pass(project)
	assert.Zero(t, w.Service.Counts()["ExportIteration"], "refused ones counted, the person's isn't")
	assert.Equal(t, proven, w.backups(key))
}

// Every effect is announced directly before it is sent.
func TestEveryEffectIsAnnouncedDirectlyBeforeItIsSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","exports":["ONNX","CoreML"]}]}`)
	w.overLine()
	key := w.trained()
	var order []string
	for _, r := range w.line.During(func() { w.reconcile(key) }) {
		switch {
		case r.Method == http.MethodPost:
			order = append(order, "effect")
		case r.Method == http.MethodPut:
			order = append(order, "state")
		case r.Method == http.MethodGet:
			order = append(order, "look")
		}
	}
	i := slices.Index(order, "effect")
	require.Positive(t, i)
	assert.Equal(t, []string{"state", "effect", "state", "effect"}, order[i-1:i+3])
}

// ONNX isn't proven with the bytes of ONNXFloat16, which has overwritten the blob
// though the list still says that it is being exported.
func TestARivalThatOverwritesWhileTheListSaysExporting(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func([]map[string]any) []map[string]any{
		"the list says Exporting": each(func(e map[string]any) {
			if e["flavor"] == "ONNXFloat16" {
				e["status"] = "Exporting"
			}
		}),
		"the list doesn't have it yet": func(list []map[string]any) []map[string]any {
			return slices.DeleteFunc(list, func(e map[string]any) bool { return e["flavor"] == "ONNXFloat16" })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "", answering(emulator.DownloadURI, "container"))
			w.overLine()
			key := w.trained()
			w.export(key, "ONNX")
			w.export(key, "ONNX.ONNXFloat16")
			w.line.While(w.lists("/export", spoil), func() { w.reconcile(key) })
			assert.NotContains(t, w.backups(key), "ONNX")
			w.settle(key)
			assert.Equal(t, map[string]archive.Verdict{"ONNX.ONNXFloat16": archive.Proven}, w.backups(key))
			c := w.condition(key, "ONNX")
			assert.Contains(t, []state.Code{state.Overwritten, state.Ambiguous}, c.Code)
			w.Service.Advance(2 * time.Hour)
			w.sweep()
			assert.Equal(t, state.Overwritten, w.condition(key, "ONNX").Code)
		})
	}
}

// A sweep that is shown nothing archives a blob whose manifest names no flavor. Once the list
// shows another flavor that it may be, the copy isn't the platform's default.
func TestACopyMadeBlindlyIsNotTheDefaultBesideAnotherFlavor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "", answering(emulator.ManifestFlavor, "null"))
	w.overLine()
	key := w.trained()
	w.export(key, "ONNX.ONNX12")
	w.line.While(world.On(func(req *http.Request) bool { return strings.HasSuffix(req.URL.Path, "/iterations") }, world.Refuse(http.StatusInternalServerError)), func() { w.sweepAnyhow() })
	require.Len(t, w.kept(key), 1)
	for range 3 {
		w.Service.Advance(25 * time.Hour)
		w.sweepAnyhow()
	}
	assert.Equal(t, map[string]archive.Verdict{"ONNX": "", "ONNX.ONNX12": archive.Proven}, w.backups(key))
	assert.Equal(t, state.Ambiguous, w.condition(key, "ONNX").Code)

	w.export(key, "ONNX")
	w.Service.Advance(8 * 24 * time.Hour)
	w.sweep()
	assert.True(t, slices.ContainsFunc(w.kept(key), func(b archive.Backup) bool { return b.Key.String() == "ONNX" && b.Verdict == archive.Proven }))
	assert.Empty(t, w.Remembered(key.Project).Conditions)
}
