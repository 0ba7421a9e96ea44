package cli_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"visionkeeper/dev/world"
)

func TestCheckWaitsForARoleToBecomeActive(t *testing.T) {
	t.Parallel()
	dir, settings := t.TempDir(), map[string]string{}
	w := newScene(t, dir, func(name, value string) { settings[name] = value })
	refused := w.Containers.Archive.URL()
	archive := func(req *http.Request) bool {
		return strings.Contains(req.URL.Path, refused[strings.LastIndex(refused, "/"):])
	}
	_, change := w.over(t, world.On(archive, world.Times(3, world.Refuse(http.StatusForbidden))))
	run := start(t, dir, settings, change, "check", "--wait", "5m")
	assert.Equal(t, 0, run.code(), "%s%s", run.stdout, run.stderr)
	assert.Equal(t, 1, strings.Count(run.stdout.String(), "✓ settings"), "only the last look is shown:\n%s", run.stdout)
	assert.Equal(t, 1, strings.Count(run.stderr.String(), "looking again for 5m0s at most"))
}

func TestCheckWaitsNoLongerThanItWasTold(t *testing.T) {
	t.Parallel()
	dir, settings := t.TempDir(), map[string]string{}
	w := newScene(t, dir, func(name, value string) { settings[name] = value })
	refuse, change := w.over(t, world.On(func(*http.Request) bool { return true }, world.Refuse(http.StatusForbidden)))
	run := start(t, dir, settings, change, "check", "--wait", "2s")
	assert.Equal(t, 3, run.code())
	assert.Contains(t, run.stdout.String(), "to mend.")

	// What no role mends isn't waited for.
	refuse.Use(nil)
	_, err := w.Service.CreateProject("New cellar", domains["compact"], "", "")
	assert.NoError(t, err)
	run = start(t, dir, settings, change, "check", "--wait", "24h")
	assert.Equal(t, 3, run.code())
	assert.Contains(t, run.stdout.String(), "not connected to a queue")
}
