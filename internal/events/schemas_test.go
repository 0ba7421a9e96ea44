package events

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/dataset"
	"visionkeeper/internal/state"
)

func TestEachTypeHasASchemaAndARow(t *testing.T) {
	t.Parallel()
	files, err := os.ReadDir("../../docs/events")
	require.NoError(t, err)
	var named []string
	for _, f := range files {
		named = append(named, strings.TrimSuffix(f.Name(), ".schema.json"))
	}
	assert.ElementsMatch(t, Types, named)
	text, err := os.ReadFile("../../docs/events.md")
	require.NoError(t, err)
	for _, kind := range Types {
		assert.Contains(t, string(text), "[`"+kind+"`](events/"+kind+".schema.json)")
	}
}

// Those that a proof tells, TestAnEventIsCutToWhatAQueueTakes has.
func TestWhatIsSentHasTheFormOfItsSchema(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	p := &state.Project{ID: projectID, Name: "Küche"}
	at := time.Date(2026, 5, 1, 12, 0, 0, 5, time.FixedZone("", 7200))
	it := customvision.Iteration{ID: projectID, Name: "Iteration 1", Status: customvision.StatusCompleted}
	completed, _ := Trained(p, it, at)
	it.Status = customvision.StatusFailed
	failed, _ := Trained(p, it, at)
	it.Status = customvision.StatusTraining
	_, ended := Trained(p, it, at)
	assert.False(t, ended)
	secret := "https://a.example.com/b?sig=c2VjcmV0"
	blocked, _ := Blocked(p, state.Condition{Scope: state.Scope{Iteration: it.ID, Export: "ONNX"}, Code: state.NoLink, Why: "see " + secret, First: at}, "Iteration 1", at.Add(BlockedAfter))
	whole, _ := Blocked(p, state.Condition{Code: state.Unseen, First: at}, "", at.Add(BlockedAfter))
	key, err := archive.NewKey(projectID, projectID, "ONNX", "ONNX12")
	require.NoError(t, err)
	broken := Broken(o.Postman.Archive, archive.Backup{Key: key, Proof: "a proof", Verdict: archive.Lost}, "Küche", "Iteration 1", "lost", "it is gone: "+secret, at)
	overdue := Overdue(state.Health{Ended: at}, at, at)
	round := Overdue(state.Health{Ended: at.Add(1), Round: at}, at, at)
	proof := dataset.Proof{Name: dataset.Name{Project: projectID, Of: dataset.Workspace, Snapshot: "20260501T120000Z-01234567"}, Verdict: dataset.Complete, ProjectName: "Küche", Ended: at}
	saved, isComplete := Saved(o.Postman.Archive, proof)
	assert.True(t, isComplete)
	proof.Verdict = dataset.Changed
	_, isComplete = Saved(o.Postman.Archive, proof)
	assert.False(t, isComplete)
	named := func(id string) string { return "Iteration " + id }
	promoted, _ := Promoted(&state.Project{ID: projectID, Name: "Küche", Promotion: &state.Promotion{Name: "production", Holder: "2", From: "1", By: state.ByPolicy, At: at}}, named)
	_, isPromoted := Promoted(&state.Project{Promotion: &state.Promotion{Name: "production", Holder: "2"}}, named)
	assert.False(t, isPromoted, "it had the name when the app first looked")
	seen := map[string]bool{}
	for _, e := range []state.Event{completed, failed, blocked, whole, broken, promoted, saved, overdue, round} {
		body, err := write(t.Context(), o.Postman.Archive, e)
		require.NoError(t, err)
		read := world.ReadEvent(t, body)
		assert.NotContains(t, string(body), "c2VjcmV0")
		assert.Equal(t, e.Type, read.Type)
		assert.False(t, seen[read.ID], "each has an id of its own")
		seen[read.ID] = true
	}
	again, _ := Trained(&state.Project{ID: projectID, Name: "renamed"}, customvision.Iteration{ID: projectID, Status: customvision.StatusCompleted}, at.Add(time.Second))
	assert.Equal(t, completed.ID, again.ID, "the id is that of what happened")
	_, isEvent := Blocked(p, state.Condition{Code: state.NoLink, First: at}, "", at.Add(BlockedAfter-1))
	assert.False(t, isEvent)
}
