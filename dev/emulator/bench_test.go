package emulator

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// BenchmarkProjectRead answers GetProject over loopback HTTP, as a client sees it.
func BenchmarkProjectRead(b *testing.B) {
	s, err := New(Options{Key: testKey})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	web := httptest.NewServer(s)
	defer web.Close()
	id, err := s.CreateProject("demo", compactDomain, "https://a.blob.core.windows.net/c", "https://a.queue.core.windows.net/q")
	if err != nil {
		b.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r, _ := http.NewRequest("GET", web.URL+"/customvision/v3.3/training/projects/"+id, nil)
			r.Header.Set("Training-Key", testKey)
			response, err := client.Do(r)
			if err != nil {
				b.Error(err)
				return
			}
			io.Copy(io.Discard, response.Body)
			response.Body.Close()
			if response.StatusCode != http.StatusOK {
				b.Error(response.Status)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reads/s")
}
