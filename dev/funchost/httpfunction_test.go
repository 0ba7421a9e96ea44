package funchost

import (
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func portOf(t *testing.T, address string) int {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	port, err := strconv.Atoi(u.Port())
	require.NoError(t, err)
	return port
}

// web is an HTTP function with one output, and further trigger properties.
func (a *app) web(name, more string) {
	a.function(name, `{"bindings":[{"type":"httpTrigger","direction":"in","name":"req"`+more+`},{"type":"http","direction":"out","name":"res"}]}`)
}

func do(t *testing.T, method, url, body string, header map[string]string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	require.NoError(t, err)
	for name, value := range header {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response, string(text)
}

func TestForwardedRequestKeepsPathHeadersAndBody(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.set("customHandler:enableForwardingHttpRequest", true)
	a.web("web", `,"route":"items/{id}","methods":["post"]`)
	h := a.start()

	response, body := do(t, "POST", h.URL()+"/api/items/a%2Fb?x=1&y=2&x=3%264", "hello", map[string]string{"X-Own": "v", "User-Agent": "me/1"})

	assert.Equal(t, http.StatusTeapot, response.StatusCode)
	assert.Equal(t, "handler", response.Header.Get("X-From"))
	assert.Equal(t, `"forwarded"`, body)
	require.NoError(t, a.invocation().Err, "any status is a success")
	got := a.seen()[0]
	assert.Equal(t, "POST", got.Method)
	assert.Equal(t, "/api/items/a/b", got.Path)
	assert.Equal(t, "x=1%2C3%264&y=2", got.Query)
	assert.Equal(t, "hello", got.Body)
	assert.Equal(t, "v", got.Header.Get("X-Own"))
	assert.Equal(t, "me/1 Azure-Functions-Host/"+hostVersion, got.Header.Get("User-Agent"))
	assert.NotEmpty(t, got.Header.Get("X-Azure-Functions-InvocationId"))

	response, _ = do(t, "GET", h.URL()+"/api/items/1", "", nil)
	assert.Equal(t, http.StatusNotFound, response.StatusCode, "another method")
}

func TestFunctionWithAnotherOutputGetsTheEnvelopeAllTheSame(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.set("customHandler:enableForwardingHttpRequest", true)
	a.function("web", `{"bindings":[{"type":"httpTrigger","direction":"in","name":"req"},{"type":"http","direction":"out","name":"res"},{"type":"queue","direction":"out","name":"q"}]}`)
	h := a.start()

	do(t, "GET", h.URL()+"/api/web", "", nil)

	assert.Equal(t, "POST /web", a.seen()[0].Method+" "+a.seen()[0].Path)
}

func TestChunkedBodyOfAClientVanishes(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.set("customHandler:enableForwardingHttpRequest", true)
	a.web("web", "")
	h := a.start()

	response, err := http.Post(h.URL()+"/api/web", "text/plain", io.MultiReader(strings.NewReader("lost")))
	require.NoError(t, err)
	response.Body.Close()

	assert.Empty(t, a.seen()[0].Body)
}

func TestRoutePrefixIsASetting(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.set("extensions:http:routePrefix", "")
	a.set("customHandler:enableForwardingHttpRequest", true)
	a.web("web", "")
	h := a.start()

	do(t, "GET", h.URL()+"/web", "", nil)

	assert.Equal(t, "/web", a.seen()[0].Path)
}

func TestClosestRouteWins(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.web("any", `,"route":"{*rest}"`)
	a.web("one", `,"route":"items/{id}"`)
	a.web("some", `,"route":"items/some"`)
	h := a.start()

	for _, path := range []string{"items/some", "items/7", "else"} {
		do(t, "GET", h.URL()+"/api/"+path, "", nil)
	}

	got := a.seen()
	assert.Equal(t, []string{"/some", "/one", "/any"}, []string{got[0].Path, got[1].Path, got[2].Path})
}

func TestDisabledHTTPFunctionIs404(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.web("web", "")
	a.env("AzureWebJobs.web.Disabled=1")
	h := a.start()

	status, _ := get(t, h.URL()+"/api/web")

	assert.Equal(t, http.StatusNotFound, status)
}

func TestHTTPEnvelope(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.web("web", `,"route":"hello/{id}"`)
	h := a.start()

	do(t, "POST", h.URL()+"/api/hello/7?x=1&x=2", `{"a":1}`, map[string]string{"Content-Type": "application/json", "User-Agent": "me", "Accept-Encoding": "none"})

	host := strings.TrimPrefix(h.URL(), "http://")
	got := a.seen()[0]
	assert.Equal(t, "POST /web", got.Method+" "+got.Path)
	assert.Equal(t, `{"Data":{"req":{"Url":"http://HOST/api/hello/7?x=1&x=2","Method":"POST","Query":{"x":"1,2"},`+
		`"Headers":{"Accept-Encoding":["none"],"Content-Length":["7"],"Content-Type":["application/json"],"Host":["HOST"],"User-Agent":["me"]},`+
		`"Params":{"id":"7"},"Identities":[],"Body":"{\"a\":1}"}},`+
		`"Metadata":{"Query":{"x":"1,2"},`+
		`"Headers":{"Accept-Encoding":"none","Content-Length":"7","Content-Type":"application/json","Host":"HOST","User-Agent":"me"},`+
		`"x":"\"1,2\"","id":"\"7\"","sys":{"MethodName":"web","UtcNow":"NOW","RandGuid":"GUID"},"a":"\"1\""}}`,
		utcNow.ReplaceAllString(guid.ReplaceAllString(strings.ReplaceAll(got.Body, host, "HOST"), "GUID"), `"UtcNow":"NOW"`))
}

func TestBinaryHTTPBodyIsBase64(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.web("web", "")
	h := a.start()

	do(t, "POST", h.URL()+"/api/web", "\xff", map[string]string{"Content-Type": "application/octet-stream"})

	assert.Contains(t, a.seen()[0].Body, `"Body":"/w=="`)
}

func TestFailedHTTPFunctionIs500(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.web("fail", "")
	h := a.start()

	status, body := get(t, h.URL()+"/api/fail")

	assert.Equal(t, http.StatusInternalServerError, status)
	assert.Empty(t, body)
}
