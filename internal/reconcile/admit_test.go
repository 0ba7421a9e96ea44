package reconcile

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

// Messages pile up, and several processes have some about each project at the same time:
// one of them looks, and the others answer by what it found. That the export which the
// look asks for is underway is an answer, too.
func TestProcessesShareALookAtWhatManyMessagesAreAbout(t *testing.T) {
	t.Parallel()
	const processes, projects, copies = 6, 3, 4
	w := newWorld(t, onnx)
	w.overLine()
	w.options.Clock = SystemClock{}
	w.options.Times.LookInterval = time.Second
	var keys []Key
	for range projects {
		keys = append(keys, w.trained())
	}
	sent := w.Service.Now()
	w.Service.Advance(time.Minute)
	all := func() map[string]int {
		return w.calls(func() {
			var done sync.WaitGroup
			for range processes {
				r := New(w.options)
				for _, key := range keys {
					for range copies {
						done.Go(func() {
							report, err := r.Reconcile(t.Context(), Request{Key: key, Inserted: sent})
							assert.NoError(t, err)
							assert.NoError(t, report.Err(""))
						})
					}
				}
			}
			done.Wait()
		})
	}
	calls := all()
	assert.Equal(t, projects, calls["ExportIteration"])
	assert.LessOrEqual(t, calls["GetIterations"], 2*projects, "a look, and a fresh one before the export: %v", calls)
	assert.LessOrEqual(t, calls["GetExports"], 2*projects)
	assert.Equal(t, projects, calls["GetTags"])
	for _, key := range keys {
		remembered := w.Remembered(key.Project)
		assert.Nil(t, remembered.Looking)
		assert.NotNil(t, remembered.Iterations[key.Iteration].Looked)
	}
	assert.Empty(t, all(), "those that come later cost no call")

	w.Service.Advance(world.ExportTime)
	sent = w.Service.Now()
	w.Service.Advance(time.Minute)
	calls = all()
	assert.Equal(t, map[string]int{"GetIterations": projects, "GetExports": projects}, calls)
	for _, key := range keys {
		assert.Equal(t, proven, w.backups(key))
		assert.Len(t, w.kept(key), 1)
	}
	assert.Empty(t, all())
}

// The process that looks dies: another one takes over after a minute.
func TestALookThatCameToNoEndIsTakenOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	key := w.trained()
	record, err := w.options.State.Load(t.Context(), key.Project)
	require.NoError(t, err)
	require.NoError(t, w.options.State.Update(t.Context(), record, func(p *state.Project) error {
		p.Looking = &state.Looking{Token: "of a process that died", Until: record.Seen.Add(lookFor)}
		return nil
	}))
	from := w.Service.Now()
	report, err := New(w.options).Reconcile(t.Context(), Request{Key: key, Inserted: from.Add(-time.Hour)})
	require.NoError(t, err)
	assert.Len(t, report.Done, 2, "described, and asked for")
	assert.GreaterOrEqual(t, w.Service.Now().Sub(from), lookFor)
	assert.Less(t, w.Service.Now().Sub(from), 2*lookFor)

	record, err = w.options.State.Load(t.Context(), key.Project)
	require.NoError(t, err)
	require.NoError(t, w.options.State.Update(t.Context(), record, func(p *state.Project) error {
		p.Looking = &state.Looking{Token: "of another", Until: record.Seen.Add(lookFor)}
		return nil
	}))
	from = w.Service.Now()
	w.sweep()
	w.reconcile(key)
	assert.Less(t, w.Service.Now().Sub(from), lookFor, "neither a sweep nor a person waits")
}

// A look that takes longer than others wait for it says so while it goes on.
func TestALookThatTakesLongIsNotTakenOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","exports":[]}]}`)
	key := w.trained()
	for _, name := range []string{"ONNX", "CoreML", "TensorFlow", "DockerFile.Linux"} {
		w.export(key, name)
	}
	sent := w.Service.Now()
	w.Service.Advance(time.Minute)
	copies, free := 0, 0
	w.line.Use(func(req *http.Request, send world.Send) (*http.Response, error) {
		if world.Copies(req) {
			copies++
			w.Service.Advance(lookFor - 20*time.Second)
			record, err := state.Open(w.Archives.Blobs(nil), w.Names.State).Load(t.Context(), key.Project)
			assert.NoError(t, err)
			if record.Looking == nil || !w.Service.Now().Before(record.Looking.Until) {
				free++
			}
		}
		return send(req)
	})
	_, err := New(w.options).Reconcile(t.Context(), Request{Key: key, Inserted: sent})
	require.NoError(t, err)
	assert.Equal(t, 4, copies)
	assert.Zero(t, free, "another process would look, too")
	assert.Nil(t, w.Remembered(key.Project).Looking)
}

// Where messages about a project that no process knows pile up, one looks at it too.
func TestTheFirstLookAtAProjectIsShared(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	project := w.Create(customvision.CreateProjectOptions{DomainID: world.Compact}).ID
	key := Key{Project: project, Iteration: w.Train(project).ID}
	sent := w.Service.Now()
	w.Service.Advance(time.Minute)
	looks, unsaid := 0, 0
	w.overLine()
	w.line.Use(func(req *http.Request, send world.Send) (*http.Response, error) {
		if strings.HasSuffix(req.URL.Path, "/iterations") {
			looks++
			if w.Remembered(key.Project).Looking == nil {
				unsaid++
			}
		}
		return send(req)
	})
	_, err := New(w.options).Reconcile(t.Context(), Request{Key: key, Inserted: sent})
	require.NoError(t, err)
	assert.NotZero(t, looks)
	assert.Zero(t, unsaid, "another process would look, too")
}

// A shared look waits until it is known to be later than the messages it is to answer, and no
// longer. Times are whole seconds.
func TestASharedLookWaitsUntilItIsKnownToBeLater(t *testing.T) {
	t.Parallel()
	for age, wait := range []time.Duration{2 * time.Second, time.Second, 0, 0} {
		w := newWorld(t, onnx)
		w.options.Times.LookInterval = 0 // each message counts as one that waited
		key := w.trained()
		sent := w.Service.Now().Truncate(time.Second)
		w.Service.Advance(sent.Add(time.Duration(age) * time.Second).Sub(w.Service.Now()))
		began := w.Service.Now()
		report, err := New(w.options).Reconcile(t.Context(), Request{Key: key, Inserted: sent})
		require.NoError(t, err)
		require.NotEmpty(t, report.Done)
		assert.Equal(t, wait, w.Service.Now().Sub(began), "%d seconds after the message", age)
	}
}

// A look during which something failed answers no other message.
func TestALookThatFailedIsNoAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	key := w.trained()
	sent := w.Service.Now()
	w.Service.Advance(time.Minute)
	require.NoError(t, w.Service.FaultCalls("GetTags", 1, emulator.CallFault{Status: 403}))
	report, err := New(w.options).Reconcile(t.Context(), Request{Key: key, Inserted: sent})
	require.NoError(t, err)
	require.Error(t, report.Err(key.Iteration))
	report, err = New(w.options).Reconcile(t.Context(), Request{Key: key, Inserted: sent})
	require.NoError(t, err)
	assert.False(t, report.Seen)
	require.NoError(t, report.Err(key.Iteration))
	report, err = New(w.options).Reconcile(t.Context(), Request{Key: key, Inserted: sent})
	require.NoError(t, err)
	assert.True(t, report.Seen)
}

// A message that comes alone and at once costs no request more.
func TestALookThatNobodyElseWaitsForIsNotWrittenDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	key := w.trained()
	sent := w.Service.Now()
	w.Service.Advance(w.options.Times.LookInterval - 2*time.Second)
	writes := 0
	for _, r := range w.line.During(func() {
		_, err := New(w.options).Reconcile(t.Context(), Request{Key: key, Inserted: sent})
		require.NoError(t, err)
	}) {
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/"+w.Names.State+"/") {
			writes++
		}
	}
	assert.Equal(t, 2, writes, "the intent, and what was learnt")
}
