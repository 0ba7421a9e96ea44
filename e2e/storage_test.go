package e2e

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite"
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

	const development = "UseDevelopmentStorage=true"
	a := newApp(t, options{customer: development, archive: development, service: development})
	p := a.connect("Kitchen", compact)
	it := a.train(p.ID)
	a.eventually("the exports are archived", func() bool {
		return assert.ObjectsAreEqual(map[string]archive.Verdict{"ONNX": archive.Proven, "TensorFlow": archive.Proven}, a.backups(p.ID, it.ID))
	})
}
