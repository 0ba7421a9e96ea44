package state

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

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

// A version that knew failures alone wrote the iteration's id, and reads whatever else
// stands there as one that is gone.
func TestACauseIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	for text, c := range map[string]Cause{
		"": {}, projectID: FailureOf(projectID), "images:12": {Images, "12"}, "age:2026-11-01": {Age, "2026-11-01"},
		"after:model.promoted a b": {AfterEvent, "model.promoted a b"}, "of a later version:x": FailureOf("of a later version:x"),
	} {
		var p Project
		require.NoError(t, decode(sealed(t, map[string]any{"version": formatVersion, "id": projectID, "trainings": []any{map[string]any{"token": "t", "cause": text}}}), &p))
		assert.Equal(t, c, p.Trainings[0].Cause)
		data, err := encode(p)
		require.NoError(t, err)
		assert.Contains(t, string(data), `"cause": "`+text+`"`)
	}
}

func TestWhatIsSpentIsKeptUntilItIsOld(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_000_000, 0).UTC()
	p := Project{Spent: []Spent{{Token: "old", At: at}, {Token: "lost", At: at.Add(2), Minutes: 60}, {Token: "mine", At: at.Add(2), Minutes: 60}}}
	known := []Spent{{Token: "mine", Iteration: "a", At: at.Add(3), Minutes: 5}, {Iteration: "b", At: at.Add(4), Minutes: 7}, {Token: "withdrawn", At: at.Add(3)}}
	want := []Spent{p.Spent[1], known[0], known[1]}
	for range 2 { // on top of what another has written, too
		p.Spend(known, at.Add(1))
		assert.Equal(t, want, p.Spent)
	}
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

func TestFactsAreCutByTheLargest(t *testing.T) {
	t.Parallel()
	p := Project{ID: projectID}
	p.Iteration("i").Facts = []byte(`{"a":1,"tags":"` + strings.Repeat("x", maxFacts) + `","b":"` + strings.Repeat("y", maxFacts/2) + `","c":true}`)
	data, err := encode(p)
	require.NoError(t, err)
	var again Project
	require.NoError(t, decode(data, &again))
	assert.JSONEq(t, `{"a":1,"b":"`+strings.Repeat("y", maxFacts/2)+`","c":true}`, string(again.Iterations["i"].Facts))
}

// What is left out of what is written must not be missed by the run that goes on.
func TestWhatIsTooLargeIsLeftOutOfWhatIsWrittenAlone(t *testing.T) {
	t.Parallel()
	s := newStore(t, nil)
	r, err := s.Load(t.Context(), projectID)
	require.NoError(t, err)
	large := Project{ID: projectID}
	large.Iteration("i").Facts = []byte(`"` + strings.Repeat("x", maxFacts) + `"`)
	large.Iteration("i").Archived("a blob", "etag")
	for n := range maxBlob / 1000 {
		large.Note(Condition{Scope: Scope{Iteration: "i", Blob: fmt.Sprint(strings.Repeat("x", 1000), n)}, Code: Resting})
	}
	large.Note(Condition{Scope: Scope{Iteration: "i", Export: "ONNX"}, Code: NoLink})
	require.NoError(t, s.Update(t.Context(), r, func(p *Project) error {
		*p = large.Clone()
		return nil
	}))
	large.Version, large.Revision = r.Version, r.Revision
	assert.True(t, same(large, r.Project))
	written, err := s.Load(t.Context(), projectID)
	require.NoError(t, err)
	require.Len(t, written.Conditions, 1)
	assert.Equal(t, NoLink, written.Conditions[0].Code)
	assert.Nil(t, written.Iterations["i"].Facts)
}

// version-1.json was written by the version before.
func TestAStateThatTheVersionBeforeWroteIsRead(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/version-1.json")
	require.NoError(t, err)
	var p Project
	require.NoError(t, decode(data, &p))
	done, given, whole := p.Iterations["11111111-1111-4111-8111-111111111111"], p.Iterations["22222222-2222-4222-8222-222222222222"], p.Iterations["33333333-3333-4333-8333-333333333333"]
	assert.Equal(t, "Küche <1> & more", p.Name)
	assert.True(t, p.Container)
	assert.False(t, p.ConnectionTest.IsZero())
	assert.False(t, p.Seen.IsZero(), "the app knew the project")
	assert.Equal(t, "act-0123456789abcdef", done.Settled.Rule)
	assert.NotEmpty(t, done.Facts)
	assert.Equal(t, map[string]string{projectID + " - 11111111-1111-4111-8111-111111111111.ONNX": `"0x8DD00000000001"`}, done.Blobs)
	assert.Nil(t, given.Settled, "what was given up is looked at again")
	assert.Nil(t, whole.Settled)
	assert.False(t, given.Exports["ONNX"].Until.IsZero(), "an open intent stays one")
	assert.Empty(t, p.Conditions, "nothing is put off")
	require.Len(t, p.Trainings, 3)
	assert.Equal(t, []bool{false, false, true}, []bool{p.Trainings[0].Open(), p.Trainings[1].Open(), p.Trainings[2].Open()})

	again, err := encode(p.Clone())
	require.NoError(t, err)
	var rewritten Project
	require.NoError(t, decode(again, &rewritten))
	rewritten.Seen = p.Seen
	assert.True(t, same(p, rewritten))
}
