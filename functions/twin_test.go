package functions_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/world"
	"visionkeeper/internal/customvision"
)

// TestSweepsMakeATwin has one that a person asked for, from the copy to its deletion.
func TestSweepsMakeATwin(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{policy: doubled})
	twinned(w)
	for range 5 {
		require.NoError(t, w.sweep(t.Context()))
		w.Service.Advance(world.TrainTime)
	}
	twin := w.Remembered(w.project).Twin
	assert.Equal(t, "is in the archive, and no longer in Custom Vision", twin.Stage())
	assert.Len(t, w.Backups(twin.Project, ""), 1)
	list, err := w.Archive.Twins(t.Context(), w.project)
	require.NoError(t, err)
	assert.Len(t, list, 1)
}

// TestTwinsComeAfterTheBackups has another project whose export waits.
func TestTwinsComeAfterTheBackups(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{policy: doubled})
	twinned(w)
	other := w.Create(customvision.CreateProjectOptions{}).ID
	w.Export(other, w.Train(other).ID, "ONNX", "")
	proof, copied := 0, 0
	for n, r := range w.line.During(func() { require.NoError(t, w.sweep(t.Context())) }) {
		switch w.plainOperation(r.Request) {
		case "proof PUT":
			proof = n
		case "ImportProject":
			copied = n
		}
	}
	assert.Positive(t, proof)
	assert.Greater(t, copied, proof)
}

// TestATwinThatComesToNoAnswerHoldsUpNoOther has a project that is never copied, before
// another one.
func TestATwinThatComesToNoAnswerHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{policy: doubled})
	twinned(w)
	held := w.project
	w.create(setting{container: true})
	twinned(w)
	w.line.Use(world.On(func(r *http.Request) bool {
		return strings.HasSuffix(r.URL.Path, "/projects/"+held+"/export")
	}, func(r *http.Request, _ world.Send) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}))
	require.Error(t, w.within(20*time.Second))
	assert.Empty(t, w.Remembered(held).Twin.Project)
	assert.NotEmpty(t, w.Remembered(w.project).Twin.Project)
}
