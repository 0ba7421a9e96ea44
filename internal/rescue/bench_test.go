package rescue

import (
	"context"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/dataset"
	"visionkeeper/internal/storage"
)

// requests counts those of a run.
type requests struct {
	calls    int // of the Training API
	pages    int // of them, pages of images
	pictures int // read
	stored   int // written
	others   int // of the archive and the state
}

func (n *requests) count(r *http.Request) {
	switch path := r.URL.Path; {
	case strings.HasPrefix(path, "/customvision/"):
		n.calls++
		if strings.HasSuffix(path, "/images") {
			n.pages++
		}
	case strings.HasPrefix(path, "/_blob/"):
		n.pictures++
	case strings.Contains(path, "/images/") && r.Method == http.MethodPut:
		n.stored++
	default:
		n.others++
	}
}

// tally is a transport that counts, and keeps nothing.
type tally struct {
	mu sync.Mutex
	requests
}

func (t *tally) Do(r *http.Request) (*http.Response, error) {
	t.mu.Lock()
	t.count(r)
	t.mu.Unlock()
	return storage.Transport.Do(r)
}

// counted runs by pages of the service's own size, without force, and counts.
func (w *scene) counted() (requests, Progress) {
	w.t.Helper()
	var line tally
	p, err := w.rescuer(azcore.ClientOptions{Transport: &line}).Run(context.Background(), w.project, false)
	require.NoError(w.t, err)
	return line.requests, p
}

// pages is the arithmetic minimum of requests that list so many images.
func pages(images int) int { return (images + customvision.PageSize - 1) / customvision.PageSize }

func TestARescueTakesHardlyMoreRequestsThanItMust(t *testing.T) {
	t.Parallel()
	w := newScene(t, emulator.Options{})
	const images = 600
	w.add(0, images)
	first, p := w.counted()
	require.Equal(t, dataset.Complete, p.Kept[dataset.Workspace].Verdict)
	require.LessOrEqual(t, first.pages, pages(images)+1) // one more shows that nothing has shifted
	require.LessOrEqual(t, first.calls-first.pages, 12)
	require.Equal(t, [2]int{images, images}, [2]int{first.pictures, first.stored})
	require.LessOrEqual(t, first.others, first.pages+12)

	w.add(images, 3)
	w.now = w.now.Add(againAfter)
	again, p := w.counted()
	require.Equal(t, images+3, p.Kept[dataset.Workspace].Found.Images)
	require.Equal(t, [2]int{3, 3}, [2]int{again.pictures, again.stored}, "what is new")

	w.now = w.now.Add(againAfter)
	same, _ := w.counted()
	require.LessOrEqual(t, same.calls, 6, "a look that finds nothing new")
	require.Zero(t, same.pictures)
	settled, _ := w.counted()
	require.Zero(t, settled, "within the hour nobody is asked") // the state is read by the test's own client
}

// BenchmarkAHundredThousandImages saves a generated project of 100,000 small images, and
// says how many requests that takes, against the arithmetic minimum, and how much memory.
// The emulator and what it holds are in the same process, so memory is what grows besides.
func BenchmarkAHundredThousandImages(b *testing.B) {
	const images = 100_000
	for b.Loop() {
		w := newScene(b, emulator.Options{})
		w.add(0, images)
		runtime.GC()
		var before runtime.MemStats
		runtime.ReadMemStats(&before)
		ended, peak := make(chan struct{}), atomic.Uint64{}
		go func() {
			for {
				select {
				case <-ended:
					return
				case <-time.After(200 * time.Millisecond):
					var now runtime.MemStats
					runtime.ReadMemStats(&now)
					peak.Store(max(peak.Load(), now.HeapAlloc))
				}
			}
		}()
		begun := time.Now()
		n, p := w.counted()
		close(ended)
		require.Equal(b, dataset.Complete, p.Kept[dataset.Workspace].Verdict, p.Kept[dataset.Workspace].Why)
		require.Equal(b, images, p.Kept[dataset.Workspace].Found.Images)
		least := pages(images) + 2*images + pages(images) // list, read, store, and keep the lines
		all := n.calls + n.pictures + n.stored + n.others
		b.ReportMetric(float64(n.pages)/float64(pages(images)), "pages/least")
		b.ReportMetric(float64(all)/float64(least), "requests/least")
		b.ReportMetric(float64(n.calls), "calls")
		b.ReportMetric(float64(all), "requests")
		b.ReportMetric(float64(peak.Load()-before.HeapAlloc)/1e6, "MB")
		b.ReportMetric(time.Since(begun).Seconds(), "seconds")
	}
}
