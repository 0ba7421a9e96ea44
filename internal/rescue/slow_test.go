package rescue

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/dataset"
)

// TestSlicesThatAreShorterThanAPageComeToAnEnd has slices that end after 40 pictures, of
// pages of 256.
func TestSlicesThatAreShorterThanAPageComeToAnEnd(t *testing.T) {
	t.Parallel()
	w := newScene(t, emulator.Options{})
	w.add(0, 100)
	for range 10 {
		ctx, cancel := context.WithCancel(context.Background())
		line := world.NewInterceptor(t)
		var read atomic.Int32
		line.Use(world.On(func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/_blob/") }, func(r *http.Request, send world.Send) (*http.Response, error) {
			if read.Add(1) > 40 {
				cancel()
			}
			return send(r)
		}))
		r := w.process(line)
		r.pageSize = customvision.PageSize
		p, err := r.Run(ctx, w.project, Wish{})
		cancel()
		require.NoError(t, err)
		if kept := p.Kept[dataset.Workspace]; kept != nil {
			assert.Equal(t, dataset.Complete, kept.Verdict, kept.Why)
			assert.Equal(t, 100, kept.Found.Images)
			return
		}
	}
	t.Fatal("ten slices of 40 pictures don't save 100")
}
