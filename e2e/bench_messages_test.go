package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/customvision"
)

// BenchmarkMessages puts messages about finished exports on the queue, each of which comes
// 20 times, and waits until all are dealt with: by the app, by the app without its limit of
// calls, and by handlers that a person might write in Node.js. Of these one copies a package
// with each message, one copies what isn't there yet, and one does nothing.
//
// They take turns, and it prints how many times the others' figures the unlimited app's are:
// the median, the least and the most of the rounds. What each round gave goes to
// build/bench-messages.json.
//
// MESSAGES makes it larger than it is, ROUNDS is how often each has its turn. All messages
// are about 5 iterations of a project each.
func BenchmarkMessages(b *testing.B) {
	node := func(script, further string) map[string]string {
		path, err := filepath.Abs("dev/bench/others/" + script)
		require.NoError(b, err)
		arguments := "AzureFunctionsJobHost__customHandler__description__arguments__"
		return map[string]string{override: "node", arguments + "0": path, arguments + "1": further}
	}
	limited := map[string]string{"VISIONKEEPER_CALLS_PER_SECOND": "", "VISIONKEEPER_LOOK_INTERVAL": ""}
	const ours = "visionkeeper-unlimited"
	turns := []struct {
		name     string
		settings map[string]string
		archives bool
	}{
		{ours, map[string]string{"VISIONKEEPER_CALLS_PER_SECOND": "1000", "VISIONKEEPER_LOOK_INTERVAL": ""}, true},
		{"node", node("backup.mjs", ""), true},
		{"node-careful", node("backup.mjs", "careful"), true},
		{"nothing", node("handler.mjs", ""), false},
	}
	rounds, messages := sized(b, "ROUNDS", 1), sized(b, "MESSAGES", 100)
	raw := map[string][]dealt{}
	turn := func(name string, settings map[string]string, archives bool) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				raw[name] = append(raw[name], deal(b, settings, archives, messages))
			}
		})
	}
	turn("visionkeeper", limited, true)
	for range rounds {
		for _, t := range turns {
			turn(t.name, t.settings, t.archives)
		}
	}
	for _, t := range turns[1:] {
		if len(raw[ours]) == 0 || len(raw[t.name]) != len(raw[ours]) {
			continue // -bench leaves one out, or one had more turns in its time
		}
		fmt.Printf("%s ÷ %s: messages/s %s, processor %s, memory %s\n", ours, t.name,
			ratio(raw[ours], raw[t.name], func(d dealt) float64 { return d.PerSecond }),
			ratio(raw[ours], raw[t.name], func(d dealt) float64 { return d.ProcessorMS }),
			ratio(raw[ours], raw[t.name], func(d dealt) float64 { return d.MiB }))
	}
	data, err := json.MarshalIndent(raw, "", "  ")
	require.NoError(b, err)
	require.NoError(b, os.WriteFile("build/bench-messages.json", append(data, '\n'), 0o644))
}

// dealt is what a handler took to deal with messages.
type dealt struct {
	PerSecond   float64 `json:"perSecond"`
	Calls       int     `json:"calls"`
	ProcessorMS float64 `json:"processorMs"` // of the handler's process
	MiB         float64 `json:"mib"`         // the most that it had in memory
}

// ratio is the median of the ratios of two handlers' figures of the same round, with the
// least and the most of them.
func ratio(ours, theirs []dealt, of func(dealt) float64) string {
	var all []float64
	for n := range ours {
		all = append(all, of(ours[n])/of(theirs[n]))
	}
	slices.Sort(all)
	return fmt.Sprintf("%.2f × (%.2f to %.2f)", all[len(all)/2], all[0], all[len(all)-1])
}

// deal lets a handler deal with messages.
func deal(b *testing.B, settings map[string]string, archives bool, messages int) dealt {
	b.StopTimer()
	const iterations, copies = 5, 20
	w := world.Options{Emulator: emulator.Options{TrainTime: time.Millisecond, ExportTime: time.Millisecond}}
	a := newApp(b, options{policy: `{"projects":[{"project":"*","exports":[]}]}`, settings: settings, world: w, linked: "ARCHIVE_URL"})
	var about []string
	for len(about)*copies < messages {
		project := a.Create(customvision.CreateProjectOptions{DomainID: world.Compact, ExportModelContainerURI: a.Containers.Models.URL()}).ID
		for range iterations {
			id := a.Train(project).ID
			a.Export(project, id, "ONNX", "")
			about = append(about, sample(b, "export-completed.json", project, id, modelURI(a, project, id, "ONNX")))
		}
	}
	before, worked := total(a.Service.Counts()), processorTime(b, a.host.Pid())
	b.StartTimer()
	began := time.Now()
	var senders sync.WaitGroup
	for _, text := range about {
		senders.Go(func() {
			for range copies {
				a.put(text)
			}
		})
	}
	senders.Wait()
	a.succeeds(len(about) * copies)
	took := time.Since(began)
	b.StopTimer()
	if archives {
		pages, n := a.Containers.Archive.NewListBlobsFlatPager(nil), 0
		for pages.More() {
			page, err := pages.NextPage(b.Context())
			require.NoError(b, err)
			n += len(page.Segment.BlobItems)
		}
		require.GreaterOrEqual(b, n, len(about), "all are archived")
	}
	d := dealt{
		PerSecond: float64(len(about)*copies) / took.Seconds(), Calls: total(a.Service.Counts()) - before,
		ProcessorMS: (processorTime(b, a.host.Pid()) - worked).Seconds() * 1000, MiB: mostResident(b, a.host.Pid()),
	}
	b.ReportMetric(d.PerSecond, "messages/s")
	b.ReportMetric(float64(d.Calls), "calls")
	b.ReportMetric(d.ProcessorMS, "cpu-ms")
	b.ReportMetric(d.MiB, "MiB")
	b.StartTimer()
	return d
}

// mostResident is the most that a process had in memory at once, by Linux, in MiB.
func mostResident(b *testing.B, pid int) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(b, err)
	found := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	require.NotNil(b, found)
	kib, err := strconv.Atoi(string(found[1]))
	require.NoError(b, err)
	return float64(kib) / 1024
}
