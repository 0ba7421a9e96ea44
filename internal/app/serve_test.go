package app

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/otlp"
	"visionkeeper/internal/dotnet"
)

// TestWhatTheHostStartsWithDoesNotEndTheApp has files that Newtonsoft.Json takes and
// the app can't read, or not as the host does.
func TestWhatTheHostStartsWithDoesNotEndTheApp(t *testing.T) {
	t.Parallel()
	for name, hostJSON := range map[string]string{
		"single quotes":   `{'version': '2.0', 'functionTimeout': '00:10:00'}`,
		"keys unquoted":   `{version: "2.0"}`,
		"a comma":         `{"version": "2.0", "functionTimeout": "00:10:00",}`,
		"a hex number":    `{"version": "2.0", "x": 0x1F}`,
		"no value":        `{"version": "2.0", "x": undefined}`,
		"an odd timeout":  `{"version": "2.0", "functionTimeout": "0.00:10"}`,
		"many deliveries": `{"version": "2.0", "extensions": {"queues": {"maxDequeueCount": 1e3}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(root, "host.json"), []byte(hostJSON), 0o600))
			c := &dotnet.Configuration{}
			for name, value := range map[string]string{
				"FUNCTIONS_APP_ROOT_PATH": root, "FUNCTIONS_CUSTOMHANDLER_PORT": "0", "NOTIFICATION_QUEUE": "notifications", "CustomVisionStorage": "UseDevelopmentStorage=true",
			} {
				c.Add(dotnet.Setting{Name: name, Value: value})
			}
			ctx, cancel := context.WithCancel(t.Context())
			err := Serve(ctx, "test", c, onLine{"listening for the Functions host", cancel}, io.Discard)
			assert.ErrorIs(t, err, context.Canceled, "it served until it was ended")
		})
	}
}

// TestWhatSweepsSayOfSettingsAndHostJSON has a slip, and a timeout that is none.
func TestWhatSweepsSayOfSettingsAndHostJSON(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(root, "host.json"), []byte(`{"version": "2.0", "functionTimeout": "soon"}`), 0o600))
	said := remarks(dotnet.NewConfiguration(dotnet.Setting{Name: "CUSTOMVISON_KEY", Value: "x"}), root)
	require.Len(t, said, 2, said)
	assert.Contains(t, said[0], "CUSTOMVISON_KEY is no setting of the app, but CUSTOMVISION_KEY is")
	assert.Contains(t, said[1], "functionTimeout")
}

// onLine calls a function when a text is written.
type onLine struct {
	text string
	call func()
}

func (w onLine) Write(p []byte) (int, error) {
	if strings.Contains(string(p), w.text) {
		w.call()
	}
	return len(p), nil
}

// TestAnInvocationIsToldByOpenTelemetry has a real request of the host, which fails, and
// keys that must not be told.
func TestAnInvocationIsToldByOpenTelemetry(t *testing.T) {
	t.Parallel()
	r := otlp.Listen(t)
	const key, header = "a-training-key", "a-receiver's-key"
	c := &dotnet.Configuration{}
	for name, value := range map[string]string{
		"FUNCTIONS_APP_ROOT_PATH": t.TempDir(), "FUNCTIONS_CUSTOMHANDLER_PORT": "0", "NOTIFICATION_QUEUE": "notifications", "CustomVisionStorage": "UseDevelopmentStorage=true",
		"CUSTOMVISION_ENDPOINT": "https://NAME.cognitiveservices.azure.com", "CUSTOMVISION_KEY": key,
		"OTEL_EXPORTER_OTLP_ENDPOINT": r.URL, "OTEL_EXPORTER_OTLP_HEADERS": "x-key=" + url.PathEscape(header),
		"OTEL_RESOURCE_ATTRIBUTES": "note=" + key + ",other=" + url.PathEscape(header),
	} {
		c.Add(dotnet.Setting{Name: name, Value: value})
	}
	ctx, cancel := context.WithCancel(t.Context())
	lines := make(chan string, 10)
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, "test", c, eachLine(lines), eachLine(lines)) }()
	var listening struct{ Address string }
	require.NoError(t, json.Unmarshal([]byte(<-lines), &listening))
	req, err := http.NewRequest(http.MethodPost, "http://"+listening.Address+"/sweep", strings.NewReader("null"))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Azure-Functions-InvocationId", "an-invocation")
	req.Header.Set("X-Azure-Functions-HostVersion", "4.0")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, http.StatusInternalServerError, resp.StatusCode)

	span := r.Span(t, "sweep")
	assert.Contains(t, span.String(), "an-invocation")
	assert.Contains(t, span.GetStatus().GetMessage(), "not a JSON object")
	assert.Equal(t, header, r.Headers().Get("X-Key"))
	assert.NotContains(t, r.Raw(), key)
	assert.NotContains(t, r.Raw(), header, "what signs in at the receiver is told in no body")
	line := <-lines
	assert.Contains(t, line, hex.EncodeToString(span.TraceId))
	assert.Contains(t, line, "an-invocation")
	cancel()
	assert.ErrorIs(t, <-ended, context.Canceled)
}

// eachLine passes on what is written.
type eachLine chan<- string

func (w eachLine) Write(p []byte) (int, error) {
	w <- string(p)
	return len(p), nil
}
