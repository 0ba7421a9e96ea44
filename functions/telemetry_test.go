package functions_test

import (
	"bytes"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"

	"visionkeeper/dev/otlp"
	"visionkeeper/dev/world"
	"visionkeeper/internal/redact"
	"visionkeeper/internal/telemetry"
)

// A sweep that archives is told as a tree: the invocation, the project's run, its actions,
// and their requests. What leads into an account is told nobody.
func TestASweepIsToldByOpenTelemetry(t *testing.T) {
	t.Parallel()
	r := otlp.Listen(t)
	watched, err := telemetry.Open(r.Setting, "test", redact.String)
	require.NoError(t, err)
	w := newWorld(t, setting{policy: onnx, container: true})
	w.export(w.train())

	var printed bytes.Buffer
	ctx := zerolog.New(&printed).WithContext(t.Context())
	ctx, end := watched.Invocation(ctx, "sweep", "an-invocation", "")
	sent := w.line.During(func() { require.NoError(t, w.sweep(ctx)) })
	end(nil)
	require.Len(t, w.kept(), 1)
	assert.NotContains(t, printed.String(), "can't be sent")

	spans := map[string]*traces.Span{}
	for _, s := range r.Spans() {
		spans[string(s.SpanId)] = s
	}
	road := func(s *traces.Span) (names []string) {
		for ; s != nil; s = spans[string(s.ParentSpanId)] {
			names = append(names, s.Name)
		}
		slices.Reverse(names)
		return names
	}
	var roads []string
	for _, s := range r.Spans() {
		roads = append(roads, strings.Join(road(s), " > "))
		assert.Equal(t, hex.EncodeToString(r.Span(t, "sweep").TraceId), hex.EncodeToString(s.TraceId))
	}
	for _, expected := range []string{"sweep", "sweep > GET", "sweep > reconcile", "sweep > reconcile > GET", "sweep > reconcile > backup", "sweep > reconcile > backup > PUT", "sweep > reconcile > settle"} {
		assert.Contains(t, roads, expected)
	}
	for name, value := range map[string]float64{
		"visionkeeper.exports.unproven": 0, "visionkeeper.deadletters": 0, "visionkeeper.backups": 1,
		"visionkeeper.poison": 0, "visionkeeper.backup.bytes": float64(w.kept()[0].Size),
	} {
		m := r.Metric(name)
		if assert.NotNil(t, m, name) {
			points := append(m.GetGauge().GetDataPoints(), m.GetSum().GetDataPoints()...)
			require.Len(t, points, 1, name)
			assert.Equal(t, value, points[0].GetAsDouble(), name)
		}
	}
	secrets := secretsIn(t, sent)
	require.Greater(t, len(secrets), 3, "a key, signed requests and a signed source")
	for _, secret := range secrets {
		assert.NotContains(t, r.Raw(), secret)
	}
}

// secretsIn are the keys and signatures that requests carry.
func secretsIn(t *testing.T, sent []world.Request) []string {
	t.Helper()
	var secrets []string
	for _, req := range sent {
		links := []string{req.URL.String()}
		for name, values := range req.Header {
			switch strings.ToLower(name) {
			case "authorization", "training-key":
				secrets = append(secrets, values...)
			case "x-ms-copy-source":
				links = append(links, values...)
			}
		}
		for _, link := range links {
			u, err := url.Parse(link)
			require.NoError(t, err)
			if signature := u.Query().Get("sig"); signature != "" {
				secrets = append(secrets, signature, url.QueryEscape(signature))
			}
		}
	}
	return secrets
}
