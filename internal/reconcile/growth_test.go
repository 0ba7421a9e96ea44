package reconcile

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/models"
	"visionkeeper/internal/state"
)

// Half of very many blobs of one iteration are archived, and have conditions of earlier
// tries. What that shows is one change, not one for each: each change may be made
// several times.
func TestWhatARunShowsOfManyBlobsIsOneChange(t *testing.T) {
	t.Parallel()
	const many = 20_000
	r := New(Options{Clock: SystemClock{}})
	v := r.visit(scope{project: projectID, whole: true, blobsKnown: true}, &state.Record{Project: state.Project{ID: projectID}, Seen: noon})
	look := &Look{}
	for n := range many {
		b := models.Blob{Project: projectID, Iteration: first, Platform: "ONNX", Name: fmt.Sprintf("%d.ONNX", n), ETag: fmt.Sprint(n)}
		v.scope.blobs = append(v.scope.blobs, b)
		s := state.Scope{Iteration: first, Blob: b.Name, ETag: b.ETag}
		note(&v.seen.Project, s, false, fault{code: state.Resting, why: "it rests"}, false, "", noon)
		if n%2 == 0 {
			look.Backups = append(look.Backups, archive.Backup{Verdict: archive.Proven, Origin: archive.Origin{Kind: archive.FromContainer, Name: b.Name, ETag: b.ETag}})
		}
	}
	v.rules.Under = "another version" // so that all are due
	v.seen.Blobs = v.unknownBlobs()
	v.seen.Looks[first] = look
	require.Len(t, Plan(v.rules, v.seen), many/2, "the others")
	v.conclude(t.Context())
	assert.Len(t, v.seen.Project.Iterations[first].Blobs, many/2)
	assert.Len(t, v.seen.Project.Conditions, many/2)
	assert.Len(t, v.changes, 1)
}

func TestOfADeletedIterationOnlyItsBlobsAreRemembered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","exports":["ONNX"]}]}`)
	key := w.trained()
	w.settle(key)
	before := w.Remembered(key.Project).Iterations[key.Iteration]
	require.NotEmpty(t, before.Facts)
	require.NotEmpty(t, before.Blobs)

	require.NoError(t, w.Client.DeleteIteration(t.Context(), key.Project, key.Iteration))
	w.sweep()
	w.Service.Advance(lackedFor)
	w.sweep()
	assert.Equal(t, &state.Iteration{Blobs: before.Blobs}, w.Remembered(key.Project).Iterations[key.Iteration])
}
