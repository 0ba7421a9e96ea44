package reconcile

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/policy"
)

// sweep sweeps once and says over how many projects.
func (w *world) sweep() int {
	w.t.Helper()
	swept, err := New(w.options).Sweep(w.t.Context(), "")
	require.NoError(w.t, err)
	return swept.Covered
}

// deleteProject deletes a project with all it has, which the client never does.
func (w *world) deleteProject(id string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodDelete, w.api+"/customvision/v3.3/training/projects/"+id, nil)
	require.NoError(w.t, err)
	req.Header.Set("Training-Key", trainingKey)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(w.t, err)
	resp.Body.Close()
	require.Equal(w.t, http.StatusNoContent, resp.StatusCode)
}

const nowhere = "99999999-9999-4999-8999-999999999999"

func TestObserveArchivesAndDoesNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, strings.Replace(onnx, `{"projects"`, `{"mode":"observe","projects"`, 1))
	exported := w.trained()
	w.export(exported, "CoreML")
	w.service.FailTrainings(1)
	failed := w.trained()
	calls := w.calls(func() {
		ctx, log := logged(t)
		for _, key := range []Key{exported, failed} {
			_, err := New(w.options).Reconcile(ctx, key)
			require.NoError(t, err)
		}
		assert.Contains(t, log.String(), "would export, but the policy only observes")
		assert.Contains(t, log.String(), "would retrain, but the policy only observes")
	})
	assert.Zero(t, calls["ExportIteration"])
	assert.Zero(t, calls["TrainProject"])
	assert.Equal(t, map[string]archive.Verdict{"CoreML": archive.Proven}, w.backups(exported))
	assert.NotNil(t, w.remembered(exported.Project).Iterations[exported.Iteration].Settled)
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
	project := w.project(general)
	key := Key{Project: project, Iteration: w.train(project)}
	assert.Equal(t, []string{"describe", "block", "settle"}, w.settle(key))
	assert.Contains(t, w.remembered(project).Iterations[key.Iteration].Blocked, "cannot be exported, because")
	assert.Empty(t, w.reconcile(key).Done)
	assert.Zero(t, w.service.Counts()["ExportIteration"])
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
	p, err := w.client.CreateProject(t.Context(), customvision.CreateProjectOptions{Name: "Kitchen", DomainID: compact})
	require.NoError(t, err)
	key := Key{Project: p.ID, Iteration: w.train(p.ID)}
	w.settle(key)
	assert.Equal(t, proven, w.backups(key))
}

func TestASweepGoesOnAfterAFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	keys := []Key{w.trained(), w.trained(), w.trained()}
	require.NoError(t, w.service.FaultCalls("GetIterations", 1, emulator.CallFault{Status: 403}))
	_, err := New(w.options).Sweep(t.Context(), "")
	require.ErrorContains(t, err, "403")
	assert.Equal(t, 2, w.service.Counts()["ExportIteration"], "the other projects")
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
	w.service.Advance(exportTime)
	w.sweep()
	assert.Equal(t, proven, w.backups(key))
}

func TestAProjectThatVanishedIsUnknown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	key := w.trained()
	w.settle(key)
	w.deleteProject(key.Project)
	_, err := New(w.options).Reconcile(t.Context(), key)
	assert.ErrorIs(t, err, ErrUnknownProject)
	assert.Equal(t, proven, w.backups(key), "the archive stays")
}

func TestAProjectThatNeverWasIsUnknownAndLeavesNoState(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	r := New(w.options)
	_, err := r.Reconcile(t.Context(), Key{Project: nowhere, Iteration: first})
	assert.ErrorIs(t, err, ErrUnknownProject)
	assert.ErrorIs(t, r.ConnectionTested(t.Context(), nowhere), ErrUnknownProject)
	assert.Empty(t, w.remembered(nowhere).Revision, "nothing was written")
}

func TestAConnectionTestIsRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	project := w.project(compact)
	require.NoError(t, New(w.options).ConnectionTested(t.Context(), project))
	at := w.remembered(project).ConnectionTest
	require.NotNil(t, at)
	assert.Equal(t, w.service.Now(), *at)
}

func TestAnIterationThatIsGoneIsForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	key := w.trained()
	w.settle(key)
	_, err := w.models.NewBlobClient(w.blob(key, "ONNX")).Delete(t.Context(), nil)
	require.NoError(t, err)
	w.train(key.Project)
	require.NoError(t, w.client.DeleteIteration(t.Context(), key.Project, key.Iteration))
	w.sweep()
	assert.NotContains(t, w.remembered(key.Project).Iterations, key.Iteration)
	assert.Equal(t, proven, w.backups(key), "the archive stays")
}

func TestTheOrderOfTheListTellsNothing(t *testing.T) {
	t.Parallel()
	for _, order := range []string{"oldest-first", "newest-first", "shuffled"} {
		t.Run(order, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, onnx, answering(emulator.IterationOrder, order), answering(emulator.NewIteration, "listed"))
			key := w.trained()
			newest := Key{Project: key.Project, Iteration: w.train(key.Project)}
			w.settle(newest)
			assert.Equal(t, proven, w.backups(newest))
			assert.Empty(t, w.kept(key))
		})
	}
}
