package funchost

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	response, err := http.Get(url)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(body)
}

func TestManualRunOfAQueueFunction(t *testing.T) {
	t.Parallel()
	a := manualApp(t, "okManual")
	h := a.start()

	assert.Equal(t, http.StatusAccepted, manual(t, h, "OKMANUAL", `{"input":"aGVsbG8="}`).StatusCode)

	i := a.invocation()
	require.NoError(t, i.Err)
	assert.Zero(t, i.DequeueCount)
	body := a.seen()[0].Body
	assert.Contains(t, body, `{"Data":{"msg":"\"aGVsbG8=\""},"Metadata":{"DequeueCount":"0",`)
	assert.Equal(t, "/okManual", a.seen()[0].Path, "the folder's spelling")
}

func TestManualRunRefuses(t *testing.T) {
	t.Parallel()
	a := manualApp(t, "ok")
	a.function("web", `{"bindings":[{"type":"httpTrigger","name":"req"}]}`)
	h := a.start()

	assert.Equal(t, http.StatusNotFound, manual(t, h, "other", "{}").StatusCode)
	assert.Equal(t, http.StatusBadRequest, manual(t, h, "ok", "").StatusCode)
	assert.Equal(t, http.StatusBadRequest, manual(t, h, "ok", "null").StatusCode)
	assert.Equal(t, http.StatusBadRequest, manual(t, h, "web", "{}").StatusCode)
	assert.Empty(t, a.seen())
}

// Package guard's own test has all forms.
func TestPagesOfOtherSitesAreKeptOut(t *testing.T) {
	t.Parallel()
	a := manualApp(t, "ok")
	a.web("web", "")
	h := a.start()
	port := h.URL()[strings.LastIndex(h.URL(), ":"):]
	send := func(method, host, path string, header http.Header) int {
		r, err := http.NewRequest(method, h.URL()+path, strings.NewReader("{}"))
		require.NoError(t, err)
		r.Host, r.Header = host, header
		response, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		response.Body.Close()
		return response.StatusCode
	}
	json := []string{"application/json"}
	for _, path := range []string{"/admin/functions/ok", "/api/web"} {
		for _, header := range []http.Header{
			{"Origin": {"https://evil.example"}, "Content-Type": {"text/plain"}}, {"Sec-Fetch-Site": {"cross-site"}, "Content-Type": json}, {"Origin": {"null"}, "Content-Type": json},
		} {
			assert.Equal(t, 403, send("POST", "localhost"+port, path, header), "%s %s", path, header)
		}
		assert.Equal(t, 403, send("POST", "evil.example"+port, path, http.Header{"Origin": {"http://evil.example" + port}, "Sec-Fetch-Site": {"same-origin"}, "Content-Type": json}), path)
	}
	for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
		assert.Equal(t, 403, send(method, "localhost"+port, "/api/web", http.Header{"Sec-Fetch-Site": {"cross-site"}}), "a picture's address runs it too: %s", method)
	}
	for _, path := range []string{"/", "/admin/functions", "/admin/host/status", "/api/web"} {
		assert.Equal(t, 403, send("GET", "evil.example"+port, path, http.Header{}), path)
	}
	for _, kind := range []http.Header{{}, {"Content-Type": {"text/plain"}}, {"Content-Type": {"text/plain; a=application/json"}}} {
		assert.Equal(t, 415, send("POST", "localhost"+port, "/admin/functions/ok", kind), "%s", kind)
	}
	a.logged("Refused POST /admin/functions/ok")
	assert.Empty(t, a.seen())

	for _, host := range []string{"localhost" + port, "127.0.0.1" + port, "[::1]" + port} {
		assert.Equal(t, 202, send("POST", host, "/admin/functions/ok", http.Header{"Content-Type": json}), host)
		assert.Equal(t, 200, send("POST", host, "/api/web", http.Header{"Content-Type": {"text/plain"}}), host)
		assert.Equal(t, 200, send("GET", host, "/api/web", http.Header{"Sec-Fetch-Site": {"none"}}), "typed by a person: %s", host)
	}
}

func TestManualRunOfAQueueFunctionWithoutAMessageFails(t *testing.T) {
	t.Parallel()
	a := manualApp(t, "ok")
	h := a.start()

	for _, body := range []string{"{}", `{"input":null}`} {
		assert.Equal(t, http.StatusAccepted, manual(t, h, "ok", body).StatusCode)
		assert.ErrorContains(t, a.invocation().Err, "unable to convert trigger to IStorageQueueMessage")
	}
	assert.Empty(t, a.seen())
	manual(t, h, "ok", `{"input":""}`)
	require.NoError(t, a.invocation().Err, "an empty text is a message")
}

func TestStatusOfAFunction(t *testing.T) {
	t.Parallel()
	a := manualApp(t, "noStorage") // its listener can't start
	a.timer("fine", "0 0 * * * *", "")
	a.env("AzureWebJobsStorage=UseDevelopmentStorage=true")
	a.function("broken", `{"bindings":[]}`)
	h := a.start()
	a.logged("error: The 'broken' function is in error: no trigger binding specified")

	for name, want := range map[string]string{
		"fine":      `^{}$`,
		"FINE":      `^{}$`,
		"noStorage": `^{"errors":\["storage account connection string 'Nowhere' does not exist: [^"]+"\]}$`,
		"Broken":    `^{"errors":\["no trigger binding specified: [^"]+"\]}$`,
	} {
		status, body := get(t, h.URL()+"/admin/functions/"+name+"/status")
		assert.Equal(t, http.StatusOK, status, name)
		assert.Regexp(t, want, strings.TrimSpace(body), name)
	}
	status, _ := get(t, h.URL()+"/admin/functions/other/status")
	assert.Equal(t, http.StatusNotFound, status)
}

func TestAdminLists(t *testing.T) {
	t.Parallel()
	a := manualApp(t, "ok")
	a.timer("off", "0 0 * * * *", "")
	a.env("AzureWebJobs_off_Disabled=1")
	h := a.start()

	status, body := get(t, h.URL()+"/admin/functions")
	assert.Equal(t, http.StatusOK, status)
	var list []struct {
		Name       string
		IsDisabled bool
		Config     struct{ Bindings []struct{ Type string } }
	}
	require.NoError(t, json.Unmarshal([]byte(body), &list))
	require.Len(t, list, 2)
	assert.Equal(t, "off", list[0].Name)
	assert.True(t, list[0].IsDisabled)
	assert.Equal(t, "queueTrigger", list[1].Config.Bindings[0].Type)

	status, body = get(t, h.URL()+"/admin/host/status")
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, body, `"state":"Running"`)
	status, _ = get(t, h.URL()+"/")
	assert.Equal(t, http.StatusOK, status)
	status, _ = get(t, h.URL()+"/nothing")
	assert.Equal(t, http.StatusNotFound, status)
}

func TestTakenPortIsAnError(t *testing.T) {
	t.Parallel()
	a := manualApp(t, "ok")
	h := a.start()
	other := newApp(t)
	_, err := other.tryStart()
	require.NoError(t, err)

	third := newApp(t)
	third.options.Port = portOf(t, h.URL())
	_, err = third.tryStart()

	assert.ErrorContains(t, err, "listen for HTTP")
}
