package reconcile

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
)

func TestASweepArchivesTheBlobsOfAnIterationThatIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	key := w.trained()
	w.export(key, "ONNX")
	require.NoError(t, w.Client.DeleteIteration(t.Context(), key.Project, key.Iteration))
	w.sweep()
	assert.Equal(t, proven, w.backups(key))
	requests := w.line.During(func() { w.sweep() })
	assert.Len(t, requests, 2, "it isn't looked at again: %v", requests)
}

func TestASweepArchivesTheBlobsOfAProjectThatIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	key := w.trained()
	w.export(key, "ONNX")
	require.NoError(t, w.Client.DeleteProject(t.Context(), key.Project))
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
	blocked := w.project(world.General)
	w.Train(blocked)
	unproven := w.trained()
	w.export(unproven, "ONNX")
	var swept Swept
	w.line.While(world.On(world.Begins("PUT /archiveaccount/archive"), world.Refuse(403)), func() {
		var err error
		swept, err = New(w.options).Sweep(t.Context(), Before{})
		require.Error(t, err)
	})
	assert.Equal(t, 2, swept.Projects)
	assert.Equal(t, 2, swept.Covered, "everything was looked at")
	assert.Zero(t, swept.Failed)
	assert.Equal(t, 1, swept.Unproven)
	assert.Equal(t, 2, swept.Blocked, "each with its condition")
	assert.WithinDuration(t, w.Service.Now(), swept.Oldest, time.Hour)
}

// It must not keep the sweeps from the others: the next one goes on after it.
func TestASweepWhoseTimeIsUpGoesOnWithTheNext(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	for range 4 {
		w.project(world.Compact)
	}
	require.NoError(t, w.Service.FaultCalls("GetIterations", 1, emulator.CallFault{Delay: time.Minute}))
	ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second)
	defer cancel()
	cut, err := New(w.options).Sweep(ctx, Before{})
	require.Error(t, err)
	require.NotEmpty(t, cut.Resume)
	assert.Equal(t, Swept{Projects: 4, Failed: 1}, Swept{Projects: cut.Projects, Covered: cut.Covered, Failed: cut.Failed})
	assert.NoError(t, ctx.Err(), "time is left to write what was found")

	rest, err := New(w.options).Sweep(t.Context(), Before{Resume: cut.Resume})
	require.NoError(t, err)
	assert.Equal(t, Swept{Projects: 4, Covered: 3, Whole: true}, rest)
}

func TestASweepThatCannotBeginIsRepeatedFromTheSamePlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	require.NoError(t, w.Service.FaultCalls("GetProjects", 1, emulator.CallFault{Status: 403}))
	swept, err := New(w.options).Sweep(t.Context(), Before{Resume: "somewhere"})
	require.ErrorContains(t, err, "list the projects")
	assert.Equal(t, "somewhere", swept.Resume, "nothing is known to go over")
}

func TestWhereStateIsLostNothingIsTrainedBeforeASweep(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	w.Service.FailTrainings(2)
	before := w.trained()
	w.loseState(before.Project)
	trainings := func() int { return w.Service.Counts()["TrainProject"] }

	assert.NotContains(t, steps(w.reconcile(before).Done), "retrain", "it may have been answered")
	again := Key{Project: before.Project, Iteration: w.Train(before.Project).ID}
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
	assert.Equal(t, 1, w.Service.Counts()["ExportIteration"])
	assert.NotNil(t, w.Remembered(key.Project).Iterations[key.Iteration].Settled)
}

// Which projects only the state remembers can change with the lists alone, or in time.
func TestWhatOnlyTheStateRemembersIsGoneOverUntilItIsForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	key := w.named("first")
	w.sweep()
	w.named("second")
	w.sweep()
	require.NoError(t, w.Client.DeleteProject(t.Context(), key.Project))
	w.remove(key, "ONNX")
	about := func() (list []string) {
		for _, r := range w.line.During(func() { w.sweepAnyhow() }) {
			if strings.Contains(r.URL.Path, key.Project) {
				list = append(list, r.Method)
			}
		}
		return list
	}
	writes := func(req *http.Request) bool {
		return req.Method == http.MethodPut && strings.HasSuffix(req.URL.Path, "/projects/"+key.Project+".json")
	}
	w.line.While(world.On(writes, world.Refuse(403)), func() {
		assert.Equal(t, []string{"PUT"}, about(), "one is gone")
		assert.Equal(t, []string{"PUT"}, about(), "it couldn't be forgotten")
	})
	require.NotEmpty(t, w.Remembered(key.Project).Iterations)
	assert.Equal(t, []string{"PUT"}, about(), "it is to be forgotten yet")
	assert.Empty(t, w.Remembered(key.Project).Iterations)
	assert.Empty(t, about())
}
