package reconcile

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/state"
)

// outage lets the service's answers at the ends of these paths be errors.
func (w *app) outage(status int, paths ...string) world.Fault {
	return world.On(func(req *http.Request) bool {
		for _, path := range paths {
			if ending(path)(req) {
				return true
			}
		}
		return false
	}, world.Refuse(status))
}

// What the service doesn't show holds up nothing that lies in the model container. What
// it couldn't be asked is a condition, and passes.
func TestBlobsAreArchivedThoughTheServiceShowsNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		path   func(Key) string
		scope  func(Key) state.Scope
	}{
		"the exports":    {400, func(k Key) string { return k.Iteration + "/export" }, func(k Key) state.Scope { return state.Scope{Iteration: k.Iteration, Fact: state.FactExports} }},
		"the iterations": {400, func(k Key) string { return k.Project + "/iterations" }, func(k Key) state.Scope { return state.Scope{} }},
		"a missing code": {404, func(k Key) string { return k.Project + "/iterations" }, func(k Key) state.Scope { return state.Scope{} }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "")
			w.overLine()
			key := w.trained()
			w.reconcile(key) // it is described, and settled
			for _, export := range []string{"ONNX.ONNX12", "CoreML"} {
				w.export(key, export)
			}
			var swept Swept
			w.line.While(w.outage(c.status, c.path(key)), func() {
				for n := range 3 {
					swept = w.sweepAnyhow()
					assert.False(t, swept.Whole)
					assert.Equal(t, 1, swept.Failed)
					met := w.Remembered(key.Project)
					condition := met.Condition(c.scope(key))
					require.NotNil(t, condition)
					assert.Equal(t, state.Unseen, condition.Code)
					assert.Equal(t, n+1, condition.Attempts)
					assert.False(t, condition.Next.IsZero())
				}
				assert.Equal(t, archive.Proven, w.best(key, "ONNX.ONNX12"), "its manifest names it")
				assert.Equal(t, archive.Verdict(""), w.best(key, "CoreML"), "it is kept, and may be another flavor")
				copies := w.copies()
				w.sweepAnyhow()
				assert.Equal(t, copies, w.copies(), "nothing is copied twice")
				w.Service.Advance(factsLate)
				w.sweepAnyhow()
				assert.Equal(t, archive.Proven, w.best(key, "CoreML"), "nobody will tell any more")
			})
			swept, err := New(w.options).Sweep(t.Context(), Before{})
			require.NoError(t, err)
			assert.True(t, swept.Whole)
			assert.Empty(t, w.Remembered(key.Project).Conditions)
			assert.Len(t, w.kept(key), 2)
		})
	}
}

// The list of projects can't be had: the state and the model container know what to look
// at.
func TestASweepGoesOnWithoutTheListOfProjects(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","exports":["ONNX"]}]}`)
	w.overLine()
	known, fresh := w.trained(), w.named("fresh")
	w.line.While(w.outage(400, "/projects"), func() {
		swept, err := New(w.options).Sweep(t.Context(), Before{})
		require.ErrorContains(t, err, "list the projects")
		assert.False(t, swept.Whole)
		assert.Equal(t, 2, swept.Covered)
		assert.Empty(t, swept.Resume)
		require.Len(t, swept.Conditions, 1)
		assert.Equal(t, 1, swept.Blocked)
		assert.Equal(t, state.Unseen, swept.Conditions[0].Code)
		assert.Empty(t, swept.Conditions[0].Project)
		assert.Equal(t, archive.Proven, w.best(fresh, "ONNX"))
		w.Service.Advance(world.ExportTime)
		w.sweepAnyhow()
		assert.Equal(t, proven, w.backups(known), "its export was asked for")
	})
	swept, err := New(w.options).Sweep(t.Context(), Before{})
	require.NoError(t, err)
	assert.Empty(t, swept.Conditions)
}

// In a whole outage nothing is asked for, trained or forgotten.
func TestAWholeOutageForgetsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","exports":["ONNX"],"retrain":{"afterFailure":1}}]}`)
	w.overLine()
	key := w.trained()
	w.settle(key)
	before := w.Remembered(key.Project)
	w.line.While(world.On(func(req *http.Request) bool { return req.URL.Host == world.Host(t, w.API) }, world.Refuse(403)), func() {
		for range 3 {
			w.sweepAnyhow()
			w.Service.Advance(24 * time.Hour)
		}
	})
	during := w.Remembered(key.Project)
	assert.Equal(t, before.Iterations, during.Iterations)
	assert.Equal(t, state.Unseen, during.Condition(state.Scope{}).Code)
	w.sweep()
	assert.Empty(t, w.Remembered(key.Project).Conditions)
}

// The blobs of projects that aren't in the service, or that are connected no more, are
// archived by each sweep, and what is archived isn't read again.
func TestBlobsOfProjectsThatAreNotInTheServiceAreArchived(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*app, Key){
		"deleted":      func(w *app, k Key) { require.NoError(w.t, w.Client.DeleteProject(w.t.Context(), k.Project)) },
		"disconnected": func(w *app, k Key) { w.connect(k.Project, "") },
		"another resource": func(w *app, k Key) {
			w.overLine()
			w.line.Use(world.On(func(req *http.Request) bool { return req.URL.Host == world.Host(w.t, w.API) }, w.foreign(k.Project)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "")
			key := w.trained()
			w.reconcile(key)
			w.export(key, "ONNX.ONNX12")
			leave(w, key)
			w.sweepAnyhow()
			assert.Equal(t, archive.Proven, w.best(key, "ONNX.ONNX12"))
			w.write(w.Containers.Models, w.blob(key, "CoreML"), w.read(w.Containers.Models, w.blob(key, "ONNX")))
			w.sweepAnyhow()
			assert.NotEqual(t, archive.Verdict("none"), w.best(key, "CoreML"), "what comes later too")
			w.sweepAnyhow()
			for _, r := range w.line.During(func() { w.sweepAnyhow() }) {
				assert.NotContains(t, r.URL.Path, w.Names.Models+"/", "nothing is read again: %s", r)
			}
		})
	}
}

// foreign makes a project one of another resource: no list has it, and its own answers
// are a refusal.
func (w *app) foreign(project string) world.Fault {
	lacks := w.lists("/projects", func([]map[string]any) []map[string]any { return []map[string]any{} })
	return func(req *http.Request, send world.Send) (*http.Response, error) {
		if ending("/projects")(req) {
			return lacks(req, send)
		}
		return world.Refuse(403)(req, send)
	}
}

// connect sets a project's model container.
func (w *app) connect(project, container string) {
	w.t.Helper()
	p, err := w.Client.Project(w.t.Context(), project)
	require.NoError(w.t, err)
	p.Settings.ExportModelContainerURI = container
	_, err = w.Client.UpdateProject(w.t.Context(), project, p)
	require.NoError(w.t, err)
}

// The list lacks a project that is there, for one look: it is looked at as any other.
func TestAProjectThatTheListLacksForOneLook(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	w.overLine()
	key := w.trained()
	w.settle(key)
	before, asked := w.Remembered(key.Project).Iterations, w.Service.Counts()["ExportIteration"]
	w.export(key, "CoreML")
	w.Train(key.Project)
	w.line.While(w.lists("/projects", func([]map[string]any) []map[string]any { return []map[string]any{} }), func() {
		_, err := New(w.options).Sweep(t.Context(), Before{})
		require.NoError(t, err)
	})
	assert.Equal(t, archive.Proven, w.best(key, "CoreML"))
	assert.Equal(t, asked+2, w.Service.Counts()["ExportIteration"], "the person's, and that of the new iteration")
	assert.NotNil(t, w.Remembered(key.Project).Iterations[key.Iteration].Settled)
	assert.Equal(t, before[key.Iteration].Facts, w.Remembered(key.Project).Iterations[key.Iteration].Facts)
}

// Conditions go when their thing is gone, whatever else is known of the project.
func TestConditionsOfWhatIsGoneGo(t *testing.T) {
	t.Parallel()
	for name, remove := range map[string]func(*app, Key){
		"an iteration": func(w *app, k Key) {
			require.NoError(w.t, w.Client.DeleteIteration(w.t.Context(), k.Project, k.Iteration))
		},
		"a project": func(w *app, k Key) { require.NoError(w.t, w.Client.DeleteProject(w.t.Context(), k.Project)) },
		"an export": func(w *app, k Key) {
			w.overLine()
			w.line.Use(w.lists("/export", func([]map[string]any) []map[string]any { return []map[string]any{} }))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, `{"mode":"observe","projects":[{"project":"*","exports":["ONNX"]}]}`)
			key := w.unconnected()
			w.export(key, "ONNX")
			loopback := w.options.Downloads
			w.options.Downloads.Loopback = nil
			w.sweep()
			w.options.Downloads = loopback
			require.Equal(t, state.LinkRefused, w.condition(key, "ONNX").Code)
			remove(w, key)
			w.Service.Advance(time.Hour)
			swept := w.sweepAnyhow()
			assert.Empty(t, w.Remembered(key.Project).Conditions)
			assert.Equal(t, state.Counts{}, swept.Counts)
			swept = w.sweepAnyhow()
			assert.Equal(t, state.Counts{}, swept.Counts)
			if name == "a project" {
				assert.Zero(t, swept.Projects, "it is none any more")
				calls := w.calls(func() { w.sweep() })
				assert.Equal(t, map[string]int{"GetProjects": 1}, calls, "what is forgotten costs no call")
			}
		})
	}
}

// A sweep sees a rename, and messages go by it, too: out of the policy and into it.
func TestMessagesGoByTheNameThatASweepSaw(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"in"}]}`)
	key := w.named("in")
	w.sweep()
	require.Equal(t, proven, w.backups(key))
	rename := func(name string) {
		p, err := w.Client.Project(t.Context(), key.Project)
		require.NoError(t, err)
		p.Name = name
		_, err = w.Client.UpdateProject(t.Context(), key.Project, p)
		require.NoError(t, err)
	}
	rename("out")
	w.export(key, "CoreML")
	swept := w.sweepAnyhow()
	assert.Equal(t, 1, swept.Outside)
	assert.Zero(t, swept.Projects)
	report := w.reconcile(key)
	assert.True(t, report.Outside)
	assert.Len(t, w.backups(key), 1, "it is left alone")
	rename("in")
	w.sweep()
	assert.Len(t, w.backups(key), 2)
	assert.False(t, w.reconcile(key).Outside)
}

func TestConditionsOfAProjectThatIsLeftAloneAreNotShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","exports":["VAIDK"]}]}`)
	key := w.trained()
	w.sweep()
	require.Equal(t, state.ExportRefused, w.condition(key, "VAIDK").Code)
	w.options.Policy = parsed(t, `{"projects":[{"project":"other","exports":["VAIDK"]}]}`)
	swept := w.sweepAnyhow()
	assert.Empty(t, swept.Conditions)
	assert.Zero(t, swept.Blocked)
	assert.Empty(t, w.Remembered(key.Project).Conditions)
	assert.Equal(t, 1, swept.Outside)
}
