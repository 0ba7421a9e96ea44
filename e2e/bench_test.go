package e2e

import (
	"cmp"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
)

// BenchmarkManyInstances puts many copies of the messages about a few trainings on the queue
// and lets several instances of the app deal with them, as the platform starts them when
// messages pile up. Each asks for two exports, archives them, and has each effect once. It
// does so with the budget of calls that all share, and as if there were none: with a budget
// that leaves each instance four calls a second.
//
// INSTANCES, MESSAGES and PROJECTS make it larger than it is.
func BenchmarkManyInstances(b *testing.B) {
	instances, messages, projects := sized(b, "INSTANCES", 3), sized(b, "MESSAGES", 60), sized(b, "PROJECTS", 3)
	for name, budget := range map[string]int{"shared": 8, "alone": 4 * instances} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				manyInstances(b, budget, instances, messages, projects)
			}
		})
	}
}

// sized is a number from the environment.
func sized(b *testing.B, name string, usual int) int {
	n, err := strconv.Atoi(cmp.Or(os.Getenv(name), strconv.Itoa(usual)))
	require.NoError(b, err, name)
	return n
}

func manyInstances(b *testing.B, budget, instances, messages, projects int) {
	b.StopTimer()
	a := newApp(b, options{
		policy:   `{"projects":[{"project":"*","exports":["ONNX","TensorFlow"]}]}`,
		settings: map[string]string{"VISIONKEEPER_CALLS_PER_SECOND": strconv.Itoa(budget), "VISIONKEEPER_LOOK_INTERVAL": ""},
		world:    world.Options{Emulator: emulator.Options{TrainTime: time.Millisecond, ExportTime: 100 * time.Millisecond}},
	})
	for range instances - 1 {
		a.another()
	}
	var about []string
	for n := range projects {
		project := a.connect(fmt.Sprintf("Project %d", n), world.Compact).ID
		about = append(about, sample(b, "training-completed.json", project, a.Train(project).ID, ""))
	}
	began, before := time.Now(), total(a.Service.Counts())
	b.StartTimer()
	stop, peak := make(chan struct{}), make(chan float64)
	go func() { peak <- busiest(stop, func() int { return total(a.Service.Counts()) }) }()
	var senders sync.WaitGroup
	for n := range about {
		senders.Go(func() {
			for range messages / projects {
				a.put(about[n])
			}
		})
	}
	senders.Wait()
	sent := messages / projects * projects
	done := func() bool { return a.succeeded() >= sent && len(a.Backups("", "")) >= 2*projects }
	for !done() {
		last := a.succeeded()
		world.Eventually(b, "one more message is dealt with, or all is archived", func() bool { return a.succeeded() > last || done() })
	}
	b.StopTimer()
	took := time.Since(began).Seconds()
	close(stop)
	calls := float64(total(a.Service.Counts()) - before)
	require.Len(b, a.Backups("", ""), 2*projects, "each is archived once")
	require.Equal(b, 2*projects, a.Service.Counts()["ExportIteration"], "each is asked for once")
	b.ReportMetric(float64(sent)/took, "messages/s")
	b.ReportMetric(calls, "calls")
	b.ReportMetric(calls/took, "calls/s")
	b.ReportMetric(<-peak, "peak-calls/s")
	b.StartTimer()
}

// busiest is the most of something that came in a second, over any ten seconds.
func busiest(stop <-chan struct{}, count func() int) (most float64) {
	every := time.NewTicker(100 * time.Millisecond)
	defer every.Stop()
	type sight struct {
		at time.Time
		n  int
	}
	var seen []sight
	for {
		select {
		case <-stop:
			return most
		case <-every.C:
			now := sight{time.Now(), count()}
			seen = append(seen, now)
			for len(seen) > 1 && now.at.Sub(seen[1].at) >= 10*time.Second {
				seen = seen[1:]
			}
			if took := now.at.Sub(seen[0].at); took >= 10*time.Second {
				most = max(most, float64(now.n-seen[0].n)/took.Seconds())
			}
		}
	}
}

func total(counts map[string]int) int {
	n := 0
	for _, c := range counts {
		n += c
	}
	return n
}
