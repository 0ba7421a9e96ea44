package handler

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ask sends a request of the host's with one header replaced; "" leaves it out.
func (h *host) ask(t *testing.T, method, path, header, value string) answer {
	t.Helper()
	r := h.request(t, method, path, strings.NewReader("{}"))
	switch {
	case header == "Host":
		r.Host = value
	case value == "":
		r.Header.Del(header)
	default:
		r.Header.Set(header, value)
	}
	return h.sent(t, r)
}

func TestAnInvocationIsTakenOnlyAsTheHostSendsIt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		header, value string
		status        int
	}{
		{"Host", "evil.example", http.StatusMisdirectedRequest},
		{"Host", "evil.example:7071", http.StatusMisdirectedRequest},
		{"Host", "localhost.evil.example", http.StatusMisdirectedRequest},
		{"Host", "192.0.2.1", http.StatusMisdirectedRequest},
		{headerContentType, "", http.StatusUnsupportedMediaType},
		{headerContentType, "text/plain", http.StatusUnsupportedMediaType},
		{headerContentType, "text/plain; a=application/json", http.StatusUnsupportedMediaType},
		{headerContentType, "application/x-www-form-urlencoded", http.StatusUnsupportedMediaType},
		{headerContentType, "multipart/form-data; boundary=x", http.StatusUnsupportedMediaType},
		{headerContentType, "application/jsonp", http.StatusUnsupportedMediaType},
		{headerContentType, "application/json, text/plain", http.StatusUnsupportedMediaType},
		{headerInvocationID, "", http.StatusForbidden},
		{headerHostVersion, "", http.StatusForbidden},
	} {
		t.Run(c.header+" "+c.value, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, Options{})
			h.Handle("sweep", func(context.Context, *Invocation) error {
				t.Error("the function ran")
				return nil
			})
			requireFailure(t, h.ask(t, http.MethodPost, "/sweep", c.header, c.value), c.status)
			entries := h.err.entries(t)
			require.Len(t, entries, 1)
			assert.Equal(t, "error", entries[0]["level"])
			assert.Equal(t, "/sweep", entries[0]["path"])
		})
	}
}

func TestEveryFormInWhichTheHostSendsAnInvocationIsTaken(t *testing.T) {
	t.Parallel()
	h := newHost(t, Options{})
	h.Handle("sweep", nothing)
	for _, c := range []struct{ header, value string }{
		{"Host", "127.0.0.1"}, {"Host", "127.0.0.1:49152"}, {"Host", "localhost:49152"}, {"Host", "[::1]:49152"},
		{headerContentType, "application/json"}, {headerContentType, "application/json; charset=utf-8"}, {headerContentType, "Application/JSON;charset=UTF-8"},
	} {
		requireSuccess(t, h.ask(t, http.MethodPost, "/sweep", c.header, c.value))
	}
	// Go writes these names in another letter case than the host, and reads either.
	r := h.request(t, http.MethodPost, "/sweep", strings.NewReader("{}"))
	r.Header = http.Header{"Content-Type": {"application/json"}, headerHostVersion: {"4.0"}, headerInvocationID: {testID}}
	requireSuccess(t, h.sent(t, r))
}

func TestAForwardedRequestNeedsTheHostsHeadersAlone(t *testing.T) {
	t.Parallel()
	h := newHost(t, Options{})
	h.HandleHTTP(http.MethodPost, "/api/thing", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	for _, header := range []string{headerInvocationID, headerHostVersion} {
		requireFailure(t, h.ask(t, http.MethodPost, "/api/thing", header, ""), http.StatusForbidden)
	}
	// These are the client's own; the host passes them on.
	assert.Equal(t, http.StatusNoContent, h.ask(t, http.MethodPost, "/api/thing", "Host", "my-app.azurewebsites.net").status)
	assert.Equal(t, http.StatusNoContent, h.ask(t, http.MethodPost, "/api/thing", headerContentType, "text/plain").status)
	assert.Equal(t, http.StatusNoContent, h.ask(t, http.MethodPost, "/api/thing", headerContentType, "").status)
}

func TestTheReadinessProbeHasNoHeadersOfTheHost(t *testing.T) {
	t.Parallel()
	h := newHost(t, Options{})
	response, err := h.client.Get(h.url)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, http.StatusOK, response.StatusCode)
}
