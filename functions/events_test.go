package functions_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/dotnet"
	"visionkeeper/internal/events"
	"visionkeeper/internal/overview"
	"visionkeeper/internal/state"
)

// telling lets the app tell a queue what happens, over its line.
func (w *app) telling() *azqueue.QueueClient {
	w.t.Helper()
	q := w.EventsQueue()
	w.postman = &events.Postman{
		Archive:      w.options.Archive,
		Destinations: []events.Destination{events.Queue{Queues: w.Archives.Queues(&w.small), Queue: w.Names.Events}},
	}
	w.options.Events = w.postman.Names()
	w.restart()
	return q
}

// exported is the message that an export of an iteration ended.
func (w *app) exported(iteration string) customvision.Notification {
	return customvision.Notification{Kind: customvision.KindExport, ProjectID: w.project, IterationID: iteration, ExportStatus: "Done"}
}

func kinds(told []world.Event) []string {
	var list []string
	for _, e := range told {
		list = append(list, e.Type)
	}
	return list
}

func TestABackupIsToldToAQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{policy: `{"projects":[{"project":"*"}]}`, container: true})
	q := w.telling()
	iteration := w.train()
	w.export(iteration)
	require.NoError(t, w.tell(t.Context(), w.exported(iteration)))

	told := w.Told(q)
	require.Equal(t, []string{events.TrainingCompleted, events.BackupProven}, kinds(told))
	backup := w.kept()[0]
	proof, err := w.Archive.Proof(t.Context(), backup)
	require.NoError(t, err)
	e := told[1]
	assert.Equal(t, backup.Blob, e.Subject)
	assert.Equal(t, w.Containers.Archive.URL(), e.Source)
	assert.Equal(t, proof.SHA256, e.Data["sha256"])
	assert.Equal(t, w.project, e.Data["project"].(map[string]any)["id"])
	assert.Equal(t, "Iteration 1", e.Data["iteration"].(map[string]any)["name"])
	assert.NotEmpty(t, e.Data["performance"])

	require.NoError(t, w.sweep(t.Context()))
	require.NoError(t, w.tell(t.Context(), w.exported(iteration)))
	assert.Empty(t, w.Told(q), "nothing is told twice")
	record := w.Remembered(w.project)
	assert.False(t, record.Outbox.Open())
	assert.Nil(t, record.Condition(state.Scope{Destination: "queue"}))
}

func TestWithoutDestinationsNoEventsAreKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{policy: `{"projects":[{"project":"*"}]}`, container: true})
	iteration := w.train()
	w.export(iteration)
	require.NoError(t, w.tell(t.Context(), w.exported(iteration)))
	assert.Nil(t, w.Remembered(w.project).Outbox)

	w.line.Send = w.Timed
	w.telling()
	require.NoError(t, w.sweep(t.Context()))
	assert.NotNil(t, w.Remembered(w.project).Outbox)
	assert.Empty(t, w.Remembered(w.project).Outbox.Events, "what was before isn't told")

	w.options.Events = []string{}
	w.restart()
	w.Service.Advance(time.Minute)
	require.NoError(t, w.sweep(t.Context()))
	assert.Nil(t, w.Remembered(w.project).Outbox)
}

// Sweeps every quarter of an hour: the second that is missed is told, once.
func TestSweepsThatDoNotComeAreNoticedByAMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{policy: onnx, container: true, told: true})
	schedule, err := dotnet.ParseSchedule("0 */15 * * * *")
	require.NoError(t, err)
	ended := w.Service.Now().Truncate(time.Hour)
	now := ended
	watch := &events.Watch{Postman: w.postman, Schedule: schedule, Longest: 10 * time.Minute, Now: func() time.Time { return now }}
	look := func(after time.Duration) []world.Event {
		now = ended.Add(after)
		watch.Look(t.Context())
		return w.Told(w.events)
	}
	assert.Empty(t, look(0), "nobody knows since when")
	require.NoError(t, w.State.SetHealth(t.Context(), state.Health{Ended: ended}))
	assert.Empty(t, look(39*time.Minute), "the second may still be at work")
	told := look(45 * time.Minute)
	require.Equal(t, []string{events.SweepOverdue}, kinds(told))
	assert.Equal(t, ended.Add(15*time.Minute).Format(time.RFC3339), told[0].Data["missed"])
	assert.Empty(t, look(2*time.Hour))
	require.NoError(t, w.State.SetHealth(t.Context(), state.Health{Ended: ended.Add(3 * time.Hour)}))
	assert.Empty(t, look(3*time.Hour+20*time.Minute))
	again := look(4 * time.Hour)
	require.Equal(t, []string{events.SweepOverdue}, kinds(again))
	assert.NotEqual(t, told[0].ID, again[0].ID)
}

// What is about no one project waits too, and health.json and status say so. Who is no
// destination any more is waited for no longer.
func TestADestinationThatTakesNothingOfTheAppItselfIsShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{policy: onnx, container: true, told: true})
	_, err := w.events.Delete(t.Context(), nil)
	require.NoError(t, err)
	record, err := w.State.Load(t.Context(), state.App)
	require.NoError(t, err)
	now := w.Service.Now()
	require.NoError(t, w.State.Update(t.Context(), record, func(p *state.Project) error {
		p.Events(w.postman.Names(), now).Add(now, events.Overdue(state.Health{Ended: now}, now, now))
		return nil
	}))
	shown := func() (ofHealth []state.ProjectCondition, blocked int, ofStatus []overview.Condition) {
		require.NoError(t, w.sweep(t.Context()))
		health, err := w.State.Health(t.Context())
		require.NoError(t, err)
		status, err := overview.New(overview.Sources{Archive: w.Archive, State: w.State}).Gather(t.Context())
		require.NoError(t, err)
		assert.Empty(t, status.Sweep.Conditions)
		return health.Conditions, health.Blocked, status.Conditions
	}
	_, _, ofStatus := shown() // the sweep has told of it after it had written health.json
	require.Len(t, ofStatus, 1)
	assert.Contains(t, ofStatus[0].Why, "1 of the app's events wait for the queue")
	ofHealth, blocked, _ := shown()
	require.Len(t, ofHealth, 1)
	assert.Equal(t, 1, blocked)
	assert.Equal(t, state.App, ofHealth[0].Project)
	assert.Equal(t, state.Undelivered, ofHealth[0].Code)

	w.postman.Destinations = nil
	w.options.Events = []string{}
	w.restart()
	ofHealth, blocked, ofStatus = shown()
	assert.Empty(t, ofHealth)
	assert.Zero(t, blocked)
	assert.Empty(t, ofStatus)
}

// busy takes one event and then uses up the sweep's time.
type busy struct {
	got []string
	end context.CancelFunc
}

func (b *busy) Name() string                { return "busy" }
func (b *busy) Place() string               { return "somebody busy" }
func (b *busy) Fingerprint() string         { return "" }
func (b *busy) Check(context.Context) error { return nil }
func (b *busy) Send(_ context.Context, _ string, body []byte) error {
	var e world.Event
	if err := json.Unmarshal(body, &e); err != nil {
		return err
	}
	b.got = append(b.got, e.Subject)
	b.end()
	return nil
}

// Each project has more to tell than there is time for.
func TestASweepTellsFirstOfTheProjectsThatTheLastOneHadNoTimeFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{policy: onnx, container: true})
	b := &busy{}
	w.postman = &events.Postman{Archive: w.options.Archive, Destinations: []events.Destination{b}}
	w.options.Events = w.postman.Names()
	projects := []string{w.project, w.Create(customvision.CreateProjectOptions{Name: "Second"}).ID, w.Create(customvision.CreateProjectOptions{Name: "Third"}).ID}
	slices.Sort(projects)
	now := w.Service.Now()
	for _, id := range projects {
		record, err := w.State.Load(t.Context(), id)
		require.NoError(t, err)
		require.NoError(t, w.State.Update(t.Context(), record, func(p *state.Project) error {
			var list []state.Event
			for n := range 5 {
				list = append(list, state.Event{ID: fmt.Sprint(n), Type: events.TrainingCompleted, Subject: id, Time: now, Data: json.RawMessage(`{}`)})
			}
			p.Events(w.options.Events, now).Add(now, list...)
			return nil
		}))
	}
	for range 4 {
		var ctx context.Context
		ctx, b.end = context.WithCancel(t.Context())
		w.restart() // the process may be another one
		require.NoError(t, w.sweep(ctx))
	}
	assert.Equal(t, append(projects, projects[0]), b.got)
}

func TestWhatCannotBeDoneForADayIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{policy: `{"projects":[{"project":"*","exports":["ONNX"]}]}`, container: true, told: true})
	require.NoError(t, w.Service.FaultCalls("ExportIteration", 100, emulator.CallFault{Status: http.StatusForbidden, Code: "BadRequestExport"}))
	iteration := w.train()
	for range 3 {
		require.NoError(t, w.sweep(t.Context()))
	}
	assert.Equal(t, []string{events.TrainingCompleted}, kinds(w.Told(w.events)))
	w.Service.Advance(25 * time.Hour)
	require.NoError(t, w.sweep(t.Context()))
	told := w.Told(w.events)
	require.Equal(t, []string{events.ExportBlocked}, kinds(told))
	assert.Equal(t, w.project+"/"+iteration+"/ONNX", told[0].Subject)
	assert.Equal(t, "export-refused", told[0].Data["code"])
	w.Service.Advance(25 * time.Hour)
	require.NoError(t, w.sweep(t.Context()))
	assert.Empty(t, w.Told(w.events), "once")
}
