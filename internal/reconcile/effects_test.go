package reconcile

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite"
	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

var proven = map[string]archive.Verdict{"ONNX": archive.Proven}

func TestOneMessageManyTimesHasOneEffect(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	key := w.trained()
	r := New(w.options)
	at20 := func() {
		var calls sync.WaitGroup
		for range 20 {
			calls.Go(func() {
				_, err := r.Reconcile(t.Context(), Request{Key: key})
				assert.NoError(t, err)
			})
		}
		calls.Wait()
	}
	at20()
	at20()
	assert.Equal(t, proven, w.backups(key))
	assert.Equal(t, 1, w.Service.Counts()["ExportIteration"])
	assert.Len(t, w.kept(key), 1)
	assert.Less(t, w.Service.Counts()["GetExports"], 10, "they share looks")
}

// Two Reconcilers share nothing but storage, as two machines do.
func TestTwoMachinesAtOnceAskOnce(t *testing.T) {
	t.Parallel()
	for range 5 {
		w := newWorld(t, onnx)
		exported := w.trained()
		w.Service.FailTrainings(1)
		failed := w.trained()
		trainings := w.Service.Counts()["TrainProject"]

		var machines sync.WaitGroup
		for range 4 {
			r := New(w.options)
			machines.Go(func() {
				for _, key := range []Key{exported, failed} {
					_, err := r.Reconcile(t.Context(), Request{Key: key})
					assert.NoError(t, err)
				}
			})
		}
		machines.Wait()
		assert.Equal(t, 1, w.Service.Counts()["ExportIteration"], "refused ones counted")
		assert.Equal(t, trainings+1, w.Service.Counts()["TrainProject"], "refused ones counted")
	}
}

func TestTwoMachinesRepeatAFailedExportOnce(t *testing.T) {
	t.Parallel()
	for range 5 {
		w := newWorld(t, onnx)
		w.Service.FailExports(1)
		key := w.trained()
		w.reconcile(key)
		w.Service.Advance(world.ExportTime)
		w.reconcile(key) // which sees that it failed
		w.Service.Advance(time.Hour)

		var machines sync.WaitGroup
		for range 4 {
			machines.Go(func() {
				_, err := New(w.options).Reconcile(t.Context(), Request{Key: key})
				assert.NoError(t, err)
			})
		}
		machines.Wait()
		assert.Equal(t, 2, w.Service.Counts()["ExportIteration"], "refused ones counted")
		w.Service.Advance(world.ExportTime)
		w.settle(key)
		assert.Equal(t, proven, w.backups(key))
	}
}

// asks are what the app asks the service to do: the operation, and what leads to it.
var asks = map[string]struct {
	operation string
	begin     func(*app) Key
}{
	"export":   {"ExportIteration", (*app).trained},
	"training": {"TrainProject", func(w *app) Key { w.Service.FailTrainings(1); return w.trained() }},
}

func TestALostAnswerIsNotAskedForAgain(t *testing.T) {
	t.Parallel()
	for name, c := range asks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, onnx)
			key := c.begin(w)
			before := w.Service.Counts()[c.operation]
			require.NoError(t, w.Service.FaultCalls(c.operation, 1, emulator.CallFault{LoseAnswer: true}))

			report, err := w.try(key)
			require.Error(t, err, "so that the message comes again")
			assert.NotEmpty(t, report.Waiting)

			w.options.Times.IntentGrace = -time.Hour // as if its sender were long gone
			w.Service.Advance(world.TrainTime)
			w.settle(key)
			assert.Equal(t, before+1, w.Service.Counts()[c.operation])
			switch c.operation {
			case "ExportIteration":
				assert.Equal(t, proven, w.backups(key))
			case "TrainProject":
				trainings := w.Remembered(key.Project).Trainings
				require.Len(t, trainings, 1)
				assert.NotEmpty(t, trainings[0].Result, "found by its iteration")
			}
		})
	}
}

func TestWhatNeverReachedTheServiceIsAskedForAgain(t *testing.T) {
	t.Parallel()
	for name, c := range asks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, onnx)
			key := c.begin(w)
			before := w.Service.Counts()[c.operation]
			require.NoError(t, w.Service.FaultCalls(c.operation, 1, emulator.CallFault{Reset: true}))
			_, err := w.try(key)
			require.Error(t, err)

			report := w.reconcile(key)
			assert.NotEmpty(t, report.Waiting, "its sender may not be done yet")
			assert.Equal(t, before+1, w.Service.Counts()[c.operation])

			w.options.Times.IntentGrace = -time.Hour
			w.reconcile(key)
			assert.Equal(t, before+2, w.Service.Counts()[c.operation])
		})
	}
}

func TestWhatCannotBeAnnouncedIsNotSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	exported := w.trained()
	w.Service.FailTrainings(1)
	failed := w.trained()
	trainings := w.Service.Counts()["TrainProject"]
	w.line.While(world.On(world.Begins("PUT /"+azurite.Archive+"/state"), world.Refuse(403)), func() {
		for _, key := range []Key{exported, failed} {
			_, err := New(w.options).Reconcile(t.Context(), Request{Key: key})
			assert.ErrorContains(t, err, "write the state")
		}
	})
	assert.Zero(t, w.Service.Counts()["ExportIteration"])
	assert.Equal(t, trainings, w.Service.Counts()["TrainProject"])
}

// A run may be long: an intent must not seem older than it is.
func TestAnIntentIsDatedByTheStorageServicesTimeOfItsSending(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
		defer cancel()
		v := New(Options{Clock: SystemClock{}}).visit(scope{}, &state.Record{Seen: noon})
		time.Sleep(20 * time.Minute) // copying
		assert.Equal(t, noon.Add(20*time.Minute), v.now())
		assert.Equal(t, noon.Add(30*time.Minute), v.until(ctx))
		assert.Equal(t, noon.Add(20*time.Minute+senderTime), v.until(t.Context()), "without a deadline")
	})
}

func TestARefusalThatMayPassIsNoAttempt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	key := w.trained()
	require.NoError(t, w.Service.FaultCalls("ExportIteration", 5, emulator.CallFault{Status: 403}))
	for range 5 {
		_, err := w.try(key)
		require.ErrorContains(t, err, "403")
		w.Service.Advance(time.Hour)
	}
	assert.Contains(t, w.settle(key), "export ONNX", "once the role is given")
	assert.Equal(t, proven, w.backups(key))

	w.Service.FailTrainings(1)
	failed := w.trained()
	require.NoError(t, w.Service.FaultCalls("TrainProject", 2, emulator.CallFault{Status: 403}))
	for range 2 {
		_, err := w.try(failed)
		require.ErrorContains(t, err, "403")
	}
	assert.Contains(t, w.settle(failed), "retrain", "once the role is given")
	assert.Len(t, w.Remembered(failed.Project).Trainings, 1)
}

func TestAnExportThatIsRefusedEndsWithTheReason(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","exports":["VAIDK","ONNX"]}]}`)
	key := w.trained()
	ctx, log := logged(t)
	report, err := New(w.options).Reconcile(ctx, Request{Key: key})
	require.NoError(t, err)
	assert.Equal(t, []string{"describe", "postpone VAIDK", "export ONNX"}, steps(report.Done))
	assert.Contains(t, report.Done[1].Why, "VAIDK must be among the project's targetExportPlatforms")
	assert.NotContains(t, log.String(), `"export":"VAIDK","message":"asked for an export"`)

	w.settle(key)
	assert.Equal(t, proven, w.backups(key))
	assert.Equal(t, 2, w.Service.Counts()["ExportIteration"], "never again")
}

func TestAnExportThatFailsIsAskedForAgainAfterGrowingPauses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	w.Service.FailExports(4)
	key := w.trained()
	asked := func() int { return w.Service.Counts()["ExportIteration"] }
	assert.Equal(t, []string{"describe", "export ONNX", "postpone ONNX", "settle"}, w.settle(key))
	for n, pause := range []time.Duration{2 * time.Minute, 10 * time.Minute, time.Hour} {
		w.Service.Advance(pause / 2)
		w.reconcile(key)
		assert.Equal(t, n+1, asked(), "not before its time")
		w.Service.Advance(pause/2 + 10*time.Second)
		w.reconcile(key)
		assert.Equal(t, n+2, asked())
	}
	w.Service.Advance(7 * time.Hour)
	w.settle(key)
	assert.Equal(t, proven, w.backups(key), "the service was mended meanwhile")
	assert.Empty(t, w.condition(key, "ONNX").Code)
}

func TestAnExportThatMayNotBeRepeatedIsARefusal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx, answering(emulator.RepeatAfterFailure, "refused"))
	w.Service.FailExports(1)
	key := w.trained()
	assert.Equal(t, []string{"describe", "export ONNX", "postpone ONNX", "settle"}, w.settle(key))
	w.Service.Advance(time.Hour)
	assert.Equal(t, []string{"postpone ONNX", "settle"}, w.settle(key), "asking anew opens a settled iteration")
	assert.Equal(t, state.ExportRefused, w.condition(key, "ONNX").Code)
}

func TestSomebodyElsesExportIsAsGoodAsOurs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	key := w.trained()
	w.export(key, "ONNX") // in the portal, before the policy was there
	assert.Equal(t, []string{"describe", "backup ONNX", "settle"}, w.settle(key))
	assert.Equal(t, 1, w.Service.Counts()["ExportIteration"])
}

func TestAFailedTrainingIsRetrainedOnceAndOnlyOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	w.Service.FailTrainings(5)
	key := w.trained()
	assert.Equal(t, []string{"retrain"}, steps(w.reconcile(key).Done))
	w.Service.Advance(world.TrainTime) // it fails too
	for range 3 {
		_, err := New(w.options).Sweep(t.Context(), Before{})
		require.NoError(t, err)
	}
	assert.Equal(t, 2, w.Service.Counts()["TrainProject"], "the person's training and one answer")
	trainings := w.Remembered(key.Project).Trainings
	require.Len(t, trainings, 1)
	assert.Equal(t, state.FailureOf(key.Iteration), trainings[0].Cause)
}

func TestARetrainingThatSucceedsIsExported(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	w.Service.FailTrainings(1)
	key := w.trained()
	w.settle(key)
	w.Service.Advance(world.TrainTime)
	w.settle(key)
	result := w.Remembered(key.Project).Trainings[0].Result
	assert.Equal(t, proven, w.backups(Key{Project: key.Project, Iteration: result}))
}

func TestATrainingThatIsNotNeededIsAClearEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx, answering(emulator.TrainAfterFailure, "not-needed"))
	w.Service.FailTrainings(1)
	key := w.trained()
	report := w.reconcile(key)
	assert.Equal(t, []string{"postpone"}, steps(report.Done))
	assert.Contains(t, report.Done[0].Why, "Nothing changed since last training")
	assert.Empty(t, report.Waiting)
	w.reconcile(key)
	assert.Equal(t, 2, w.Service.Counts()["TrainProject"], "the person's training and one answer")
}

func TestForceIsThePolicysOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","retrain":{"afterFailure":1,"force":true}}]}`, answering(emulator.TrainAfterFailure, "not-needed"))
	w.Service.FailTrainings(1)
	assert.Equal(t, []string{"retrain"}, steps(w.reconcile(w.trained()).Done))
}

func TestARetrainingIsOfTheSameKind(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	w.Service.FailTrainings(1)
	project := w.project(world.Compact)
	first, err := w.Client.Train(t.Context(), project, customvision.TrainOptions{Type: "Advanced", ReservedBudgetInHours: 3})
	require.NoError(t, err)
	w.Service.Advance(world.TrainTime)
	w.reconcile(Key{Project: project, Iteration: first.ID})
	again, err := w.Client.Iteration(t.Context(), project, w.Remembered(project).Trainings[0].Result)
	require.NoError(t, err)
	assert.Equal(t, "Advanced", again.TrainingType)
	assert.Equal(t, 3, again.ReservedBudgetInHours)
}

// A run without a deadline, as a person's is, may be slow: what it announced is
// another's to send once the announcement's time is up.
func TestWhatIsAnnouncedIsNotSentLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","exports":["ONNX","CoreML"]}]}`)
	key := w.trained()
	later := w.options
	later.Times.IntentGrace = -senderTime // as if the storage service's clock had moved on, too
	sent := 0
	w.options.Service = w.Open(azcore.ClientOptions{Transport: w.line})
	w.line.Use(func(req *http.Request, send world.Send) (*http.Response, error) {
		resp, err := send(req)
		if req.Method == http.MethodPost {
			if sent++; sent == 1 { // so long took the first answer
				w.Service.Advance(senderTime)
				_, err := New(later).Reconcile(t.Context(), Request{Key: key})
				assert.NoError(t, err)
			}
		}
		return resp, err
	})
	_, err := New(w.options).Reconcile(t.Context(), Request{Key: key})
	require.NoError(t, err)
	assert.Equal(t, 2, w.Service.Counts()["ExportIteration"], "refused ones counted")
}
