package reconcile

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/world"
)

func TestPreviewSaysWhatReconcileThenDoesAndChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects": [{"project": "*", "exports": ["TensorFlow"]}]}`)
	key := w.trained()
	w.export(key, "ONNX")
	before := w.Remembered(key.Project)

	var planned []Action
	var report Report
	var calls map[string]int
	sent := w.line.During(func() {
		calls = w.calls(func() {
			var err error
			planned, report, err = New(w.options).Preview(t.Context(), Request{Key: Key{Project: key.Project}})
			require.NoError(t, err)
		})
	})
	assert.Equal(t, before, w.Remembered(key.Project))
	assert.Empty(t, report.Done)
	assert.NotContains(t, calls, "ExportIteration")
	for _, request := range sent {
		assert.True(t, request.Method == http.MethodGet, request)
	}
	done := steps(w.reconcile(key).Done)
	assert.Subset(t, done, steps(planned), "what it does first is what was said")
	assert.NotEmpty(t, planned)
}

func TestPreviewOfOneIterationLeavesTheOthersOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects": [{"project": "*", "exports": ["ONNX"], "iterations": ["all"]}]}`)
	key := w.trained()
	w.Train(key.Project)
	planned, _, err := New(w.options).Preview(t.Context(), Request{Key: key})
	require.NoError(t, err)
	require.NotEmpty(t, planned)
	for _, a := range planned {
		assert.Equal(t, key.Iteration, a.Iteration)
	}
}

func TestPreviewTellsAProjectOutsideThePolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects": [{"project": "another", "exports": ["ONNX"]}]}`)
	planned, report, err := New(w.options).Preview(t.Context(), Request{Key: Key{Project: w.project(world.Compact)}})
	require.NoError(t, err)
	assert.True(t, report.Outside)
	assert.Empty(t, planned)
}

func TestPreviewWithoutAnEndpointNamesTheBlobsNotYetArchived(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	key := w.trained()
	w.export(key, "ONNX")
	w.options.Service = nil
	planned, report, err := New(w.options).Preview(t.Context(), Request{})
	require.NoError(t, err)
	assert.True(t, report.ContainerOnly)
	require.Len(t, planned, 1)
	assert.Equal(t, Collect, planned[0].Kind)
	assert.Contains(t, planned[0].Blob, key.Iteration, "as a run would report it")

	w.reconcile(Key{Project: key.Project})
	planned, _, err = New(w.options).Preview(t.Context(), Request{})
	require.NoError(t, err)
	assert.Empty(t, planned)
}
