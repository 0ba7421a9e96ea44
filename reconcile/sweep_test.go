package reconcile

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/archive"
	"visionkeeper/emulator"
)

func TestASweepArchivesTheBlobsOfAnIterationThatIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	key := w.trained()
	w.export(key, "ONNX")
	require.NoError(t, w.client.DeleteIteration(t.Context(), key.Project, key.Iteration))
	w.sweep()
	assert.Equal(t, proven, w.backups(key))
	requests := w.front.requests(func() { w.sweep() })
	assert.Len(t, requests, 2, "it isn't looked at again: %v", requests)
}

func TestASweepArchivesTheBlobsOfAProjectThatIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	key := w.trained()
	w.export(key, "ONNX")
	w.deleteProject(key.Project)
	assert.Equal(t, 1, w.sweep())
	assert.Equal(t, proven, w.backups(key))
}

func TestASweepArchivesTheBlobsOfListedExportsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	key := w.trained()
	w.export(key, "ONNX")
	w.export(key, "TensorFlow")
	w.sweep()
	w.sweep()
	assert.Len(t, w.kept(key), 2)
	assert.Equal(t, map[string]archive.Verdict{"ONNX": archive.Proven, "TensorFlow": archive.Proven}, w.backups(key))
}

func TestASweepTellsWhatIsLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	blocked := w.project(general)
	w.train(blocked)
	unproven := w.trained()
	w.export(unproven, "ONNX")
	var swept Swept
	w.front.refusing("PUT /archiveaccount/archive", func() {
		var err error
		swept, err = New(w.options).Sweep(t.Context(), "")
		require.Error(t, err)
	})
	assert.Equal(t, 2, swept.Projects)
	assert.Equal(t, 2, swept.Covered)
	assert.Equal(t, 1, swept.Unproven)
	assert.Equal(t, 1, swept.Blocked)
	assert.WithinDuration(t, w.service.Now(), swept.Oldest, time.Hour)
}

// ticking is a clock that moves on whenever somebody looks at it.
type ticking struct{ emulated }

func (c ticking) Now() time.Time {
	c.Advance(time.Second)
	return c.emulated.Now()
}

func TestASweepWhoseTimeIsUpGoesOnWithTheNext(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	for range 6 {
		w.project(compact)
	}
	w.options.Clock = ticking{emulated{w.service}}
	covered, sweeps, after := 0, 0, ""
	for sweeps == 0 || after != "" {
		ctx, cancel := context.WithDeadline(t.Context(), w.service.Now().Add(20*time.Second))
		swept, err := New(w.options).Sweep(ctx, after)
		cancel()
		require.NoError(t, err)
		require.Positive(t, swept.Covered)
		covered, sweeps, after = covered+swept.Covered, sweeps+1, swept.Resume
	}
	assert.Equal(t, 6, covered, "each once")
	assert.Greater(t, sweeps, 1)
}

func TestWhereStateIsLostNothingIsTrainedBeforeASweep(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	w.service.FailTrainings(2)
	before := w.trained()
	w.loseState(before.Project)
	trainings := func() int { return w.service.Counts()["TrainProject"] }

	assert.NotContains(t, steps(w.reconcile(before).Done), "retrain", "it may have been answered")
	again := Key{Project: before.Project, Iteration: w.train(before.Project)}
	n := trainings()
	w.reconcile(again)
	assert.Equal(t, n, trainings())
	w.sweep()
	w.reconcile(again)
	assert.Equal(t, n+1, trainings(), "a failure since then is answered")
}

func TestWhereStateIsLostNothingIsArchivedTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx, answering(emulator.NewIteration, "listed"))
	key := w.trained()
	w.settle(key)
	w.loseState(key.Project)
	w.sweep()
	assert.Len(t, w.kept(key), 1)
	assert.Equal(t, 1, w.service.Counts()["ExportIteration"])
	assert.NotNil(t, w.remembered(key.Project).Iterations[key.Iteration].Settled)
}
