package e2e

import (
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

const exportsAndRetrain = `{"projects":[{"project":"*","exports":["ONNX","ONNX.ONNXFloat16","TensorFlow"],"retrain":{"afterFailure":1}}]}`

func TestATrainingLeadsToProvenBackupsOfEveryExport(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{policy: exportsAndRetrain, world: world.Options{Emulator: emulator.Options{TrainTime: 200 * time.Millisecond, ExportTime: 100 * time.Millisecond}}})
	p := a.connect("Kitchen", world.Compact)
	a.Eventually("the connection test is recorded", func() bool { return a.Remembered(p.ID).ConnectionTest != nil })

	it, err := a.Client.Train(t.Context(), p.ID, customvision.TrainOptions{})
	require.NoError(t, err)
	want := map[string]archive.Verdict{"ONNX": archive.Proven, "ONNX.ONNXFloat16": archive.Proven, "TensorFlow": archive.Proven}
	a.Eventually("three exports are archived and proven", func() bool { return assert.ObjectsAreEqual(want, a.Verdicts(p.ID, it.ID)) })
	a.Eventually("the iteration settles", func() bool { return a.Remembered(p.ID).Iterations[it.ID].Settled != nil })
	assert.Equal(t, 3, a.Service.Counts()["ExportIteration"], "each export is asked for once, refused ones counted too")
}

func TestAFailedTrainingIsRetrainedOnceAndOnlyOnce(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{policy: exportsAndRetrain, world: world.Options{Emulator: emulator.Options{TrainTime: 200 * time.Millisecond}}})
	p := a.connect("Kitchen", world.Compact)
	a.Eventually("the app knows the project", func() bool { return a.Remembered(p.ID).ConnectionTest != nil })
	a.Service.FailTrainings(5)
	first, err := a.Client.Train(t.Context(), p.ID, customvision.TrainOptions{})
	require.NoError(t, err)

	a.Eventually("the retraining has failed too", func() bool {
		its, err := a.Client.Iterations(t.Context(), p.ID)
		require.NoError(t, err)
		failed := 0
		for _, it := range its {
			if it.Status == customvision.StatusFailed {
				failed++
			}
		}
		return failed == 2
	})
	a.succeeds(3) // the connection test, and both failures
	a.sweep()
	assert.Equal(t, 2, a.Service.Counts()["TrainProject"], "the person's training and one answer")
	trainings := a.Remembered(p.ID).Trainings
	require.Len(t, trainings, 1)
	assert.Equal(t, state.FailureOf(first.ID), trainings[0].Cause)
}
