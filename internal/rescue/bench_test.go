package rescue

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
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
	p, err := w.rescuer(azcore.ClientOptions{Transport: &line}).Run(context.Background(), w.project, Wish{})
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
	require.LessOrEqual(t, first.others, first.pages+images/portion+12)

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

// BenchmarkAHundredThousandImages saves a generated project of 100,000 small images into a
// real Azurite, and says how many requests that takes, against the arithmetic minimum, and
// how much the heap grows. The service is a stand-in that makes up what it answers.
func BenchmarkAHundredThousandImages(b *testing.B) {
	const images = 100_000
	for b.Loop() {
		w := newScene(b, emulator.Options{})
		service := httptest.NewServer(generated(images))
		b.Cleanup(service.Close)
		var line tally
		o := azcore.ClientOptions{Transport: &line}
		r := w.rescuer(o)
		var err error
		r.Service, err = customvision.NewClientWithKey(service.URL, "key", &customvision.ClientOptions{ClientOptions: o, Limit: rate.NewLimiter(rate.Inf, 1)})
		require.NoError(b, err)

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
		p, err := r.Run(context.Background(), w.project, Wish{})
		close(ended)
		require.NoError(b, err)
		require.Equal(b, dataset.Complete, p.Kept[dataset.Workspace].Verdict, p.Kept[dataset.Workspace].Why)
		require.Equal(b, images, p.Kept[dataset.Workspace].Found.Images)
		n := line.requests
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

// generated is a service with one project of so many images.
func generated(images int) http.Handler {
	mux := http.NewServeMux()
	answer := func(path string, body func(r *http.Request) any) {
		mux.HandleFunc("GET /customvision/v3.3/training/"+path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			json.NewEncoder(w).Encode(body(r))
		})
	}
	answer("projects/{project}", func(r *http.Request) any {
		return map[string]any{"id": r.PathValue("project"), "name": "generated", "settings": map[string]any{}, "lastModified": "2026-01-01T00:00:00Z"}
	})
	answer("projects/{project}/iterations", func(*http.Request) any { return []any{} })
	answer("projects/{project}/tags", func(*http.Request) any {
		return []any{map[string]any{"id": "0a1b2c3d-0000-4000-8000-00000000000a", "name": "bolt", "type": "Regular", "imageCount": images}}
	})
	answer("projects/{project}/images/count", func(*http.Request) any { return images })
	answer("projects/{project}/images", func(r *http.Request) any {
		skip, _ := strconv.Atoi(r.URL.Query().Get("skip"))
		take, _ := strconv.Atoi(r.URL.Query().Get("take"))
		list := []any{}
		for n := skip; n < min(skip+take, images); n++ {
			at := time.Date(2026, 1, 1, 0, 0, n, 0, time.UTC).Format("2006-01-02T15:04:05")
			list = append(list, map[string]any{
				"id": fmt.Sprintf("0a1b2c3d-0000-4000-8000-%012x", n), "created": at, "width": 4, "height": 3,
				"originalImageUri": fmt.Sprintf("http://%s/_blob/%d", r.Host, n), "resizedImageUri": fmt.Sprintf("http://%s/_blob/%d", r.Host, n),
				"tags": []any{map[string]any{"tagId": "0a1b2c3d-0000-4000-8000-00000000000a", "tagName": "bolt", "created": at}},
			})
		}
		return list
	})
	mux.HandleFunc("GET /_blob/{n}", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.PathValue("n"))
		data := world.Picture(n)
		sum := md5.Sum(data)
		w.Header().Set("Content-MD5", base64.StdEncoding.EncodeToString(sum[:]))
		w.Write(data)
	})
	return mux
}
