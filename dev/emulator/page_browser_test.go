//go:build browser

package emulator

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestPageInABrowser needs Chromium, so it runs with -tags browser, as CI does.
func TestPageInABrowser(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	var running atomic.Pointer[fixture] // the server asks as soon as it is there
	s := start(t, c.connected, noValidation, func(o *Options) {
		o.Frozen, o.TrainTime, o.ExportTime = time.Time{}, time.Hour, time.Hour
		o.App = func(context.Context, string) map[string]map[string]string {
			made := map[string]map[string]string{}
			for _, i := range running.Load().view().Projects[0].Iterations {
				made[i.ID] = map[string]string{"TensorFlow.TensorFlowLite": "proven"}
			}
			return made
		}
	})
	running.Store(s)
	assert.Equal(t, "a visit\n", node(t, "page.mjs", "ENDPOINT="+s.url, "QUEUE_URI="+c.queueURL))
	assert.Equal(t, []string{"ConnectionTest", "Training", "Export", "Training"}, c.types())
	require.Len(t, s.View().Projects, 1)
	var statuses []string
	for _, i := range s.View().Projects[0].Iterations {
		statuses = append(statuses, i.Status)
	}
	assert.Equal(t, []string{"Failed", "Completed"}, statuses)
	for _, k := range s.View().Questions {
		if k.Question == IterationOrder {
			assert.Equal(t, "newest-first", k.Answer)
		}
	}
}
