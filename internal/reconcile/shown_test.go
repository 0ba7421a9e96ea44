package reconcile

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/world"
)

func TestWhatTheServiceShowedLastIsRememberedForPeople(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","exports":["ONNX"]}]}`)
	project := w.project(world.Compact)
	it := w.Train(project)
	sent := w.Service.Now().Truncate(time.Second).UTC()
	r := New(w.options)
	look := func(inserted time.Time) {
		t.Helper()
		_, err := r.Reconcile(t.Context(), Request{Key: Key{Project: project, Iteration: it.ID}, Inserted: inserted})
		require.NoError(t, err)
	}
	look(sent)
	remembered := w.Remembered(project)
	require.Contains(t, remembered.Shown, it.ID)
	shown := remembered.Shown[it.ID]
	assert.Equal(t, "Completed", shown.Status)
	assert.Equal(t, it.Name, shown.Name)
	assert.Equal(t, map[string]string{"ONNX": "Exporting"}, shown.Exports)
	assert.Equal(t, sent, remembered.Notified.UTC(), "when the message about it was sent")

	w.Service.Advance(time.Minute)
	look(time.Time{})
	remembered = w.Remembered(project)
	assert.Equal(t, map[string]string{"ONNX": "Done"}, remembered.Shown[it.ID].Exports)
	assert.Equal(t, sent, remembered.Notified.UTC(), "no message led to this look")

	require.NoError(t, w.Client.DeleteIteration(t.Context(), project, it.ID))
	_, err := r.Reconcile(t.Context(), Request{Key: Key{Project: project}})
	require.NoError(t, err)
	assert.NotContains(t, w.Remembered(project).Shown, it.ID)
}
