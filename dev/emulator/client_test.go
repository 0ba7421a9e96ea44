package emulator

import (
	"net/http"
	"net/http/httptest"
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
	s := start(t, c.connected)
	clock := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { s.Advance(time.Hour) }))
	defer clock.Close()
	output := node(t, "life.mjs", "ENDPOINT="+s.url, "KEY="+testKey, "CONTAINER_URI="+c.blobURL, "QUEUE_URI="+c.queueURL, "AN_HOUR_LATER="+clock.URL)
	assert.Equal(t, "a whole life\n", output)
	assert.ElementsMatch(t, []string{"ConnectionTest", "Training", "Export", "Export"}, c.types())
	for _, r := range s.Requests() {
		assert.Equal(t, v34, r.Version)
	}
}

// TestOfficialJavaScriptPredictionClient runs Microsoft's other client.
func TestOfficialJavaScriptPredictionClient(t *testing.T) {
	t.Parallel()
	pictures := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(png(7)) }))
	t.Cleanup(pictures.Close)
	for kind, domain := range map[string]string{"classify": compactDomain, "detect": compactDetection} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := start(t, noValidation)
			require.NoError(t, s.Predict(PredictionRule{Name: "cat", Tag: "cat", Probability: 0.97}))
			project, _ := s.published(domain)
			output := node(t, "predict.mjs", "ENDPOINT="+s.url, "KEY="+testKey, "PROJECT="+project[9:], "KIND="+kind, "PICTURE_URL="+pictures.URL+"/seven.png")
			assert.Equal(t, "predicted\n", output)
		})
	}
}
