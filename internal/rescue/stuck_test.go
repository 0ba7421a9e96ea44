package rescue

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/dataset"
)

// TestAnIterationThatCanNotBeReadKeepsNoneFromBeingSaved has every call of a kind about the
// newest of two iterations fail.
func TestAnIterationThatCanNotBeReadKeepsNoneFromBeingSaved(t *testing.T) {
	t.Parallel()
	w := newScene(t, emulator.Options{})
	for what, path := range map[string]string{"at its head": "/tags", "at its images": "/images", "at what it predicts": "/performance/images"} {
		t.Run(what, func(t *testing.T) {
			older := w.story()
			w.add(7, 1, w.tags[0])
			newest := w.Train(w.project).ID
			line := world.NewInterceptor(t)
			line.Use(world.On(func(r *http.Request) bool {
				return strings.HasSuffix(r.URL.Path, path) && strings.Contains(r.URL.String(), newest)
			}, world.Refuse(http.StatusInternalServerError)))
			var p Progress
			for range maxStumbles + 2 {
				p, _ = w.process(line).Run(context.Background(), w.project, Wish{Force: true})
			}
			assert.Equal(t, dataset.Complete, p.Kept[dataset.Workspace].Verdict)
			require.NotNil(t, p.Kept[older])
			assert.Equal(t, dataset.Complete, p.Kept[older].Verdict)
			if p.Kept[newest] != nil {
				assert.Equal(t, dataset.Incomplete, p.Kept[newest].Verdict)
			}
		})
	}
}
