package state

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/internal/seal"
)

// sealed is a document as a program wrote it.
func sealed(t *testing.T, v any) []byte {
	t.Helper()
	data, err := seal.Marshal(v)
	require.NoError(t, err)
	return data
}

func TestAStateOfVersionOneIsRead(t *testing.T) {
	t.Parallel()
	var p Project
	require.NoError(t, decode(sealed(t, map[string]any{
		"id": projectID, "name": "Kitchen", "revision": "r",
		"iterations": map[string]any{
			"done":    map[string]any{"settled": map[string]any{"rule": "r"}},
			"given":   map[string]any{"settled": map[string]any{"rule": "r"}, "blocked": "not compact"},
			"refused": map[string]any{"settled": map[string]any{"rule": "r"}, "exports": map[string]any{"ONNX": map[string]any{"refused": "no", "attempts": 3}}},
		},
		"trainings": []any{map[string]any{"token": "t", "cause": "c", "refused": "not needed"}},
	}), &p))
	assert.Equal(t, "Kitchen", p.Name)
	assert.NotNil(t, p.Iterations["done"].Settled)
	assert.Nil(t, p.Iterations["given"].Settled, "what was given up is looked at again")
	assert.Nil(t, p.Iterations["refused"].Settled)
	assert.False(t, p.Seen.IsZero(), "the app knew the project")
	assert.False(t, p.Trainings[0].Open())
}

func TestAStateOfANewerVersionIsAnErrorThatChangesNothing(t *testing.T) {
	t.Parallel()
	s := newStore(t, nil)
	data := sealed(t, map[string]any{"version": formatVersion + 1, "id": projectID, "name": "from the future"})
	_, err := s.write(t.Context(), projectBlob(projectID), data, "")
	require.NoError(t, err)
	_, err = s.Load(t.Context(), projectID)
	assert.ErrorIs(t, err, ErrNewer)
	kept, _, err := s.read(t.Context(), projectBlob(projectID))
	require.NoError(t, err)
	assert.Equal(t, data, kept)
}

func TestAStateThatIsTooLargeIsBroken(t *testing.T) {
	t.Parallel()
	var p Project
	assert.ErrorIs(t, decode([]byte(strings.Repeat(" ", maxBlob+1)), &p), seal.ErrBroken)
}

func TestNothingIsWrittenThatTheReaderRefuses(t *testing.T) {
	t.Parallel()
	large := Project{ID: projectID, Name: "Kitchen", Version: formatVersion}
	large.Iteration("i").Facts = []byte(`"` + strings.Repeat("x", maxFacts) + `"`)
	for n := range 3 {
		large.Iteration("i").Archived(strings.Repeat("x", maxBlob/2)+strings.Repeat("y", n), "etag")
	}
	data, err := encode(large.Clone())
	require.NoError(t, err)
	var p Project
	require.NoError(t, decode(data, &p))
	assert.Equal(t, "Kitchen", p.Name)
	assert.Nil(t, p.Iterations["i"].Facts, "they are asked for again")
	assert.Nil(t, p.Iterations["i"].Blobs, "the archive tells them as well")
}
