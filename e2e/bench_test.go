package e2e

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/customvision"
)

// BenchmarkInstances lets several instances of the app, as the platform starts them when
// messages pile up, deal with 1,000 messages about 50 exports of 10 projects: each comes
// 20 times. All of them together may call Custom Vision 8 times a second.
func BenchmarkInstances(b *testing.B) {
	const projects, iterations, copies = 10, 5, 20
	for _, instances := range []int{1, 4, 20} {
		b.Run(fmt.Sprintf("%d", instances), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				a := newApp(b, options{
					policy:   `{"projects":[{"project":"*","exports":["ONNX"]}]}`,
					settings: map[string]string{"VISIONKEEPER_CALLS_PER_SECOND": "", "VISIONKEEPER_LOOK_INTERVAL": ""},
					world:    world.Options{Emulator: emulator.Options{TrainTime: time.Millisecond, ExportTime: time.Millisecond}},
				})
				var messages []string
				for p := range projects {
					project := a.Create(customvision.CreateProjectOptions{Name: fmt.Sprintf("Project %d", p), ExportModelContainerURI: a.Containers.Models.URL()}).ID
					for range iterations {
						iteration := a.Train(project).ID
						a.Export(project, iteration, "ONNX", "")
						messages = append(messages, sample(b, "export-completed.json", project, iteration, modelURI(a, project, iteration, "ONNX")))
					}
				}
				exports, began, before := a.Service.Counts()["ExportIteration"], time.Now(), total(a.Service.Counts())
				b.StartTimer()
				for range instances - 1 {
					a.another()
				}
				var senders sync.WaitGroup
				for range copies {
					senders.Go(func() {
						for _, text := range messages {
							a.put(text)
						}
					})
				}
				senders.Wait()
				a.succeeds(len(messages) * copies)
				b.StopTimer()
				took := time.Since(began).Seconds()
				require.Len(b, a.Backups("", ""), len(messages), "each is archived, and once")
				require.Equal(b, exports, a.Service.Counts()["ExportIteration"], "and nothing was asked for")
				calls := float64(total(a.Service.Counts()) - before)
				b.ReportMetric(float64(len(messages)*copies)/took, "messages/s")
				b.ReportMetric(calls, "calls")
				b.ReportMetric(calls/took, "calls/s")
				b.StartTimer()
			}
		})
	}
}

func total(counts map[string]int) int {
	n := 0
	for _, c := range counts {
		n += c
	}
	return n
}
