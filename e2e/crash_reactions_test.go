package e2e

import (
	"net/http"
	"time"

	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/reconcile"
	"visionkeeper/internal/twin"
)

// reaction is something the app does, and what may come of it.
type reaction struct {
	name, policy string
	prepare      func(w *victim) // all that comes before; the app is not killed meanwhile
	cause        func(w *victim) // makes the app react, and returns when it was not in vain
	want         figure          // what there is in the end
	timeout      time.Duration   // the least functionTimeout; eight seconds where it is less
}

// heldPictures are those of the hold-out set.
const heldPictures = 3

// Without a notification queue the service says nothing by itself: each cause is
// the only one, and whatever else happened the app must find by sweeping.
var reactions = []reaction{
	{
		// Two flavors of one platform overwrite each other in the model container:
		// the later one is archived from there, the other from its download link.
		name: "backup", policy: `{"projects":[{"project":"*"}]}`,
		prepare: func(w *victim) {
			w.begin()
			w.iteration = w.Train(w.project).ID
			for _, flavor := range []string{"", "ONNXFloat16"} {
				_, err := w.Client.Export(w.t.Context(), w.project, w.iteration, "ONNX", flavor)
				require.NoError(w.t, err)
				w.Exported(w.project, w.iteration)
			}
		},
		cause: func(w *victim) {
			w.message(sample(w.t, "export-completed.json", w.project, w.iteration, modelURI(w.app, w.project, w.iteration, "ONNX")))
		},
		want: figure{Trainings: 1, Exports: 2, Backups: proven("Iteration 1 ONNX", "Iteration 1 ONNX.ONNXFloat16"), Told: []string{
			"backup.proven Iteration 1 ONNX", "backup.proven Iteration 1 ONNX.ONNXFloat16", "training.completed Iteration 1",
		}},
	},
	{
		name: "export", policy: `{"projects":[{"project":"*","exports":["ONNX","TensorFlow"]}]}`,
		prepare: func(w *victim) {
			w.begin()
			w.iteration = w.Train(w.project).ID
			w.Service.StallExports(100)
		},
		cause: func(w *victim) { w.message(sample(w.t, "training-completed.json", w.project, w.iteration, "")) },
		want:  figure{Trainings: 1, Exports: 2, Backups: proven("Iteration 1 ONNX", "Iteration 1 TensorFlow")},
	},
	{
		// The retraining fails at once: whose it is must be known even where the
		// answer that had its id was lost, or it would be answered by yet another.
		name: "retrain", policy: `{"projects":[{"project":"*","retrain":{"afterFailure":1}}]}`,
		prepare: func(w *victim) {
			w.begin()
			w.message(sample(w.t, "connection-test.json", w.project, "", ""))
			w.Service.FailTrainings(100)
			w.iteration = w.Train(w.project).ID
		},
		cause: func(w *victim) { w.message(sample(w.t, "training-failed.json", w.project, w.iteration, "")) },
		want:  figure{Trainings: 2, Backups: proven(), Told: []string{"training.failed Iteration 1", "training.failed Iteration 2"}},
	},
	{
		// Both refusals pass. However the app was cut, what was refused is asked for
		// once more, and only once.
		name: "refused export", policy: `{"projects":[{"project":"*","exports":["ONNX"]}]}`,
		prepare: func(w *victim) {
			w.begin()
			w.iteration = w.Train(w.project).ID
			require.NoError(w.t, w.Service.FaultCalls("ExportIteration", 1, emulator.CallFault{Status: http.StatusForbidden}))
		},
		cause: func(w *victim) { w.message(sample(w.t, "training-completed.json", w.project, w.iteration, "")) },
		want:  figure{Trainings: 1, Exports: 1 + 1, Backups: proven("Iteration 1 ONNX")},
	},
	{
		name: "refused training", policy: `{"projects":[{"project":"*","retrain":{"afterFailure":1}}]}`,
		prepare: func(w *victim) {
			w.begin()
			w.message(sample(w.t, "connection-test.json", w.project, "", ""))
			w.Service.FailTrainings(100)
			w.iteration = w.Train(w.project).ID
			require.NoError(w.t, w.Service.FaultCalls("TrainProject", 1, emulator.CallFault{Status: http.StatusBadRequest, Code: "BadRequestTrainingAlreadyInProgress"}))
		},
		cause: func(w *victim) { w.message(sample(w.t, "training-failed.json", w.project, w.iteration, "")) },
		want:  figure{Trainings: 2 + 1, Backups: proven()},
	},
	{
		// Images were tagged, which a sweep finds. A training that was announced and never
		// sent counts as spent, so the budget has room for one more.
		name: "worth", policy: `{"projects":[{"project":"*","retrain":{"onImages":1,"type":"advanced","budgetHours":2,"monthlyBudgetHours":4}}]}`,
		prepare: func(w *victim) {
			w.begin()
			w.message(sample(w.t, "connection-test.json", w.project, "", ""))
			w.AddPictures(w.project, 0, 1, w.Tag(w.project, "cup"))
		},
		cause: func(w *victim) { w.sweep() },
		want:  figure{Trainings: 1, Backups: proven(), Told: []string{"training.completed Iteration 1"}},
	},
	{
		// What became of one project causes a training of the other, which the sweep comes
		// to after it.
		name: "chain", policy: `{"projects":[{"project":"Detector"},{"project":"*","retrain":{"after":{"project":"Detector","event":"training.completed"}}}]}`,
		prepare: func(w *victim) {
			w.begin()
			w.message(sample(w.t, "connection-test.json", w.project, "", ""))
			detector := ""
			for detector == "" || detector > w.project { // sweeps go by the order of ids
				if detector != "" {
					require.NoError(w.t, w.Client.DeleteProject(w.t.Context(), detector))
				}
				detector = w.Create(customvision.CreateProjectOptions{Name: "Detector", DomainID: world.Compact}).ID
			}
			w.message(sample(w.t, "connection-test.json", detector, "", ""))
			w.Train(detector)
		},
		cause: func(w *victim) { w.sweep() },
		want:  figure{Trainings: 2, Backups: proven()},
	},
	{
		// Every message about this project was lost: an export is asked
		// for, one that a person made in the portal is archived, and so is what the
		// model container holds of an iteration that was deleted meanwhile.
		name: "sweep", policy: `{"projects":[{"project":"*","exports":["ONNX"]}]}`,
		prepare: func(w *victim) {
			w.begin()
			gone := w.Train(w.project).ID
			require.NoError(w.t, w.Service.Export(w.project, gone, "TensorFlow", ""))
			w.Exported(w.project, gone)
			require.NoError(w.t, w.Client.DeleteIteration(w.t.Context(), w.project, gone))
			w.iteration = w.Train(w.project).ID
			require.NoError(w.t, w.Service.Export(w.project, w.iteration, "CoreML", ""))
			w.Exported(w.project, w.iteration)
			w.Service.StallExports(100)
		},
		cause: func(w *victim) { w.sweep() },
		want:  figure{Trainings: 2, Exports: 1, Deletions: 1, Backups: proven("vanished TensorFlow", "Iteration 2 CoreML", "Iteration 2 ONNX")},
	},
	{
		// The older of two is deleted, once, and its tombstone is whole however the app
		// was cut.
		name: "room", policy: `{"projects":[{"project":"*","keep":1}]}`,
		prepare: func(w *victim) {
			w.begin()
			w.most = 1
			w.message(sample(w.t, "connection-test.json", w.project, "", ""))
			for range 2 {
				w.iteration = w.Train(w.project).ID
				require.NoError(w.t, w.Service.Export(w.project, w.iteration, "ONNX", ""))
				w.Exported(w.project, w.iteration)
				w.message(sample(w.t, "export-completed.json", w.project, w.iteration, modelURI(w.app, w.project, w.iteration, "ONNX")))
			}
		},
		cause: func(w *victim) { w.sweep() },
		want:  figure{Trainings: 2, Deletions: 1, Buried: 1, Backups: proven("vanished ONNX", "Iteration 2 ONNX")},
	},
	{
		// The name has to be freed for the second one. It is freed once, however the app was
		// cut, and doesn't stay free.
		name:   "promote",
		policy: `{"projects":[{"project":"*","promote":{"name":"production","predictionId":"/subscriptions/s/resourceGroups/g/providers/Microsoft.CognitiveServices/accounts/a","perTag":false,"notWorseBy":1}}]}`,
		prepare: func(w *victim) {
			w.begin()
			w.message(sample(w.t, "connection-test.json", w.project, "", ""))
			w.Service.Answer(emulator.PublishOverwrite, "fails")
			w.message(sample(w.t, "training-completed.json", w.project, w.Train(w.project).ID, ""))
			w.iteration = w.Train(w.project).ID
		},
		cause: func(w *victim) { w.message(sample(w.t, "training-completed.json", w.project, w.iteration, "")) },
		want: figure{Trainings: 2, Unpublished: 1, Published: "Iteration 2", Backups: proven(), Told: []string{
			"model.promoted Iteration 1", "model.promoted Iteration 2", "training.completed Iteration 1", "training.completed Iteration 2",
		}},
	},
	{
		// A person has asked for a twin: it is copied and trained once, however the app was
		// cut, and the rest follows.
		name: "twin", policy: doubled,
		prepare: func(w *victim) { w.twinned() },
		cause:   func(w *victim) { w.sweep() },
		want:    figure{Trainings: 2, Exports: 1, Imports: 1, Twin: twinDone, Backups: proven("vanished ONNX")},
	},
	{
		// Its export is done: it is archived, what it is is written, and the twin is deleted.
		name: "twin's end", policy: doubled,
		prepare: func(w *victim) {
			w.twinned()
			for range 2 {
				w.sweep()
				w.Service.FinishNow(emulator.Scope{})
			}
		},
		cause: func(w *victim) { w.sweep() },
		want:  figure{Trainings: 2, Exports: 1, Imports: 1, Twin: twinDone, Backups: proven("vanished ONNX")},
	},
	{
		// The pictures of a hold-out set are asked after the sweep's own work, and the name
		// follows. They have half of the time that is left, which is to be enough on a busy
		// machine too.
		name: "held", timeout: 30 * time.Second,
		policy: `{"projects":[{"project":"*","promote":{"name":"production","predictionId":"/subscriptions/s/resourceGroups/g/providers/Microsoft.CognitiveServices/accounts/a","holdOut":"HOLDOUT"}}]}`,
		prepare: func(w *victim) {
			w.begin()
			w.message(sample(w.t, "connection-test.json", w.project, "", ""))
			w.Tag(w.project, "cup")
			w.HoldOutPictures(heldPictures, "cup")
			w.Service.SetQuality(1)
			w.Train(w.project)
			for range 50 { // on a busy machine the time of one sweep is too short
				if w.sweep(); w.Remembered(w.project).Promotion.Holder != "" {
					break
				}
			}
			w.iteration = w.Train(w.project).ID
		},
		cause: func(w *victim) { w.sweep() },
		want: figure{Trainings: 2, Published: "Iteration 2", Backups: proven(), Told: []string{
			"model.promoted Iteration 1", "model.promoted Iteration 2", "training.completed Iteration 1", "training.completed Iteration 2",
		}},
	},
	{
		name: "poison drain", policy: `{"projects":[{"project":"*"}]}`,
		prepare: func(w *victim) {
			w.begin()
			w.iteration = w.Train(w.project).ID
			require.NoError(w.t, w.Service.Export(w.project, w.iteration, "ONNX", ""))
			w.Exported(w.project, w.iteration)
			_, err := w.Poison.Create(w.t.Context(), nil)
			require.NoError(w.t, err)
			for _, text := range []string{
				sample(w.t, "export-completed.json", w.project, w.iteration, modelURI(w.app, w.project, w.iteration, "ONNX")),
				`{"version":"2.0"}`,
			} {
				_, err := w.Poison.EnqueueMessage(w.t.Context(), text, nil)
				require.NoError(w.t, err)
			}
		},
		cause: func(w *victim) { w.sweep() },
		want: figure{Trainings: 1, Backups: proven("Iteration 1 ONNX"), DeadLetters: []string{
			`malformed notification: type is missing: "{\"version\":\"2.0\"}"`,
		}},
	},
}

const (
	doubled  = `{"projects":[{"project":"*","exports":["ONNX"],"iterations":["published"],"twin":{}}]}`
	twinDone = "is in the archive, and no longer in Custom Vision"
)

// twinned creates a project whose model can't be exported, and asks for a twin of it.
func (w *victim) twinned() {
	w.t.Helper()
	p := w.Create(customvision.CreateProjectOptions{Name: "Kitchen", DomainID: world.General})
	w.project = p.ID
	w.iteration = w.Train(w.project).ID
	rules, err := policy.Parse([]byte(doubled))
	require.NoError(w.t, err)
	maker := &twin.Maker{Options: reconcile.Options{Policy: rules, Service: w.Client, Archive: w.Archive, State: w.State, Clock: reconcile.SystemClock{}}}
	takes, err := maker.Takes(w.t.Context(), p)
	require.NoError(w.t, err)
	require.NoError(w.t, maker.Begin(w.t.Context(), p, takes))
}

// proven backups.
func proven(names ...string) map[string]string {
	backups := map[string]string{}
	for _, name := range names {
		backups[name] = "proven"
	}
	return backups
}

// begin creates a project without a queue, so the service sends no messages.
func (w *victim) begin() {
	w.t.Helper()
	w.project = w.Create(customvision.CreateProjectOptions{Name: "Kitchen", DomainID: world.Compact, ExportModelContainerURI: w.Containers.Models.URL()}).ID
}
