package emulator

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzRequests looks for a request that makes the emulator panic or answer 500.
// {projectId} and the like in the path become ids that exist.
func FuzzRequests(f *testing.F) {
	for n := range operations {
		f.Add(byte(n), "", "{}")
		f.Add(byte(n), "name=a&platform=ONNX&publishName=a&predictionId=b&threshold=NaN&take=1&skip=9&imageIds={imageId}&tagIds={tagId}&path=i-{projectId}/i-&token=x", `{"images":[{"name":"a","contents":"Qk0=","regions":[{}]}],"tags":[{"imageId":"{imageId}"}],"name":null}`)
	}
	f.Fuzz(func(t *testing.T, n byte, query, body string) {
		s, err := New(Options{Key: testKey, NoValidation: true, Frozen: noon})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		id, err := s.CreateProject("a", compactDomain, "", "https://a.queue.core.windows.net/q")
		if err != nil {
			t.Fatal(err)
		}
		s.mu.Lock()
		p := s.state.Projects[0]
		p.Tags = []*tag{{ID: newID(), Name: "cat", Type: regularTag}}
		p.Images = []*picture{{ID: newID(), Created: noon, Tags: []pictureTag{{p.Tags[0].ID, noon}}}}
		s.mu.Unlock()
		iteration, err := s.Train(id)
		if err != nil {
			t.Fatal(err)
		}
		s.FinishNow(Scope{})
		fill := strings.NewReplacer("{projectId}", id, "{iterationId}", iteration, "{tagId}", p.Tags[0].ID, "{imageId}", p.Images[0].ID, "{domainId}", compactDomain)

		o := operations[int(n)%len(operations)]
		r := httptest.NewRequest(o.method, "http://localhost/customvision/v3.4-preview/training/"+fill.Replace(o.path), strings.NewReader(fill.Replace(body)))
		r.URL.RawQuery = fill.Replace(query)
		r.Header.Set("Training-Key", testKey)
		r.Header.Set("Content-Length", "0")
		r.Header.Set("Content-Type", "application/octet-stream")
		if strings.HasPrefix(body, "{") {
			r.Header.Set("Content-Type", "application/json")
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Fatalf("%s answered %d: %s", o.name, w.Code, w.Body)
		}
		s.Advance(24 * 60 * 60 * 1e9)
	})
}
