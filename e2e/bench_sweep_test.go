package e2e

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"visionkeeper/dev/azurite"
	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

// BenchmarkSettledSweep sweeps projects of 20 iterations each, in which nothing is left to
// do, while the model container holds so many blobs that are archived: 10 of each
// iteration. It reports what the app's process takes for one sweep.
//
// PROJECTS makes it larger than it is.
func BenchmarkSettledSweep(b *testing.B) {
	const iterations, exports = 20, 10
	projects := sized(b, "PROJECTS", 5)
	front := world.NewInterceptor(b)
	a := newApp(b, options{
		policy:   `{"projects":[{"project":"*","exports":[]}]}`,
		settings: map[string]string{"VISIONKEEPER_CALLS_PER_SECOND": "1000"},
		world:    world.Options{Emulator: emulator.Options{TrainTime: time.Millisecond}, Front: front},
	})
	var made []string
	for n := range projects {
		project := a.Create(customvision.CreateProjectOptions{Name: fmt.Sprintf("Project %d", n), DomainID: world.Compact}).ID
		for range iterations {
			made = append(made, project+" - "+a.Train(project).ID)
		}
		a.sweep() // each looks at the 20 once
	}
	a.sweep()
	store := state.Open(a.Archives.Blobs(nil), a.Names.State)
	var writers errgroup.Group
	writers.SetLimit(8)
	for _, name := range made {
		writers.Go(func() error { return a.fill(store, name, exports) })
	}
	require.NoError(b, writers.Wait())
	a.sweep()

	var calls, requests int
	before, pid := processorTime(b, a.host.Pid()), a.host.Pid()
	for b.Loop() {
		calls -= total(a.Service.Counts())
		for _, r := range front.During(a.sweep) {
			if strings.HasPrefix(r.URL.Path, "/"+azurite.Customer) || strings.HasPrefix(r.URL.Path, "/"+azurite.Archive) {
				requests++
			}
		}
		calls += total(a.Service.Counts())
	}
	require.Equal(b, pid, a.host.Pid(), "the same process")
	b.ReportMetric((processorTime(b, pid)-before).Seconds()*1000/float64(b.N), "cpu-ms/op")
	b.ReportMetric(float64(calls)/float64(b.N), "calls/op")
	b.ReportMetric(float64(requests)/float64(b.N), "storage-requests/op")
}

// fill puts blobs of an iteration into the model container that are archived by what the
// state knows.
func (a *app) fill(store *state.Store, iteration string, exports int) error {
	project, id, _ := strings.Cut(iteration, " - ")
	etags := map[string]string{}
	for n := range exports {
		name := fmt.Sprintf("%s.ONNX%d", iteration, n)
		resp, err := a.Containers.Models.NewBlockBlobClient(name).UploadBuffer(a.t.Context(), []byte("x"), nil)
		if err != nil {
			return err
		}
		etags[name] = strings.Trim(string(*resp.ETag), `"`) // as the model container lists it
	}
	record, err := store.Load(a.t.Context(), project)
	if err != nil {
		return err
	}
	return store.Update(a.t.Context(), record, func(p *state.Project) error {
		for name, etag := range etags {
			p.Iteration(id).Archived(name, etag)
		}
		return nil
	})
}

// processorTime is what a process has taken of it, by Linux.
func processorTime(b *testing.B, pid int) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	require.NoError(b, err)
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	ticks := 0
	for _, field := range fields[11:13] { // utime and stime
		n, err := strconv.Atoi(field)
		require.NoError(b, err)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
