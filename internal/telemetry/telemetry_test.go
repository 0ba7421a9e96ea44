package telemetry_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"

	"visionkeeper/dev/otlp"
	"visionkeeper/internal/redact"
	"visionkeeper/internal/telemetry"
)

const (
	theirTrace  = "4bf92f3577b34da6a3ce929d0e0e4736"
	theirSpan   = "00f067aa0ba902b7"
	traceparent = "00-" + theirTrace + "-" + theirSpan + "-01"
)

func getenv(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

func open(t *testing.T, values map[string]string) *telemetry.Telemetry {
	t.Helper()
	o, err := telemetry.Open(getenv(values), "1.2.3", redact.String)
	require.NoError(t, err)
	return o
}

// sending is a receiver and what sends to it, with more settings.
func sending(t *testing.T, more map[string]string, secrets ...string) (*otlp.Receiver, *telemetry.Telemetry) {
	t.Helper()
	r := otlp.Listen(t)
	o, err := telemetry.Open(func(name string) string { return cmp.Or(more[name], r.Setting(name)) }, "1.2.3", redact.Remover(secrets...))
	require.NoError(t, err)
	return r, o
}

// logged is a context whose log is printed.
func logged(t *testing.T) (context.Context, *bytes.Buffer) {
	var printed bytes.Buffer
	return zerolog.New(&printed).WithContext(t.Context()), &printed
}

func TestAnInvocationIsSentBeforeItsEnd(t *testing.T) {
	t.Parallel()
	r, o := sending(t, map[string]string{
		"OTEL_EXPORTER_OTLP_HEADERS": "x-key=a%20b,x-other=c",
		"OTEL_RESOURCE_ATTRIBUTES":   "deployment.environment=test", "OTEL_SERVICE_NAME": "keeper",
	})
	ctx, printed := logged(t)
	other, endOther := o.Invocation(ctx, "notifications", "id-0", "")
	ctx, end := o.Invocation(ctx, "sweep", "id-1", traceparent)
	inner, span := telemetry.Start(telemetry.Linked(ctx, []context.Context{other}), "reconcile", telemetry.String("project", "p"))
	_, deeper := telemetry.Start(inner, "backup")
	deeper.End(errors.New("no room"))
	span.End(nil)
	telemetry.Count(inner, telemetry.Backups, 2, telemetry.String("verdict", "proven"))
	telemetry.Gauge(inner, telemetry.Unproven, 7)
	zerolog.Ctx(inner).Info().Msg("said")
	end(nil)

	assert.ElementsMatch(t, []string{"/v1/traces", "/v1/metrics"}, r.Paths())
	assert.Equal(t, "a b", r.Headers().Get("X-Key"))
	assert.Contains(t, printed.String(), `"trace":"`+theirTrace+`"`)
	whole, reconcile, backup := r.Span(t, "sweep"), r.Span(t, "reconcile"), r.Span(t, "backup")
	assert.Equal(t, theirTrace, hex.EncodeToString(whole.TraceId))
	assert.Equal(t, theirSpan, hex.EncodeToString(whole.ParentSpanId))
	assert.Equal(t, traces.Span_SPAN_KIND_CONSUMER, whole.Kind)
	assert.Contains(t, whole.String(), `string_value:"id-1"`, "the invocation's id")
	assert.Equal(t, whole.SpanId, reconcile.ParentSpanId)
	assert.Equal(t, reconcile.SpanId, backup.ParentSpanId)
	require.Len(t, reconcile.Links, 1, "another invocation shares it")
	assert.Empty(t, backup.Links)
	assert.Equal(t, traces.Status_STATUS_CODE_ERROR, backup.Status.Code)
	assert.Equal(t, "no room", backup.Status.Message)
	assert.LessOrEqual(t, backup.StartTimeUnixNano, backup.EndTimeUnixNano)
	assert.InDelta(t, time.Now().UnixNano(), int64(backup.EndTimeUnixNano), float64(time.Minute))
	resource := r.Resource().String()
	for _, part := range []string{`"keeper"`, `"1.2.3"`, `"deployment.environment"`, `"service.instance.id"`} {
		assert.Contains(t, resource, part)
	}
	sum := r.Metric("visionkeeper.backups").GetSum()
	assert.Equal(t, 2.0, sum.DataPoints[0].GetAsDouble())
	assert.True(t, sum.IsMonotonic)
	assert.Equal(t, metrics.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE, sum.AggregationTemporality)
	assert.Equal(t, 7.0, r.Metric("visionkeeper.exports.unproven").GetGauge().DataPoints[0].GetAsDouble())

	telemetry.Count(other, telemetry.Backups, 1, telemetry.String("verdict", "proven"))
	r.Forget()
	endOther(errors.New("broken"))
	assert.Equal(t, r.Span(t, "notifications").SpanId, reconcile.Links[0].SpanId)
	assert.Equal(t, 3.0, r.Metric("visionkeeper.backups").GetSum().DataPoints[0].GetAsDouble(), "counters go on")
	assert.Nil(t, r.Metric("visionkeeper.exports.unproven"), "what was measured is sent once")
	assert.Len(t, r.Metric("visionkeeper.invocations").GetSum().DataPoints, 2, "one that succeeded, one that failed")
}

// The data must not hold what leads into an account, whatever way it comes.
func TestNoSecretIsSent(t *testing.T) {
	t.Parallel()
	const key, signature = "q+/training-key==", "c2lnbmF0dXJlLW9mLWEtbGluaw"
	r, o := sending(t, nil, key)
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }))
	t.Cleanup(service.Close)
	ctx, _ := logged(t)
	ctx, end := o.Invocation(ctx, "notifications", "id", "")
	pipeline := runtime.NewPipeline("test", "v1", runtime.PipelineOptions{PerRetry: []policy.Policy{telemetry.Policy()}},
		&azcore.ClientOptions{Retry: policy.RetryOptions{MaxRetries: 1, RetryDelay: time.Millisecond}})
	req, err := runtime.NewRequest(ctx, http.MethodGet, service.URL+"/models/a.zip?se=2026&sig="+signature)
	require.NoError(t, err)
	req.Raw().Header.Set("Training-Key", key)
	_, err = pipeline.Do(req)
	require.NoError(t, err)
	_, span := telemetry.Start(ctx, "backup", telemetry.String("because", "https://h/a?sig="+signature+"&x=1"))
	span.End(errors.New("GET https://h/a?sig=" + signature + " with " + key))
	end(errors.New("AccountKey=" + signature))

	assert.Contains(t, r.Raw(), "/models/a.zip", "the rest is there")
	for _, secret := range []string{signature, key, "se=2026"} {
		assert.NotContains(t, r.Raw(), secret)
	}
	tries := 0
	for _, s := range r.Spans() {
		if s.Name == "GET" {
			tries++
			assert.Equal(t, traces.Span_SPAN_KIND_CLIENT, s.Kind)
			assert.Contains(t, s.String(), "429")
		}
	}
	assert.Equal(t, 2, tries, "each try is a span")
	assert.Equal(t, 2.0, r.Metric("visionkeeper.requests.throttled").GetSum().DataPoints[0].GetAsDouble())
}

func TestAHeaderThatIsNoSecretSpoilsNoText(t *testing.T) {
	t.Parallel()
	o := open(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_EXPORTER_OTLP_HEADERS": "x-scope-orgid=1,api-key=abcdef"})
	assert.ElementsMatch(t, []string{"abcdef", "abcdef"}, o.Secrets())
}

func TestWithoutTheSettingsNothingIsMeasured(t *testing.T) { // counts allocations, so it runs alone
	for name, values := range map[string]map[string]string{
		"nothing":      {},
		"disabled":     {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"},
		"no exporters": {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"},
	} {
		o := open(t, values)
		assert.Nil(t, o, name)
		assert.Empty(t, o.Secrets())
		log, printed := logged(t)
		ctx, end := o.Invocation(log, "sweep", "id", traceparent)
		zerolog.Ctx(ctx).Info().Msg("said")
		assert.Contains(t, printed.String(), theirTrace, "the host's trace is in the log all the same")
		assert.Zero(t, testing.AllocsPerRun(10, func() {
			inner, span := telemetry.Start(ctx, "backup")
			telemetry.Count(inner, telemetry.Backups, 1)
			span.End(nil)
		}))
		end(nil)
	}
}

func TestOneKindOfDataMayGoElsewhereOrNowhere(t *testing.T) {
	t.Parallel()
	r := otlp.Listen(t)
	o := open(t, map[string]string{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": r.URL + "/mine/metrics"})
	ctx, _ := logged(t)
	_, end := o.Invocation(ctx, "sweep", "id", "")
	end(nil)
	assert.Equal(t, []string{"/mine/metrics"}, r.Paths())
}

// Whatever the receiver does, there is one line for each kind of data, and it names the
// host alone.
func TestAReceiverThatFailsIsOneLine(t *testing.T) {
	t.Parallel()
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	t.Cleanup(stranger.Close)
	for name, answer := range map[string]http.HandlerFunc{
		"refuses": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) },
		"redirects": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, stranger.URL, http.StatusTemporaryRedirect)
		},
		"cuts off": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"hangs": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewUnstartedServer(answer)
			server.Config.ErrorLog = nil
			server.Start()
			t.Cleanup(server.Close)
			o := open(t, map[string]string{
				"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": server.URL + "/secret-path", "OTEL_EXPORTER_OTLP_TIMEOUT": "200",
			})
			ctx, printed := logged(t)
			_, end := o.Invocation(ctx, "sweep", "id", "")
			end(nil)
			assert.Equal(t, 1, strings.Count(printed.String(), "\n"), printed.String())
			assert.Contains(t, printed.String(), "the spans can't be sent")
			assert.NotContains(t, printed.String(), "secret")
		})
	}
}

// Whoever is watched by a receiver that hangs doesn't wait for it with every answer.
func TestAReceiverThatHangsHoldsUpOneAnswer(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	defer receiver.Close()
	defer close(hang)
	o := open(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.URL, "OTEL_EXPORTER_OTLP_TIMEOUT": "500"})
	ctx, printed := logged(t)
	began := time.Now()
	for range 20 {
		_, end := o.Invocation(ctx, "sweep", "1", "")
		end(nil)
	}
	assert.Less(t, time.Since(began), 2*time.Second)
	assert.Equal(t, 2, strings.Count(printed.String(), "nothing is sent for a minute"), "spans and metrics: %s", printed)
}

func TestASettingThatCannotBeUsedIsNamedAndNotQuoted(t *testing.T) {
	t.Parallel()
	const endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT"
	for name, value := range map[string]string{
		endpoint:                              "secret.example.org:4318",
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT":  "ftp://secret",
		"OTEL_EXPORTER_OTLP_PROTOCOL":         "grpc-secret",
		"OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "http/json-secret",
		"OTEL_EXPORTER_OTLP_HEADERS":          "secret",
		"OTEL_EXPORTER_OTLP_TIMEOUT":          "secret",
		"OTEL_TRACES_EXPORTER":                "secret",
		"OTEL_RESOURCE_ATTRIBUTES":            "secret=%zz",
	} {
		values := map[string]string{endpoint: "http://127.0.0.1:4318"}
		values[name] = value
		_, err := telemetry.Open(getenv(values), "", redact.String)
		require.ErrorContains(t, err, name)
		assert.NotContains(t, err.Error(), "secret")
	}
}

func TestAForgedTraceparentIsNoTrace(t *testing.T) {
	t.Parallel()
	for _, header := range []string{
		"", "x", "00-" + theirTrace + "-" + theirSpan, "ff-" + theirTrace + "-" + theirSpan + "-01",
		"00-" + strings.Repeat("0", 32) + "-" + theirSpan + "-01", "00-" + theirTrace + "-" + strings.Repeat("0", 16) + "-01",
		"00-" + strings.Repeat("g", 32) + "-" + theirSpan + "-01",
	} {
		ctx, printed := logged(t)
		ctx, _ = (*telemetry.Telemetry)(nil).Invocation(ctx, "sweep", "id", header)
		zerolog.Ctx(ctx).Info().Msg("said")
		assert.NotContains(t, printed.String(), "trace", header)
	}
}
