//go:build browser

package e2e

import (
	"context"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
)

// TestThePageInABrowser needs Chromium, so it runs with -tags browser, as CI does. It has
// the real program, from an app that is empty to one that is broken.
func TestThePageInABrowser(t *testing.T) {
	t.Parallel()
	var page atomic.Pointer[string]
	a := newApp(t, options{
		policy: `{"projects":[{"project":"*","exports":["ONNX","TensorFlow"],"iterations":["newest","published"]}]}`,
		world:  world.Options{Emulator: emulator.Options{AppPage: func() string { return *page.Load() }}},
	})
	at := a.host.URL() + "/api/status"
	page.Store(&at)
	visit := func(phase string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "node", "status.mjs")
		cmd.Dir = "dev/emulator/jstest"
		cmd.Env = append(os.Environ(), "PAGE="+at, "PHASE="+phase, "EMULATOR="+a.API)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Equal(t, phase+" seen\n", string(out))
	}
	visit("empty")

	kitchen := a.connect("Kitchen", world.Compact)
	for range 2 {
		it := a.Train(kitchen.ID)
		a.Eventually("its exports are archived", func() bool {
			verdicts := a.Verdicts(kitchen.ID, it.ID)
			return verdicts["ONNX"] == archive.Proven && verdicts["TensorFlow"] == archive.Proven
		})
	}
	garden := a.connect("A garden with a <b>very</b> long name, which has to fit all the same, whatever the screen", generalID)
	a.Train(garden.ID)
	attic := a.connect("Attic", world.Compact)
	a.Service.StallExports(2)
	busy := a.Train(attic.ID)
	a.put(`{"version":"9","text":"from nowhere"}`)
	a.Eventually("the app has seen it all", func() bool {
		shown := a.Remembered(attic.ID).Shown[busy.ID]
		return shown != nil && len(shown.Exports) == 2 && len(a.Letters()) == 1 && len(a.Remembered(garden.ID).Conditions) == 1
	})
	a.sweep()
	visit("busy")
	visit("act")

	_, err := a.Containers.State.Delete(t.Context(), nil)
	require.NoError(t, err)
	visit("broken")
}
