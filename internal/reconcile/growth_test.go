package reconcile

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/internal/state"
)

func TestOfADeletedIterationOnlyItsBlobsAreRemembered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","exports":["ONNX"]}]}`)
	key := w.trained()
	w.settle(key)
	before := w.Remembered(key.Project).Iterations[key.Iteration]
	require.NotEmpty(t, before.Facts)
	require.NotEmpty(t, before.Blobs)

	require.NoError(t, w.Client.DeleteIteration(t.Context(), key.Project, key.Iteration))
	_, err := New(w.options).Sweep(t.Context(), "", false)
	require.NoError(t, err)
	assert.Equal(t, &state.Iteration{Blobs: before.Blobs}, w.Remembered(key.Project).Iterations[key.Iteration])
}
