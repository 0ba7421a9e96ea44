package reconcile

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
)

const onnx = `{"projects":[{"project":"*","exports":["ONNX"],"retrain":{"afterFailure":1}}]}`

func TestWhatABackupCosts(t *testing.T) {
	t.Parallel()
	// Large enough that identifying takes its head and its end.
	w := newWorld(t, onnx, func(o *emulator.Options) { o.ModelSize = 1 << 20 })
	key := w.trained()
	w.reconcile(key) // which asks for the export
	w.service.Advance(exportTime)

	var calls map[string]int
	requests := w.front.requests(func() {
		calls = w.calls(func() { w.reconcile(key) })
	})
	assert.Equal(t, map[string]archive.Verdict{"ONNX": archive.Proven}, w.backups(key))
	assert.NotNil(t, w.remembered(key.Project).Iterations[key.Iteration].Settled)
	assert.LessOrEqual(t, len(requests), 8, requests)
	assert.Equal(t, map[string]int{"GetIterations": 1, "GetExports": 1}, calls)
}

func TestWhatABackupCostsThatOnlyTheDownloadLinkLeadsTo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx, func(o *emulator.Options) { o.ModelSize = 1 << 20 })
	p, err := w.client.CreateProject(t.Context(), customvision.CreateProjectOptions{Name: "no container", DomainID: compact})
	require.NoError(t, err)
	require.NoError(t, New(w.options).ConnectionTested(t.Context(), p.ID))
	key := Key{Project: p.ID, Iteration: w.train(p.ID)}
	w.reconcile(key)
	w.service.Advance(exportTime)

	requests := w.front.requests(func() { w.reconcile(key) })
	assert.Equal(t, map[string]archive.Verdict{"ONNX": archive.Proven}, w.backups(key))
	assert.LessOrEqual(t, len(requests), 8, requests)
}

func TestASettledIterationCostsASweepNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","exports":["ONNX"],"iterations":["all"]}]}`)
	sweep := func() (requests, calls int) {
		sent := w.front.requests(func() {
			for _, n := range w.calls(func() {
				swept, err := New(w.options).Sweep(t.Context(), "")
				require.NoError(t, err)
				require.Equal(t, 1, swept.Covered)
			}) {
				calls += n
			}
		})
		return len(sent), calls
	}
	key := w.trained()
	w.settle(key)
	requests, calls := sweep()
	for range 4 {
		w.settle(Key{Project: key.Project, Iteration: w.train(key.Project)})
	}
	withFive, callsWithFive := sweep()
	assert.Equal(t, requests, withFive)
	assert.Equal(t, calls, callsWithFive)
	assert.Len(t, w.backups(Key{Project: key.Project}), 1)
	assert.Len(t, w.kept(Key{Project: key.Project}), 5, "all of them are archived")
}

func TestWhileSomethingNeverEndsTheServiceIsAskedSeldom(t *testing.T) {
	t.Parallel()
	for name, stall := range map[string]func(*world) Key{
		"training": func(w *world) Key {
			w.service.StallTrainings(1)
			return w.trained()
		},
		"export": func(w *world) Key {
			w.service.StallExports(1)
			return w.trained()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, onnx)
			key := stall(w)
			r := New(w.options)
			begin, from := w.service.Now(), len(w.service.Requests())
			for range 30 {
				report, err := r.Reconcile(t.Context(), key)
				require.NoError(t, err)
				require.NotEmpty(t, report.Waiting)
				w.service.SetTime(w.service.Now().Add(4 * time.Second))
			}
			require.GreaterOrEqual(t, w.service.Now().Sub(begin), 2*time.Minute)
			last := map[string]time.Time{}
			looks := 0
			for _, request := range w.service.Requests()[from:] {
				if before, ok := last[request.Operation]; ok {
					assert.GreaterOrEqual(t, request.Time.Sub(before), 10*time.Second, request.Operation)
				}
				if last[request.Operation] = request.Time; request.Operation == "GetIterations" {
					looks++
				}
			}
			assert.Equal(t, 30, looks, "each of the calls was answered by a look of its own")
		})
	}
}
