package reconcile

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite"
	"visionkeeper/dev/world"
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
				assert.Equal(t, n > 0, report.Settled)
			})
			if n > 0 {
				require.Len(t, requests, 1)
				assert.True(t, world.Begins("GET /"+azurite.Archive+"/"+w.Names.State)(requests[0].Request), requests)
			}
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
