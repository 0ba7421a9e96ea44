package reconcile

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/events"
	"visionkeeper/internal/state"
)

// told are the types of a project's events, in their order.
func (w *app) told(project string) []string {
	w.t.Helper()
	record := w.Remembered(project)
	list := []string{}
	if record.Outbox != nil {
		for _, e := range record.Outbox.Events {
			list = append(list, e.Type)
		}
	}
	return list
}

func TestWhatIsSeenIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*"}]}`)
	w.options.Events = []string{"queue"}
	key := w.trained()
	w.export(key, "ONNX")
	report := w.reconcile(key)
	assert.True(t, report.Untold)
	assert.Equal(t, []string{events.TrainingCompleted, events.BackupProven}, w.told(key.Project))
	w.export(key, "TensorFlow")
	w.reconcile(key)
	w.reconcile(key)
	assert.Equal(t, []string{events.TrainingCompleted, events.BackupProven, events.BackupProven}, w.told(key.Project))
	w.Service.FailTrainings(1)
	w.Train(key.Project)
	w.reconcile(Key{Project: key.Project})
	assert.Equal(t, events.TrainingFailed, w.told(key.Project)[3])
}

// The process dies between the proof and the state: the proof is told by the next look,
// also where the app was told of destinations just then.
func TestAProofThatNobodyWroteDownIsTold(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]bool{"the destination was set before": true, "it is new": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, `{"projects":[{"project":"*"}]}`)
			w.line.Send = nil // the storage service's own clock, by which it dates blobs
			if before {
				w.options.Events = []string{"queue"}
			}
			key := w.trained()
			w.export(key, "ONNX")
			if !before {
				record := w.Remembered(key.Project)
				require.NotEmpty(t, record.Revision, "the app knows the project")
			}
			w.options.Events = []string{"queue"}
			proven := false
			w.line.Use(func(req *http.Request, send world.Send) (*http.Response, error) {
				if proven {
					return world.Refuse(http.StatusUnauthorized)(req, send)
				}
				proven = req.Method == http.MethodPut && strings.HasSuffix(req.URL.Path, ".proven.json")
				return send(req)
			})
			_, err := New(w.options).Reconcile(t.Context(), Request{Key: key})
			require.Error(t, err)
			proof := w.kept(key)[0]
			// Azurite dates in whole seconds, by this machine's clock.
			w.Eventually("its second is over", func() bool { return time.Since(proof.ProvedAt) > 1100*time.Millisecond })

			w.line.Use(nil)
			w.reconcile(key)
			assert.Contains(t, w.told(key.Project), events.BackupProven)
		})
	}
}

// A copy of an iteration that is gone is proven at the end, when nothing else looks at it.
func TestTheLastProofOfAnIterationIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*"}]}`)
	w.options.Events = []string{"queue"}
	key := Key{Project: w.Create(customvision.CreateProjectOptions{}).ID} // no blob in a model container shows it
	key.Iteration = w.Train(key.Project).ID
	w.export(key, "ONNX")
	require.NoError(t, w.Service.FaultCalls("GetTags", 100, emulator.CallFault{Status: 403}))
	_, err := w.try(key)
	require.Error(t, err)
	require.Equal(t, []string{events.TrainingCompleted}, w.told(key.Project))
	require.NoError(t, w.Client.DeleteIteration(t.Context(), key.Project, key.Iteration))
	_, err = New(w.options).Sweep(t.Context(), Before{})
	require.NoError(t, err)
	assert.Equal(t, []string{events.TrainingCompleted, events.BackupProven}, w.told(key.Project))
}

// A person's command doesn't know the app's destinations, and the state does.
func TestACommandTellsWhomTheAppTells(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*"}]}`)
	w.options.Events = []string{"queue", "webhook"}
	key := w.trained()
	w.reconcile(key)
	w.options.Events = nil
	w.export(key, "ONNX")
	w.reconcile(key)
	record := w.Remembered(key.Project)
	require.Len(t, record.Outbox.Events, 2)
	assert.Equal(t, []string{"queue", "webhook"}, record.Outbox.Events[1].Open)
}

func TestADestinationThatRefusesIsNoReasonToRememberAProject(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*"}]}`)
	w.options.Events = []string{"queue"}
	key := w.trained()
	w.reconcile(key)
	record, err := w.options.State.Load(t.Context(), key.Project)
	require.NoError(t, err)
	require.NoError(t, w.options.State.Update(t.Context(), record, func(p *state.Project) error {
		p.Note(state.Condition{Scope: state.Scope{Destination: "queue"}, Code: state.Undelivered, First: w.Service.Now()})
		return nil
	}))
	w.Service.Advance(48 * time.Hour)
	w.reconcile(Key{Project: key.Project})
	assert.Equal(t, []string{events.TrainingCompleted}, w.told(key.Project), "that it isn't told is no event")
}
