package emulator

import (
	"net/http"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPageIsServedAtTheRootAlone(t *testing.T) {
	t.Parallel()
	s := start(t)
	response, err := http.Get(s.url + "/")
	require.NoError(t, err)
	response.Body.Close()
	assert.Equal(t, 200, response.StatusCode)
	assert.Equal(t, "text/html; charset=utf-8", response.Header.Get("Content-Type"))
	assert.Contains(t, response.Header.Get("Content-Security-Policy"), "default-src 'none'")
	response, err = http.Post(s.url+"/", "", nil)
	require.NoError(t, err)
	response.Body.Close()
	assert.Equal(t, 405, response.StatusCode)
	assert.NotEqual(t, 200, status(t, s.url+"/index.html"))
}

// The page's buttons are tried in a browser by page_browser_test.go.
func TestPagePressesControlsThatExist(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, c := range controls {
		known[c.name] = true
	}
	used := regexp.MustCompile(`(?:data-do="|control\("|button\("\w+", ")([a-z-]+)`).FindAllSubmatch(pageHTML, -1)
	assert.Greater(t, len(used), 8)
	for _, m := range used {
		assert.True(t, known[string(m[1])], string(m[1]))
	}
	for _, fault := range regexp.MustCompile(`<option value="([a-z-]+)"`).FindAllSubmatch(pageHTML, -1) {
		assert.Contains(t, notificationFaults, NotificationFault(fault[1]))
	}
}

func TestLinksOfPortalRunsLeadBackHere(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation)
	id, err := s.CreateProject("a", compactDomain, "", "https://a.queue.core.windows.net/q")
	require.NoError(t, err)
	s.post("train?project=" + id) // no API request was ever made
	s.FinishNow(Scope{})
	require.NoError(t, s.Export(id, s.View().Projects[0].Iterations[0].ID, "ONNX", ""))
	s.FinishNow(Scope{})
	assert.Contains(t, s.Messages()[2].Text, `"modelUri":"`+s.url+`/_blob/`)
}
