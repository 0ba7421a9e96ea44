package rescue

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/dataset"
)

// TestAListWithoutAnEndIsLeft has the service give the same page again and again.
func TestAListWithoutAnEndIsLeft(t *testing.T) {
	t.Parallel()
	w := newScene(t, emulator.Options{})
	w.add(0, 7)
	line := world.NewInterceptor(t)
	skip := regexp.MustCompile(`skip=\d+`)
	line.Use(world.On(func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/images") }, func(r *http.Request, send world.Send) (*http.Response, error) {
		r.URL.RawQuery = skip.ReplaceAllString(r.URL.RawQuery, "skip=0")
		return send(r)
	}))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p, err := w.process(line).Run(ctx, w.project, Wish{})
	require.NoError(t, err)
	require.Nil(t, p.Taking)
	assert.Equal(t, dataset.Changed, p.Kept[dataset.Workspace].Verdict)
}
