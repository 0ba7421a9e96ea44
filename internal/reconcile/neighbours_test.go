package reconcile

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

// twoIterations is a project without a container, whose first iteration's export has
// a link that is dead, and of whose second one nothing is exported yet.
func twoIterations(t *testing.T, rules string) (w *app, old, young Key) {
	w = newWorld(t, rules)
	w.overLine()
	old = w.unconnected()
	require.NoError(t, New(w.options).ConnectionTested(t.Context(), old.Project))
	w.export(old, "ONNX")
	young = Key{Project: old.Project, Iteration: w.Train(old.Project).ID}
	w.line.Use(world.On(world.Begins("GET /"+azurite.Service+"/m-"+plain(old.Project)+"/"+plain(old.Iteration)+".ONNX.zip"), world.Refuse(403)))
	return w, old, young
}

func TestADeadLinkOfAnOldIterationHoldsUpNothingElse(t *testing.T) {
	t.Parallel()
	w, old, young := twoIterations(t, `{"projects":[{"project":"*","exports":["ONNX","ONNX.ONNX12"],"iterations":["all"]}]}`)
	report, err := New(w.options).Reconcile(t.Context(), Request{Key: young})
	require.NoError(t, err)
	assert.NoError(t, report.Err(young.Iteration), "a message about it is answered by what became of it")
	assert.Error(t, report.Err(old.Iteration))
	assert.Equal(t, 1, w.Service.Counts()["ExportIteration"]-1, "its own first export is asked for")
	for range 3 {
		w.Service.Advance(world.ExportTime)
		report, err = New(w.options).Reconcile(t.Context(), Request{Key: young})
		require.NoError(t, err)
		assert.NoError(t, report.Err(young.Iteration))
	}
	both := map[string]archive.Verdict{"ONNX": archive.Proven, "ONNX.ONNX12": archive.Proven}
	assert.Equal(t, both, w.backups(young))

	for range 3 {
		swept, _ := New(w.options).Sweep(t.Context(), Before{})
		assert.True(t, swept.Whole, "everything was looked at")
		assert.Equal(t, 1, swept.Unproven)
	}
	assert.Empty(t, w.backups(old))
	w.Service.Advance(w.options.Times.StuckAfter)
	for range 3 {
		w.sweepAnyhow()
		w.Service.Advance(world.ExportTime)
	}
	assert.Equal(t, map[string]archive.Verdict{"ONNX.ONNX12": archive.Proven}, w.backups(old), "its platform is freed after a time")

	w.line.Use(nil)
	w.Service.Advance(time.Hour + time.Minute)
	w.sweep()
	assert.Equal(t, both, w.backups(old), "once the link lives")
	assert.Empty(t, w.Remembered(old.Project).Conditions)
}

// sweepAnyhow sweeps once, whatever fails.
func (w *app) sweepAnyhow() Swept {
	w.t.Helper()
	swept, _ := New(w.options).Sweep(w.t.Context(), Before{Lists: w.seen})
	w.seen = swept.Lists
	return swept
}

func TestADeadLinkDoesNotKeepLostStateLost(t *testing.T) {
	t.Parallel()
	w, old, _ := twoIterations(t, onnx)
	w.loseState(old.Project)
	w.sweepAnyhow()
	assert.False(t, w.Remembered(old.Project).Rebuilt, "everything has been looked at")
	w.Service.FailTrainings(1)
	failed := Key{Project: old.Project, Iteration: w.Train(old.Project).ID}
	before := w.Service.Counts()["TrainProject"]
	w.try(failed)
	assert.Equal(t, before+1, w.Service.Counts()["TrainProject"], "what fails from then on is answered")
}

// One iteration's list of exports can't be had: of the others everything is done, and
// the round isn't whole.
func TestAnIterationWhoseExportsCannotBeListedHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","exports":["ONNX"],"iterations":["all"]}]}`)
	w.overLine()
	old := w.trained()
	young := Key{Project: old.Project, Iteration: w.Train(old.Project).ID}
	w.export(young, "ONNX")
	w.line.Use(world.On(ending(old.Iteration+"/export"), world.Refuse(400)))
	report, err := w.try(young)
	require.NoError(t, report.Err(young.Iteration))
	require.Error(t, err, "it is said")
	assert.Equal(t, proven, w.backups(young))
	swept, err := New(w.options).Sweep(t.Context(), Before{})
	assert.ErrorContains(t, err, old.Iteration)
	assert.False(t, swept.Whole, "not everything was looked at")
	assert.Equal(t, 1, swept.Failed)
	w.line.Use(nil)
	w.settle(old)
	assert.Equal(t, proven, w.backups(old))
}

func TestABlobWhoseNameCannotBeHandledIsAConditionOfItsOwn(t *testing.T) {
	t.Parallel()
	for name, without := range map[string]bool{"with the service": false, "without an endpoint": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "")
			key := w.trained()
			w.export(key, "ONNX")
			long := w.blob(key, strings.Repeat("x", 65))
			w.write(w.Containers.Models, long, w.read(w.Containers.Models, w.blob(key, "ONNX")))
			if without {
				w.options.Service = nil
			}
			for range 2 {
				swept, err := New(w.options).Sweep(t.Context(), Before{})
				require.NoError(t, err)
				assert.True(t, swept.Whole)
				require.Len(t, swept.Conditions, 1)
				assert.Equal(t, state.BadName, swept.Conditions[0].Code)
				assert.Equal(t, long, swept.Conditions[0].Blob)
			}
			assert.Equal(t, proven, w.backups(key))
			_, err := w.Containers.Models.NewBlobClient(long).Delete(t.Context(), nil)
			require.NoError(t, err)
			w.sweep()
			assert.Empty(t, w.Remembered(key.Project).Conditions, "it is gone")
		})
	}
}

func TestAnIterationWhoseIDIsNoGUIDHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	w.overLine()
	key := w.trained()
	odd := w.lists("/iterations", func(list []map[string]any) []map[string]any {
		return append(list, map[string]any{"id": "no GUID", "status": "Completed"})
	})
	w.line.While(odd, func() {
		report, err := w.try(key)
		require.NoError(t, err)
		assert.Contains(t, steps(report.Done), "export ONNX")
		w.Service.Advance(world.ExportTime)
		swept, err := New(w.options).Sweep(t.Context(), Before{})
		require.NoError(t, err)
		assert.True(t, swept.Whole)
		require.Len(t, swept.Conditions, 1)
		assert.Equal(t, state.BadName, swept.Conditions[0].Code)
		assert.Equal(t, "no GUID", swept.Conditions[0].Iteration)
	})
	assert.Equal(t, proven, w.backups(key))
	w.sweep()
	assert.Empty(t, w.Remembered(key.Project).Conditions, "it is gone")
}

func TestAProjectWhoseIDIsNoGUIDHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.overLine()
	key := w.trained()
	w.export(key, "ONNX")
	w.line.Use(w.lists("/projects", func(list []map[string]any) []map[string]any {
		return append([]map[string]any{{"id": "no GUID", "name": "odd"}}, list...)
	}))
	swept, err := New(w.options).Sweep(t.Context(), Before{})
	require.NoError(t, err)
	assert.True(t, swept.Whole)
	assert.Equal(t, 1, swept.Blocked)
	require.Len(t, swept.Conditions, 1)
	assert.Equal(t, state.BadName, swept.Conditions[0].Code)
	assert.Equal(t, proven, w.backups(key))
}

func TestAnExportWhoseNameCannotBeHandledHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.overLine()
	key := w.trained()
	w.export(key, "ONNX")
	for _, name := range []string{"", ".", "ONNX/x", strings.Repeat("x", 65)} {
		odd := map[string]any{"platform": name, "status": "Done", "downloadUri": "https://x.example"}
		w.line.While(w.lists("/export", func(list []map[string]any) []map[string]any { return append(list, odd) }), func() {
			swept, err := New(w.options).Sweep(t.Context(), Before{})
			require.NoError(t, err)
			assert.True(t, swept.Whole)
		})
		w.options.Fingerprint += "'"
	}
	assert.Equal(t, proven, w.backups(key))
	conditions := w.Remembered(key.Project).Conditions
	require.NotEmpty(t, conditions)
	for _, c := range conditions {
		assert.Equal(t, state.BadName, c.Code)
	}
	w.Service.Advance(8 * 24 * time.Hour)
	w.sweep()
	assert.Empty(t, w.Remembered(key.Project).Conditions, "they are gone")
}

// What can't be had is tried after what never failed.
func TestWhatFailedIsTriedAfterTheOthers(t *testing.T) {
	o := completed(listed("CoreML", customvision.ExportDone), listed("ONNX", customvision.ExportDone))
	o = o.condition("CoreML", state.Unavailable, time.Hour, 0)
	assert.Equal(t, []string{"backup ONNX", "backup CoreML"}, steps(Plan(rules(), o)))
}

func TestAPlatformHeldByWhatCannotBeFetchedIsFreedAfterATime(t *testing.T) {
	for name, c := range map[string]struct {
		code  state.Code
		since time.Duration
		want  []string
	}{
		"for a moment":      {state.NoLink, 5 * time.Hour, []string{"wait ONNX.ONNX12"}},
		"for hours":         {state.NoLink, 7 * time.Hour, []string{"export ONNX.ONNX12"}},
		"for ever":          {state.Overwritten, 0, []string{"export ONNX.ONNX12"}},
		"it can't be named": {state.Ambiguous, 7 * time.Hour, []string{"export ONNX.ONNX12"}},
	} {
		o := completed(listed("ONNX", customvision.ExportDone)).condition("ONNX", c.code, c.since, time.Hour).tried(Backup, "ONNX")
		assert.Equal(t, c.want, steps(Plan(rules("ONNX.ONNX12"), o)), name)
	}
}

// A gateway's 404 is an outage. The service's own is asked again.
func TestOnlyTheServicesOwn404SaysThatAProjectIsGone(t *testing.T) {
	t.Parallel()
	own := func(req *http.Request, _ world.Send) (*http.Response, error) {
		return world.Answer(req, 404, http.Header{"Content-Type": {"application/json"}}, []byte(`{"code":"NotFoundProject","message":"no"}`)), nil
	}
	gateway := func(req *http.Request, _ world.Send) (*http.Response, error) {
		return world.Answer(req, 404, http.Header{"Content-Type": {"text/html"}}, []byte(`<html><title>Not Found</title></html>`)), nil
	}
	numbered := func(req *http.Request, _ world.Send) (*http.Response, error) {
		return world.Answer(req, 404, http.Header{"Content-Type": {"application/json"}}, []byte(`{"error":{"code":"404","message":"Resource not found"}}`)), nil
	}
	w := newWorld(t, onnx)
	w.overLine()
	key := w.trained()
	for name, c := range map[string]struct {
		fault world.Fault
		gone  bool
	}{
		"the service's own, and its project too":    {world.On(ending(""), own), true},
		"the service's own, once":                   {world.On(ending("/iterations"), own), false},
		"a gateway's":                               {world.On(ending(""), gateway), false},
		"a gateway's with a number":                 {world.On(ending(""), numbered), false},
		"the service's own, confirmed by a gateway": {chainOf(world.On(ending("/iterations"), own), world.On(ending(key.Project), gateway)), false},
	} {
		w.line.While(apiOnly(c.fault), func() {
			_, err := w.try(key)
			require.Error(t, err, name)
			if c.gone {
				assert.ErrorIs(t, err, ErrUnknownProject, name)
			} else {
				assert.NotErrorIs(t, err, ErrUnknownProject, name)
			}
		})
	}
}

// apiOnly lets requests of storage pass.
func apiOnly(f world.Fault) world.Fault {
	return world.On(func(req *http.Request) bool { return strings.Contains(req.URL.Path, "/customvision/") }, f)
}

// A gateway's 404 refuses nothing either: the domain is asked for again.
func TestAGatewaysAnswerRefusesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	w.overLine()
	key := w.trained()
	gateway := func(req *http.Request, _ world.Send) (*http.Response, error) {
		return world.Answer(req, 404, http.Header{"Content-Type": {"text/html"}}, []byte(`<html><title>Not Found</title></html>`)), nil
	}
	w.line.While(world.On(ending("/domains/"+world.Compact), gateway), func() {
		_, err := w.try(key)
		assert.Error(t, err)
	})
	w.settle(key)
	proof, err := w.options.Archive.Proof(t.Context(), w.kept(key)[0])
	require.NoError(t, err)
	assert.Equal(t, "General (compact)", proof.Domain.Name)

	w.line.While(world.On(func(req *http.Request) bool { return req.Method == http.MethodPost }, gateway), func() {
		young := Key{Project: key.Project, Iteration: w.Train(key.Project).ID}
		_, err := w.try(young)
		assert.Error(t, err)
		assert.NotEqual(t, state.ExportRefused, w.condition(young, "ONNX").Code)
	})
}
