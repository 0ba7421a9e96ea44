package page_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/figures"
	"visionkeeper/internal/state"
)

// TestAPageCostsThreeRequestsWhereNothingHasChanged has what the most projects and
// iterations cost that a resource may hold. Two of twenty are in the archive, to be quick;
// the archive isn't asked, so it is the same with all of them, as the benchmark has it. The
// one listing is of the state container: a page of it has 5,000 blobs, and there are two
// for each project, a thousand dead letters at most, and four more.
func TestAPageCostsThreeRequestsWhereNothingHasChanged(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.fill(100, 20, 2)
	began := time.Now()
	first := s.ask(http.MethodGet, base)
	require.Equal(t, http.StatusOK, first.StatusCode)
	t.Logf("the first look took %s", time.Since(began))
	assert.Contains(t, first.body, "All is well")
	assert.Contains(t, first.body, "200<small> of 2000")

	sent := s.requests(func() {
		assert.Equal(t, http.StatusOK, s.ask(http.MethodGet, base).StatusCode)
	})
	assert.ElementsMatch(t, []string{
		"GET " + pathOf(t, s.Containers.State.URL()) + " list", "GET " + pathOf(t, s.World.Queue.URL()) + " metadata", "GET " + pathOf(t, s.Poison.URL()) + " metadata",
	}, sent)
	sent = s.requests(func() {
		again := s.ask(http.MethodGet, base, "If-None-Match", first.Header.Get("ETag"))
		assert.Equal(t, http.StatusNotModified, again.StatusCode)
		assert.Empty(t, again.body)
	})
	assert.LessOrEqual(t, len(sent), 3)
	figures.Print(t, "a page with 100 projects of 20 iterations, where nothing has changed: %d requests to storage", len(sent))

	view, err := s.State.View(t.Context())
	require.NoError(t, err)
	for id := range view.Projects {
		s.remember(id, func(p *state.Project) { p.Name = "Another name" })
		break
	}
	var changed answer
	sent = s.requests(func() { changed = s.ask(http.MethodGet, base, "If-None-Match", first.Header.Get("ETag")) })
	assert.Equal(t, http.StatusOK, changed.StatusCode)
	assert.Contains(t, changed.body, "Another name")
	assert.Equal(t, 5, len(sent), "one project is read, and what the archive has of it is listed")
}

func pathOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	return u.Path
}

// BenchmarkPage is the first page with 100 projects of 20 iterations, where nothing has
// changed. All are archived.
func BenchmarkPage(b *testing.B) {
	s := newSite(b)
	s.fill(100, 20, 20)
	s.see(base)
	for b.Loop() {
		s.see(base)
	}
}
