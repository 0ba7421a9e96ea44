// Package otlp receives OpenTelemetry's protocol over HTTP, for tests. It reads what it
// gets with the code that OpenTelemetry generates. Start reading at Listen.
package otlp

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Receiver takes spans and metrics. It is safe for concurrent use.
type Receiver struct {
	*httptest.Server

	mu       sync.Mutex
	paths    []string
	headers  http.Header
	raw      strings.Builder
	resource *resource.Resource
	spans    []*traces.Span
	metrics  []*metrics.Metric
}

// Listen starts a receiver on this machine, which ends with the test.
func Listen(t testing.TB) *Receiver {
	r := &Receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(r.take))
	t.Cleanup(r.Close)
	return r
}

// Setting is the value of one of the standard settings, of which one leads here.
func (r *Receiver) Setting(name string) string {
	if name == "OTEL_EXPORTER_OTLP_ENDPOINT" {
		return r.URL
	}
	return ""
}

// take answers as receivers do: 415 for another encoding, 400 for what can't be read.
func (r *Receiver) take(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.paths, r.headers = append(r.paths, req.URL.Path), req.Header
	r.raw.Write(body)
	spans, values := &traces.TracesData{}, &metrics.MetricsData{}
	switch {
	case req.Header.Get("Content-Type") != "application/x-protobuf":
		w.WriteHeader(http.StatusUnsupportedMediaType)
	case err != nil:
		w.WriteHeader(http.StatusBadRequest)
	case strings.HasSuffix(req.URL.Path, "/traces") && proto.Unmarshal(body, spans) == nil:
		for _, about := range spans.ResourceSpans {
			r.resource = about.Resource
			for _, scope := range about.ScopeSpans {
				r.spans = append(r.spans, scope.Spans...)
			}
		}
	case strings.HasSuffix(req.URL.Path, "/metrics") && proto.Unmarshal(body, values) == nil:
		for _, about := range values.ResourceMetrics {
			for _, scope := range about.ScopeMetrics {
				r.metrics = append(r.metrics, scope.Metrics...)
			}
		}
	default:
		w.WriteHeader(http.StatusBadRequest)
	}
}

// Paths are those of the requests so far.
func (r *Receiver) Paths() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.paths)
}

// Headers are those of the last request.
func (r *Receiver) Headers() http.Header {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.headers
}

// Raw is all that came, as it came.
func (r *Receiver) Raw() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.raw.String()
}

// Resource is what the spans that came last are of.
func (r *Receiver) Resource() *resource.Resource {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.resource
}

// Spans are all that came.
func (r *Receiver) Spans() []*traces.Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.spans)
}

// Span is the one span of a name.
func (r *Receiver) Span(t testing.TB, name string) *traces.Span {
	t.Helper()
	found := slices.DeleteFunc(r.Spans(), func(s *traces.Span) bool { return s.Name != name })
	require.Len(t, found, 1, name)
	return found[0]
}

// Metric is the metric of a name as it came last; nil if it never did.
func (r *Receiver) Metric(name string) *metrics.Metric {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range slices.Backward(r.metrics) {
		if m.Name == name {
			return m
		}
	}
	return nil
}

// Forget forgets the metrics that came.
func (r *Receiver) Forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.metrics = nil
}
