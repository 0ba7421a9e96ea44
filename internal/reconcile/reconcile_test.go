package reconcile

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/policy"
)

// sweep sweeps once and says over how many projects. It is told what the last one saw.
func (w *app) sweep() int {
	w.t.Helper()
	swept, err := New(w.options).Sweep(w.t.Context(), Before{Lists: w.seen})
	require.NoError(w.t, err)
	w.seen = swept.Lists
	return swept.Covered
}

const nowhere = "99999999-9999-4999-8999-999999999999"

func TestObserveArchivesAndDoesNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, strings.Replace(onnx, `{"projects"`, `{"mode":"observe","projects"`, 1))
	exported := w.trained()
	w.export(exported, "CoreML")
	w.Service.FailTrainings(1)
	failed := w.trained()
	calls := w.calls(func() {
		ctx, log := logged(t)
		for _, key := range []Key{exported, failed} {
			_, err := New(w.options).Reconcile(ctx, Request{Key: key})
			require.NoError(t, err)
		}
		assert.Contains(t, log.String(), "would export, but the policy only observes")
		assert.Contains(t, log.String(), "would retrain, but the policy only observes")
	})
	assert.Zero(t, calls["ExportIteration"])
	assert.Zero(t, calls["TrainProject"])
	assert.Equal(t, map[string]archive.Verdict{"CoreML": archive.Proven}, w.backups(exported))
	assert.NotNil(t, w.Remembered(exported.Project).Iterations[exported.Iteration].Settled)
}

func TestWithTheArchiveOnlyPolicyEveryExportIsArchived(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	require.Equal(t, policy.ArchiveOnly, w.options.Policy)
	key := w.trained()
	w.export(key, "ONNX")
	w.export(key, "TensorFlow")
	w.settle(key)
	assert.Equal(t, map[string]archive.Verdict{"ONNX": archive.Proven, "TensorFlow": archive.Proven}, w.backups(key))
}

func TestADomainThatCannotBeExportedEndsInAClearReason(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	project := w.project(world.General)
	key := Key{Project: project, Iteration: w.Train(project).ID}
	assert.Equal(t, []string{"describe", "postpone", "settle"}, w.settle(key))
	assert.Contains(t, w.condition(key, "").Why, "cannot be exported, because")
	assert.Empty(t, w.reconcile(key).Done)
	assert.Zero(t, w.Service.Counts()["ExportIteration"])
}

func TestAProjectOutsideThePolicyIsLeftAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"another","exports":["ONNX"]}]}`)
	key := w.trained()
	w.export(key, "ONNX")
	assert.True(t, w.reconcile(key).Outside)
	w.sweep()
	assert.Empty(t, w.kept(key))
}

func TestAProjectCanBeNamedByThePolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"kitchen","exports":["ONNX"]}]}`)
	p, err := w.Client.CreateProject(t.Context(), customvision.CreateProjectOptions{Name: "Kitchen", DomainID: world.Compact})
	require.NoError(t, err)
	key := Key{Project: p.ID, Iteration: w.Train(p.ID).ID}
	w.settle(key)
	assert.Equal(t, proven, w.backups(key))
}

func TestASweepGoesOnAfterAFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	keys := []Key{w.trained(), w.trained(), w.trained()}
	require.NoError(t, w.Service.FaultCalls("GetIterations", 1, emulator.CallFault{Status: 403}))
	_, err := New(w.options).Sweep(t.Context(), Before{})
	require.ErrorContains(t, err, "403")
	assert.Equal(t, 2, w.Service.Counts()["ExportIteration"], "the other projects")
	w.sweep()
	for _, key := range keys {
		w.settle(key)
		assert.Equal(t, proven, w.backups(key))
	}
}

func TestASweepCoversWhatNoMessageToldOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	key := w.trained()
	w.sweep()
	w.Service.Advance(world.ExportTime)
	w.sweep()
	assert.Equal(t, proven, w.backups(key))
}

func TestAProjectThatVanishedIsUnknown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	key := w.trained()
	w.settle(key)
	require.NoError(t, w.Client.DeleteProject(t.Context(), key.Project))
	_, err := New(w.options).Reconcile(t.Context(), Request{Key: key})
	assert.ErrorIs(t, err, ErrUnknownProject)
	assert.Equal(t, proven, w.backups(key), "the archive stays")
}

func TestAProjectThatNeverWasIsUnknownAndLeavesNoState(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	r := New(w.options)
	_, err := r.Reconcile(t.Context(), Request{Key: Key{Project: nowhere, Iteration: first}})
	assert.ErrorIs(t, err, ErrUnknownProject)
	assert.ErrorIs(t, r.ConnectionTested(t.Context(), nowhere), ErrUnknownProject)
	assert.Empty(t, w.Remembered(nowhere).Revision, "nothing was written")
}

func TestAConnectionTestIsRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	project := w.project(world.Compact)
	require.NoError(t, New(w.options).ConnectionTested(t.Context(), project))
	at := w.Remembered(project).ConnectionTest
	require.NotNil(t, at)
	assert.Equal(t, w.Service.Now(), *at)
}

func TestAnIterationThatIsGoneIsForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	key := w.trained()
	w.settle(key)
	_, err := w.Containers.Models.NewBlobClient(w.blob(key, "ONNX")).Delete(t.Context(), nil)
	require.NoError(t, err)
	w.Train(key.Project)
	require.NoError(t, w.Client.DeleteIteration(t.Context(), key.Project, key.Iteration))
	w.sweep()
	w.Service.Advance(lackedFor)
	w.sweep()
	assert.NotContains(t, w.Remembered(key.Project).Iterations, key.Iteration)
	assert.Equal(t, proven, w.backups(key), "the archive stays")
}

func TestTheOrderOfTheListTellsNothing(t *testing.T) {
	t.Parallel()
	for _, order := range []string{"oldest-first", "newest-first", "shuffled"} {
		t.Run(order, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, onnx, answering(emulator.IterationOrder, order), answering(emulator.NewIteration, "listed"))
			key := w.trained()
			newest := Key{Project: key.Project, Iteration: w.Train(key.Project).ID}
			w.settle(newest)
			assert.Equal(t, proven, w.backups(newest))
			assert.Empty(t, w.kept(key))
		})
	}
}
