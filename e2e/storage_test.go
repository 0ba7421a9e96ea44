package e2e

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
)

// TestDevelopmentStorageServesEverywhere runs the app, the host and the emulated
// service with UseDevelopmentStorage=true, which means Azurite on its own ports.
func TestDevelopmentStorageServesEverywhere(t *testing.T) {
	t.Parallel()
	server, err := azurite.Start(t.Context(), azurite.Options{BlobPort: 10000, QueuePort: 10001})
	if err != nil && strings.Contains(err.Error(), "EADDRINUSE") {
		t.Skipf("UseDevelopmentStorage=true has no other ports: %v", err)
	}
	require.NoError(t, err)
	t.Cleanup(server.Close)

	a := newApp(t, options{world: world.Options{Connections: func(string) string { return "UseDevelopmentStorage=true" }}})
	p := a.connect("Kitchen", world.Compact)
	it := a.Train(p.ID)
	a.Eventually("the exports are archived", func() bool {
		return assert.ObjectsAreEqual(map[string]archive.Verdict{"ONNX": archive.Proven, "TensorFlow": archive.Proven}, a.Verdicts(p.ID, it.ID))
	})
}
