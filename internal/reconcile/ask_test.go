package reconcile

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
)

// ask is one look by a Reconciler of its own, with what a person asks for.
func (w *app) ask(key Key, a Ask) Report {
	w.t.Helper()
	report, err := New(w.options).Reconcile(w.t.Context(), Request{Key: key, Ask: &a})
	require.NoError(w.t, err)
	return report
}

func TestAPersonMayAskForWhatThePolicyDoesNotWant(t *testing.T) {
	t.Parallel()
	for name, rules := range map[string]string{
		"no rule":      `{"projects": [{"project": "another"}]}`,
		"observe":      `{"mode": "observe", "projects": [{"project": "*", "exports": ["CoreML"]}]}`,
		"no such rule": `{"projects": [{"project": "*"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, rules)
			key := w.trained()
			for range 3 {
				w.ask(key, Ask{Exports: []string{"ONNX"}})
				w.Service.Advance(world.ExportTime)
			}
			assert.Equal(t, map[string]archive.Verdict{"ONNX": archive.Proven}, w.backups(key), "it is archived too")
			assert.Equal(t, 1, w.Service.Counts()["ExportIteration"], "and nothing else is asked for")
		})
	}
}

// The project may not be connected, or the message lost: then only sweeps see the export.
func TestWhatAPersonAskedForOfASettledIterationIsArchivedByTheNextSweep(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects": [{"project": "*"}]}`)
	key := w.trained()
	sweep := func() { w.reconcile(Key{Project: key.Project}) }
	sweep()
	require.NotNil(t, w.Remembered(key.Project).Iterations[key.Iteration].Settled)
	w.ask(key, Ask{Exports: []string{"ONNX"}})
	sweep() // while it is being exported
	w.Service.Advance(world.ExportTime)
	sweep()
	assert.Equal(t, map[string]archive.Verdict{"ONNX": archive.Proven}, w.backups(key))
	assert.NotNil(t, w.Remembered(key.Project).Iterations[key.Iteration].Settled, "and it is settled again")
}

func TestAPersonAsksForEveryExportThatTheDomainOffers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects": [{"project": "*"}]}`)
	key := w.trained()
	for {
		report := w.ask(key, Ask{Exports: []string{policy.All}})
		if len(report.Waiting) == 0 {
			break
		}
		w.Service.Advance(world.ExportTime)
	}
	for _, export := range []string{"ONNX", "ONNX.ONNXFloat16", "TensorFlow", "CoreML", "DockerFile.Linux"} {
		assert.Equal(t, archive.Proven, w.backups(key)[export], export)
	}
}

// What was refused before is asked for at once, and what runs is never doubled.
func TestAPersonsAskIsTriedAtOnceAndNeverDoublesWhatRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects": [{"project": "*", "exports": ["ONNX"]}]}`)
	key := w.trained()
	require.NoError(t, w.Service.FaultCalls("ExportIteration", 1, emulator.CallFault{Status: 400, Code: "BadRequestInvalid"}))
	w.reconcile(key)
	require.Equal(t, state.ExportRefused, w.condition(key, "ONNX").Code)
	require.Equal(t, 1, w.Service.Counts()["ExportIteration"])
	w.reconcile(key)
	require.Equal(t, 1, w.Service.Counts()["ExportIteration"], "the app waits")

	var machines sync.WaitGroup
	for range 4 {
		r := New(w.options)
		machines.Go(func() {
			_, err := r.Reconcile(t.Context(), Request{Key: key, Ask: &Ask{Exports: []string{"ONNX"}, Again: true}})
			assert.NoError(t, err)
		})
	}
	machines.Wait()
	w.reconcile(key)
	assert.Equal(t, 2, w.Service.Counts()["ExportIteration"])
}

func TestAPersonsTrainingIsNeverDoubled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects": [{"project": "*", "retrain": {"afterFailure": 1}}]}`)
	key := w.trained()
	before := w.Service.Counts()["TrainProject"]
	var machines sync.WaitGroup
	for range 4 {
		r := New(w.options)
		machines.Go(func() {
			_, err := r.Reconcile(t.Context(), Request{Key: Key{Project: key.Project}, Ask: &Ask{Train: true, Force: true}})
			assert.NoError(t, err)
		})
	}
	machines.Wait()
	report := w.ask(Key{Project: key.Project}, Ask{Train: true, Force: true})
	assert.NotEmpty(t, report.Waiting, "it trains")
	assert.Equal(t, before+1, w.Service.Counts()["TrainProject"], "refused ones counted")
	assert.Len(t, w.Remembered(key.Project).Trainings, 1)
}

// A training whose answer was lost is found, not sent again.
func TestAPersonsTrainingWhoseAnswerWasLostIsFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects": [{"project": "*"}]}`)
	key := w.trained()
	before := w.Service.Counts()["TrainProject"]
	require.NoError(t, w.Service.FaultCalls("TrainProject", 1, emulator.CallFault{LoseAnswer: true}))
	report := w.ask(Key{Project: key.Project}, Ask{Train: true, Force: true})
	require.Error(t, report.Err(""))
	w.ask(Key{Project: key.Project}, Ask{Train: true, Force: true})
	assert.Equal(t, before+1, w.Service.Counts()["TrainProject"])
	assert.NotEmpty(t, w.Remembered(key.Project).Trainings[0].Result)
}

// A training that a person asked for is none of the policy's: its failure is answered,
// and it isn't counted.
func TestAPersonsTrainingIsNoneOfThePolicys(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects": [{"project": "*", "retrain": {"afterFailure": 1, "perMonth": 1}}]}`)
	project := w.project(world.Compact)
	w.reconcile(Key{Project: project})
	w.Service.FailTrainings(1)
	before := w.Service.Counts()["TrainProject"]
	w.ask(Key{Project: project}, Ask{Train: true})
	w.Service.Advance(world.TrainTime)
	w.reconcile(Key{Project: project})
	assert.Equal(t, before+2, w.Service.Counts()["TrainProject"])
}
