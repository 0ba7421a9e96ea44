package emulator

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// node runs a script of jstest/ with the packages that its lock file pins.
func node(t *testing.T, script string, env ...string) string {
	t.Helper()
	if _, err := os.Stat("jstest/node_modules/.package-lock.json"); err != nil {
		t.Fatal("the JavaScript packages are not installed: run `make tools`")
	}
	cmd := exec.CommandContext(t.Context(), "node", script)
	cmd.Dir = "jstest"
	cmd.Env = append(os.Environ(), env...)
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", output)
	return string(output)
}

// TestOfficialJavaScriptClient runs Microsoft's client against the emulator.
func TestOfficialJavaScriptClient(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	s := start(t, c.connected, func(o *Options) {
		o.Frozen = time.Time{}
		o.TrainTime, o.ExportTime, o.ImportTime = 200*time.Millisecond, 200*time.Millisecond, 100*time.Millisecond
	})
	output := node(t, "life.mjs", "ENDPOINT="+s.url, "KEY="+testKey, "CONTAINER_URI="+c.blobURL, "QUEUE_URI="+c.queueURL)
	assert.Equal(t, "a whole life\n", output)
	assert.ElementsMatch(t, []string{"ConnectionTest", "Training", "Export", "Export"}, c.types())
	for _, r := range s.Requests() {
		assert.Equal(t, v34, r.Version)
	}
}
