package functions_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/world"
	"visionkeeper/internal/dataset"
)

// TestManyProjectsAreSavedOneAfterTheOther has so many projects that an equal share of a
// sweep is less than the beginning of a snapshot takes.
func TestManyProjectsAreSavedOneAfterTheOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{policy: rescued})
	sets := w.saving()
	for n := range 9 {
		_, err := w.Service.CreateProject(fmt.Sprint("another ", n), world.Compact, "", "")
		require.NoError(t, err)
	}
	w.line.Use(world.On(func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/tags") }, func(r *http.Request, send world.Send) (*http.Response, error) {
		select {
		case <-time.After(400 * time.Millisecond):
		case <-r.Context().Done():
		}
		return send(r)
	}))
	complete := map[string]bool{}
	for n := 0; n < 12 && len(complete) <= 5; n++ { // longer ones, for a busy machine
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(4+n)*time.Second)
		_ = w.sweep(ctx)
		cancel()
		list, err := sets.Snapshots(t.Context(), "")
		require.NoError(t, err)
		for _, s := range list {
			complete[s.Project] = complete[s.Project] || s.Verdict == dataset.Complete
		}
		maps.DeleteFunc(complete, func(_ string, whole bool) bool { return !whole })
	}
	assert.Greater(t, len(complete), 5)
}
