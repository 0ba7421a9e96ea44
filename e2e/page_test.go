package e2e

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestThePageIsServedWhicheverWayTheHostPassesRequestsOn has the real program behind a
// host that forwards requests or proxies them, with the usual route prefix and others.
func TestThePageIsServedWhicheverWayTheHostPassesRequestsOn(t *testing.T) {
	t.Parallel()
	const prefix, proxying = "AzureFunctionsJobHost__extensions__http__routePrefix", "AzureFunctionsJobHost__customHandler__enableProxyingHttpRequest"
	for name, c := range map[string]struct {
		settings map[string]string
		at       string
	}{
		"forwarded":               {nil, "/api/status"},
		"proxied":                 {map[string]string{proxying: "true"}, "/api/status"},
		"forwarded, other prefix": {map[string]string{prefix: "v1/own"}, "/v1/own/status"},
		"proxied, other prefix":   {map[string]string{proxying: "true", prefix: "own"}, "/own/status"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, options{settings: c.settings})
			const key = "the-hosts-key"
			_, err := a.State.Bury(t.Context(), []byte(`{"version":"9"}`), "why", a.Service.Now())
			require.NoError(t, err)
			get := func(path string) (string, *http.Response) {
				resp, err := http.Get(a.host.URL() + path)
				require.NoError(t, err)
				defer resp.Body.Close()
				body, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				return string(body), resp
			}
			page, resp := get(c.at + "?code=" + key)
			require.Equal(t, http.StatusOK, resp.StatusCode, page)
			assert.Contains(t, page, `href="`+c.at+"/dead-letters?code="+key+`"`)
			assert.Contains(t, resp.Header.Get("Content-Security-Policy"), "default-src 'none'")
			letters, _ := get(c.at + "/dead-letters?code=" + key)
			_, action, found := strings.Cut(letters, `action="`)
			require.True(t, found, letters)
			action, _, _ = strings.Cut(action, `"`)
			client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			done, err := client.PostForm(a.host.URL()+action, url.Values{})
			require.NoError(t, err)
			done.Body.Close()
			assert.Equal(t, http.StatusSeeOther, done.StatusCode)
			assert.Contains(t, done.Header.Get("Location"), "code="+key)
			a.Eventually("the app has the message again", func() bool {
				all, _ := a.ended("notifications")
				return all > 0
			})
			json, resp := get(c.at + "/status.json")
			assert.Equal(t, http.StatusOK, resp.StatusCode)
			assert.Contains(t, json, `"projects"`)
			assert.NotContains(t, a.printed.String(), key, "the host's key is not logged")
		})
	}
}
