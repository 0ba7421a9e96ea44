package reconcile

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/world"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
)

// twinned is a project whose model can't be exported, and its twin before its training.
func (w *app) twinned() (original, twin customvision.Project) {
	w.t.Helper()
	original = w.Create(customvision.CreateProjectOptions{DomainID: world.General})
	w.Train(original.ID)
	copied, err := w.Client.ExportProject(w.t.Context(), original.ID)
	require.NoError(w.t, err)
	twin, err = w.Client.ImportProject(w.t.Context(), copied.Token, policy.TwinName(original.ID, original.Name, "ABCDEFGH"))
	require.NoError(w.t, err)
	w.Service.Advance(time.Minute)
	return original, twin
}

// TestATwinIsOnlyExported has a policy that wants everything of every project.
func TestATwinIsOnlyExported(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","exports":["ONNX"],"iterations":["all"],"keep":1,"twin":{},"retrain":{"afterFailure":3,"onImages":1},
		"promote":{"name":"production","predictionId":"/subscriptions/s/resourceGroups/g/providers/Microsoft.CognitiveServices/accounts/a"}}]}`)
	w.sweep()
	original, twin := w.twinned()
	w.sweep()
	assert.Empty(t, w.Remembered(twin.ID).Conditions, "that what it brought along can't be exported is no news")
	assert.NotEmpty(t, w.Remembered(original.ID).Conditions, "of the original it is one")

	twin.Settings.DomainID = world.Compact
	_, err := w.Client.UpdateProject(t.Context(), twin.ID, twin)
	require.NoError(t, err)
	calls := w.calls(func() {
		w.Service.FailTrainings(1)
		w.Train(twin.ID)
		w.AddPictures(twin.ID, 0, 3, w.Tag(twin.ID, "cup"))
		w.sweep()
		trained := w.Train(twin.ID)
		w.settle(Key{Project: twin.ID})
		assert.Equal(t, 1, len(w.Backups(twin.ID, trained.ID)))
	})
	assert.Equal(t, 2, calls["TrainProject"], "those of the test")
	assert.Equal(t, 1, calls["ExportIteration"])
	assert.Zero(t, calls["PublishIteration"]+calls["DeleteIteration"])
}

func TestTheConditionOfATwinStandsWhileTheTwinIsOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","twin":{}}]}`)
	original, _ := w.twinned()
	w.sweep()
	scope := state.Scope{Fact: state.FactTwin}
	remember := func(ended time.Time) {
		record, err := w.State.Load(t.Context(), original.ID)
		require.NoError(t, err)
		require.NoError(t, w.State.Update(t.Context(), record, func(p *state.Project) error {
			p.Twin = &state.Twin{Name: "twin", Asked: record.Seen, Ended: ended}
			p.Note(state.Condition{Scope: scope, Code: state.TwinRefused, Why: "no", First: record.Seen, Last: record.Seen, Attempts: 1, Next: record.Seen.Add(time.Hour)})
			return nil
		}))
	}
	stands := func() bool {
		w.Service.Advance(8 * 24 * time.Hour)
		w.sweep()
		p := w.Remembered(original.ID)
		return p.Condition(scope) != nil
	}
	remember(time.Time{})
	assert.True(t, stands())
	w.options.Policy = parsed(t, `{"projects":[{"project":"*"}]}`)
	assert.False(t, stands(), "the policy allows none any more")
	w.options.Policy = parsed(t, `{"projects":[{"project":"*","twin":{}}]}`)
	remember(w.Service.Now())
	assert.False(t, stands(), "it has ended")
}
