package app

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
