package e2e

import (
	"path/filepath"
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
// calls, and by handlers that a person might write in Node.js, of which one copies the
// packages and the other does nothing.
//
// MESSAGES makes it larger than it is. All are about 5 iterations of a project each.
func BenchmarkMessages(b *testing.B) {
	node := func(script string) map[string]string {
		path, err := filepath.Abs("dev/bench/others/" + script)
		require.NoError(b, err)
		return map[string]string{override: "node", "AzureFunctionsJobHost__customHandler__description__arguments__0": path}
	}
	for _, c := range []struct {
		name     string
		settings map[string]string
		archives bool
	}{
		{"visionkeeper", map[string]string{"VISIONKEEPER_CALLS_PER_SECOND": "", "VISIONKEEPER_LOOK_INTERVAL": ""}, true},
		{"visionkeeper-unlimited", map[string]string{"VISIONKEEPER_CALLS_PER_SECOND": "1000", "VISIONKEEPER_LOOK_INTERVAL": ""}, true},
		{"node", node("backup.mjs"), true},
		{"nothing", node("handler.mjs"), false},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				deal(b, c.settings, c.archives, sized(b, "MESSAGES", 100))
			}
		})
	}
}

// deal lets a handler deal with messages.
func deal(b *testing.B, settings map[string]string, archives bool, messages int) {
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
	before := total(a.Service.Counts())
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
	took := time.Since(began).Seconds()
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
	b.ReportMetric(float64(len(about)*copies)/took, "messages/s")
	b.ReportMetric(float64(total(a.Service.Counts())-before), "calls")
	b.StartTimer()
}
