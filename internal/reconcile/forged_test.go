package reconcile

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/customvision"
)

// Whoever may write to the queue can send any number of messages about what is settled.
func TestManyMessagesAboutWhatIsSettledCostOneLook(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	key := w.trained()
	w.settle(key)
	w.Service.Advance(time.Minute)
	r, sent := New(w.options), w.Service.Now()
	w.Service.Advance(5 * time.Second)
	calls := w.calls(func() {
		for n := range 10 {
			requests := w.line.During(func() {
				report, err := r.Reconcile(t.Context(), Request{Key: key, Inserted: sent})
				require.NoError(t, err)
				assert.Equal(t, n > 0, report.Seen)
			})
			assert.Equal(t, n > 0, len(requests) == 0, requests)
		}
	})
	assert.Equal(t, map[string]int{"GetIterations": 1, "GetExports": 1}, calls)
}

// A message about an iteration that never was comes again and again.
func TestMessagesAboutAnIterationThatIsNotThereAreAskedForSeldom(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	key := w.trained()
	w.settle(key)
	r, begin := New(w.options), w.Service.Now()
	calls := w.calls(func() {
		for range 6 {
			report, err := r.Reconcile(t.Context(), Request{Key: Key{Project: key.Project, Iteration: nowhere}, Inserted: w.Service.Now()})
			require.NoError(t, err)
			assert.True(t, report.Unlisted)
		}
	})
	assert.Equal(t, map[string]int{"GetIterations": 6}, calls)
	assert.GreaterOrEqual(t, w.Service.Now().Sub(begin), 5*w.options.Times.LookInterval)
}

// stranger is the id of a project that isn't there.
func stranger(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

// Forged ids are all different, so what bounds them is shared by all projects that the
// state doesn't know.
func TestAFloodOfMessagesAboutProjectsThatAreNotThereCostsFewCalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	known := w.trained()
	r, ctx := New(w.options), t.Context()
	left := 0
	calls := w.calls(func() {
		for n := range 5 * mostStrangers {
			var err error
			requests := w.line.During(func() {
				if n%2 == 0 {
					_, err = r.Reconcile(ctx, Request{Key: Key{Project: stranger(n), Iteration: nowhere}, Inserted: w.Service.Now()})
				} else {
					err = r.ConnectionTested(ctx, stranger(n))
				}
			})
			assert.Len(t, requests, 1, "one read of the state")
			if errors.Is(err, ErrTooManyStrangers) {
				left++
			} else {
				require.ErrorIs(t, err, ErrUnknownProject)
			}
		}
	})
	assert.Equal(t, 4*mostStrangers, left)
	assert.Equal(t, map[string]int{"GetProject": 2 * mostStrangers}, calls)

	_, err := r.Reconcile(ctx, Request{Key: known, Inserted: w.Service.Now()})
	require.NoError(t, err, "a project that the app knows isn't held up")
	fresh := w.Create(customvision.CreateProjectOptions{ExportModelContainerURI: w.Containers.Models.URL()}).ID
	require.ErrorIs(t, r.ConnectionTested(ctx, fresh), ErrTooManyStrangers)
	for n := range 3 {
		w.Service.Advance(w.options.Times.LookInterval)
		require.ErrorIs(t, r.ConnectionTested(ctx, stranger(1000+n)), ErrUnknownProject, "one more in each interval")
		require.ErrorIs(t, r.ConnectionTested(ctx, stranger(2000+n)), ErrTooManyStrangers)
	}
	_, err = r.Sweep(ctx, Before{})
	require.NoError(t, err)
	require.NoError(t, r.ConnectionTested(ctx, fresh), "a sweep finds what is there")
	ids, err := w.options.State.Projects(ctx)
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{known.Project, fresh}, ids)
}

func TestMessagesAboutOneProjectThatIsNotThereShareAnAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	gone, outside := w.trained(), w.Create(customvision.CreateProjectOptions{Name: "outside"}).ID
	w.options.Policy = parsed(t, `{"projects":[{"project":"`+gone.Project+`"}]}`)
	require.NoError(t, w.Client.DeleteProject(t.Context(), gone.Project))
	r := New(w.options)
	for range 2 {
		calls := w.calls(func() {
			for range 3 * mostStrangers {
				_, err := r.Reconcile(t.Context(), Request{Key: Key{Project: nowhere, Iteration: nowhere}})
				require.ErrorIs(t, err, ErrUnknownProject)
				require.ErrorIs(t, r.ConnectionTested(t.Context(), nowhere), ErrUnknownProject)
				_, err = r.Reconcile(t.Context(), Request{Key: gone})
				require.ErrorIs(t, err, ErrUnknownProject)
				report, err := r.Reconcile(t.Context(), Request{Key: Key{Project: outside, Iteration: nowhere}})
				require.NoError(t, err)
				require.True(t, report.Outside)
				require.NoError(t, r.ConnectionTested(t.Context(), outside))
			}
		})
		assert.Equal(t, map[string]int{"GetProject": 2 + 1 + 1, "GetIterations": 1}, calls)
		w.Service.Advance(w.options.Times.LookInterval)
	}
}

// A project that is there, and that the policy leaves alone since it was renamed; one
// that is deleted; and one that the service says nothing of now.
func TestForgedConnectionTestsOfKnownProjectsCostFewCalls(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*app, string)
		calls  int
	}{
		"renamed": {func(w *app, project string) {
			p, err := w.Client.Project(w.t.Context(), project)
			require.NoError(w.t, err)
			p.Name = "out"
			_, err = w.Client.UpdateProject(w.t.Context(), project, p)
			require.NoError(w.t, err)
		}, 1},
		"deleted": {func(w *app, project string) { require.NoError(w.t, w.Client.DeleteProject(w.t.Context(), project)) }, 2},
		"refused": {func(w *app, _ string) {
			require.NoError(w.t, w.Service.FaultCalls("GetProject", 1_000_000, emulator.CallFault{Status: 403}))
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, `{"projects":[{"project":"in"}]}`)
			key := w.named("in")
			r, ctx := New(w.options), t.Context()
			require.NoError(t, r.ConnectionTested(ctx, key.Project))
			w.Service.Advance(time.Hour)
			c.change(w, key.Project)
			calls := w.calls(func() {
				for range 3 * mostStrangers {
					_ = r.ConnectionTested(ctx, key.Project)
				}
			})
			assert.Equal(t, map[string]int{"GetProject": c.calls}, calls)
			if name != "renamed" {
				return
			}
			w.Service.Advance(time.Hour)
			calls = w.calls(func() {
				require.NoError(t, r.ConnectionTested(ctx, key.Project))
				assert.True(t, w.reconcile(key).Outside, "one decision")
			})
			assert.Empty(t, calls)
		})
	}
}

func TestConnectionTestsOfAProjectAreAskedForSeldom(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	project := w.project(world.Compact)
	r := New(w.options)
	w.Service.Advance(time.Hour)
	calls := w.calls(func() {
		for range 10 {
			require.NoError(t, r.ConnectionTested(t.Context(), project))
		}
	})
	assert.Equal(t, map[string]int{"GetProject": 1}, calls)
	assert.Equal(t, w.Service.Now().UTC(), *w.Remembered(project).ConnectionTest, "the last one is noted all the same")
}
