package funchost

import (
	"fmt"
	"io"
	"net"
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
	assert.Equal(t, "x=1,3%264&y=2", got.Query)
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

// TestForwardedQueryIsWrittenAnew follows QueryHelpers.AddQueryString and
// UrlEncoder.Default.
func TestForwardedQueryIsWrittenAnew(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.set("customHandler:enableForwardingHttpRequest", true)
	a.web("web", "")
	h := a.start()
	for query, want := range map[string]string{
		"q=a+b":                   "q=a%20b",
		"q=a%20b%2Bc":             "q=a%20b%2Bc",
		"flag&&=x":                "flag=&=x",
		"q=%zz%4":                 "q=%25zz%254",
		"q=ä/:?@!$()*,;~'\"":      "q=%C3%A4%2F%3A%3F@!$()*,;~%27%22",
		"A=1&a=2":                 "A=1,2",
		"code=a&sig=%2F%3D%26%23": "code=a&sig=%2F%3D%26%23",
	} {
		before := len(a.seen())
		connection, err := net.Dial("tcp", strings.TrimPrefix(h.URL(), "http://"))
		require.NoError(t, err)
		fmt.Fprintf(connection, "GET /api/web?%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", query)
		io.Copy(io.Discard, connection)
		connection.Close()

		require.Len(t, a.seen(), before+1, query)
		assert.Equal(t, want, a.seen()[before].Query, query)
	}
}

func TestOnlyTypeAndLengthOfABodysHeadersAreForwarded(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.set("customHandler:enableForwardingHttpRequest", true)
	a.web("web", "")
	h := a.start()
	sent := map[string]string{"Accept": "text/plain", "Content-Type": "text/x", "Via": "v"}
	for _, name := range contentHeaders[2:] {
		sent[name] = "value"
	}

	do(t, "POST", h.URL()+"/api/web", "hello", sent)
	do(t, "POST", h.URL()+"/api/web", "", sent)

	with, without := a.seen()[0], a.seen()[1]
	for _, name := range contentHeaders[2:] {
		assert.Empty(t, with.Header.Values(name), name)
	}
	assert.Equal(t, "text/x", with.Header.Get("Content-Type"))
	assert.EqualValues(t, 5, with.Length)
	assert.Equal(t, "v", with.Header.Get("Via"))
	assert.Empty(t, without.Header.Values("Content-Type"), "there is no body to have a type")
}

func TestChunkedBodyOfAClientFailsWhereItIsForwarded(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.set("customHandler:enableForwardingHttpRequest", true)
	a.web("web", "")
	h := a.start()

	for _, body := range []string{"lost", ""} {
		response, err := http.Post(h.URL()+"/api/web", "text/plain", io.MultiReader(strings.NewReader(body)))
		require.NoError(t, err)
		response.Body.Close()

		assert.Equal(t, http.StatusInternalServerError, response.StatusCode)
		assert.ErrorContains(t, a.invocation().Err, "'Transfer-Encoding: chunked' header can not be used when content object is not specified")
	}
	assert.Empty(t, a.seen())
}

func TestChunkedBodyOfAClientVanishesFromTheEnvelope(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.web("web", "")
	h := a.start()

	response, err := http.Post(h.URL()+"/api/web", "text/plain", io.MultiReader(strings.NewReader("lost")))
	require.NoError(t, err)
	response.Body.Close()

	assert.NotContains(t, a.seen()[0].Body, `"Body"`)
}

func TestClientsOwnInvocationIDStaysBeforeTheHosts(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.set("customHandler:enableForwardingHttpRequest", true)
	a.web("web", "")
	h := a.start()

	do(t, "GET", h.URL()+"/api/web", "", map[string]string{"X-Azure-Functions-InvocationId": "mine"})

	assert.Equal(t, []string{"mine, " + a.invocation().ID}, a.seen()[0].Header.Values("X-Azure-Functions-InvocationId"))
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
		`"Metadata":{"a":"\"1\"","x":"\"1,2\"","id":"\"7\"","Query":{"x":"1,2"},`+
		`"Headers":{"Accept-Encoding":"none","Content-Length":"7","Content-Type":"application/json","Host":"HOST","User-Agent":"me"},`+
		`"sys":{"MethodName":"web","UtcNow":"NOW","RandGuid":"GUID"}}}`,
		utcNow.ReplaceAllString(guid.ReplaceAllString(strings.ReplaceAll(got.Body, host, "HOST"), "GUID"), `"UtcNow":"NOW"`))
}

// TestHTTPMetadata follows HttpTriggerAttributeBindingProvider.GetRequestBindingData.
func TestHTTPMetadata(t *testing.T) {
	t.Parallel()
	text := func(pairs ...string) (o object) {
		for i := 0; i < len(pairs); i += 2 {
			o.set(pairs[i], quote(pairs[i+1]))
		}
		return o
	}
	unused := object{{"id", []byte("null")}}
	for _, c := range []struct {
		name              string
		query, parameters object
		body, want        string
	}{
		{"nothing", nil, nil, "", `{}`},
		{"route wins over query over body", text("a", "query", "b", "query"), text("a", "route"), `{"a":"body","b":"body","c":"body"}`,
			`{"a":"\"route\"","b":"\"query\"","c":"\"body\""}`},
		{"whatever the case", text("A", "query"), text("ID", "route"), `{"a":"body","id":"body"}`, `{"a":"\"query\"","id":"\"route\""}`},
		{"no key in code", text("Code", "secret", "other", "x"), nil, "", `{"other":"\"x\""}`},
		{"code of route or body", text("code", "secret"), text("code", "route"), `{"code":"body"}`, `{"code":"\"route\""}`},
		{"unused parameter hides", text("id", "query"), unused, `{"id":"body","x":"y"}`, `{"x":"\"y\""}`},
	} {
		assert.Equal(t, c.want, string(httpBindingData(c.query, c.parameters, c.body).json()), c.name)
	}
}

func TestHTTPMetadataKeepsItsOwnQueryHeadersAndSys(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.web("web", `,"route":"hello/{id?}"`)
	h := a.start()

	do(t, "POST", h.URL()+"/api/hello?headers=mine", `{"query":"body","sys":"body"}`, map[string]string{"Content-Type": "application/octet-stream"})

	body := a.seen()[0].Body
	assert.Contains(t, body, `"Params":{"id":null}`)
	assert.Contains(t, body, `"Metadata":{"query":"\"body\"","sys":{"MethodName":"web",`)
	assert.Contains(t, body, `"headers":"\"mine\""`)
}

func TestBinaryHTTPBodyIsBase64(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.web("web", "")
	h := a.start()

	do(t, "POST", h.URL()+"/api/web", "\xff", map[string]string{"Content-Type": "application/octet-stream"})

	assert.Contains(t, a.seen()[0].Body, `"Params":{},"Identities":[],"Body":"/w=="`)
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
