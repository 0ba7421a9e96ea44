package page_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/internal/state"
)

// The service has deleted the iteration, so nothing but the archive knows it.
func TestACopyThatIsNoBackupIsNotAllWell(t *testing.T) {
	t.Parallel()
	for _, names := range [][]string{{".zip", ".damaged.json"}, {".proven.json"}, {".zip"}} {
		s := newSite(t)
		stem := fmt.Sprintf("%s/%s/ONNX/%032x", newID(), newID(), 1)
		for _, name := range names {
			_, err := s.Containers.Archive.NewBlockBlobClient(stem+name).UploadBuffer(t.Context(), []byte("{}"), nil)
			require.NoError(t, err)
		}
		require.NoError(t, s.State.SetHealth(t.Context(), state.Health{Ended: s.now, Round: s.now}))
		body := s.see(base)
		assert.Contains(t, body, "0<small> of 1</small>", "%v", names)
		assert.NotContains(t, body, "All is well", "%v", names)
	}
}
