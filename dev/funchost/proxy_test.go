package funchost

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// proxying is an app that has requests proxied, and an HTTP function on any path.
func proxying(t *testing.T) *app {
	a := newApp(t)
	a.set("customHandler:enableProxyingHttpRequest", true)
	a.web("web", `,"route":"{*path}"`)
	return a
}

func TestProxiedRequestPassesAsItIs(t *testing.T) {
	t.Parallel()
	a := proxying(t)
	a.set("customHandler:enableForwardingHttpRequest", true) // proxying wins
	h := a.start()

	request, err := http.NewRequest("POST", h.URL()+"/api/items/a%2Fb?x=1&y=a+b&x=%zz;", strings.NewReader("hello"))
	require.NoError(t, err)
	request.Header = http.Header{
		"Content-Encoding": {"own"}, "Content-Language": {"de"}, "X-Own": {"one", "two"}, "User-Agent": {"me/1"},
		"X-Forwarded-For": {"192.0.2.1"}, "X-Azure-Functions-Invocationid": {"mine"}, "X-Ms-Invocation-Id": {"mine"},
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	response.Body.Close()

	assert.Equal(t, http.StatusTeapot, response.StatusCode)
	assert.Equal(t, "handler", response.Header.Get("X-From"))
	assert.Equal(t, `"forwarded"`, string(body))
	i := a.invocation()
	require.NoError(t, i.Err, "any status is a success")
	assert.Equal(t, http.StatusTeapot, i.Status)
	got := a.seen()[0]
	assert.Equal(t, "POST /api/items/a%2Fb?x=1&y=a+b&x=%zz;", got.Method+" "+got.Escaped+"?"+got.Query)
	assert.Equal(t, "hello", got.Body)
	assert.EqualValues(t, 5, got.Length)
	assert.Equal(t, strings.TrimPrefix(h.URL(), "http://"), got.Host)
	assert.Equal(t, http.Header{
		"Accept-Encoding": {"gzip"}, "Content-Encoding": {"own"}, "Content-Language": {"de"}, "Content-Length": {"5"},
		"X-Own": {"one", "two"}, "User-Agent": {"me/1"}, "X-Forwarded-For": {"192.0.2.1"},
		"X-Azure-Functions-Hostversion": {hostVersion}, "X-Azure-Functions-Invocationid": {i.ID}, "X-Ms-Invocation-Id": {i.ID},
	}, got.Header)
}

func TestProxiedBodiesPassAsTheyCome(t *testing.T) {
	t.Parallel()
	a := proxying(t)
	h := a.start()
	body, client := io.Pipe()
	request, err := http.NewRequest("POST", h.URL()+"/api/talk", body)
	require.NoError(t, err)
	answered := make(chan *http.Response, 1)
	go func() {
		response, err := http.DefaultClient.Do(request)
		if assert.NoError(t, err) {
			answered <- response
		}
	}()

	fmt.Fprintln(client, "one")
	response := <-answered
	defer response.Body.Close()
	heard := bufio.NewScanner(response.Body)
	for _, next := range []string{"one", "two", "three"} {
		require.True(t, heard.Scan())
		assert.Equal(t, "heard "+next, heard.Text())
		fmt.Fprintln(client, map[string]string{"one": "two", "two": "three", "three": "end"}[next])
	}
	client.Close()
	require.True(t, heard.Scan())
	assert.False(t, heard.Scan())

	require.NoError(t, a.invocation().Err)
}

func TestProxyingIsForHTTPInAndOutAlone(t *testing.T) {
	t.Parallel()
	a := proxying(t)
	a.function("more", `{"bindings":[{"type":"httpTrigger","direction":"in","name":"req"},{"type":"http","direction":"out","name":"res"},{"type":"queue","direction":"out","name":"q"}]}`)
	h := a.start()

	do(t, "GET", h.URL()+"/api/more", "", nil)

	assert.Equal(t, "POST /more", a.seen()[0].Method+" "+a.seen()[0].Path)
}

func TestProxiedRedirectIsTheClientsAndThatOfAnEnvelopeIsFollowed(t *testing.T) {
	t.Parallel()
	a := proxying(t)
	a.env("Nowhere=")
	a.queue("redirectQueue", "unused", `,"connection":"Nowhere"`)
	h := a.start()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

	response, err := client.Get(h.URL() + "/api/redirect")
	require.NoError(t, err)
	response.Body.Close()
	assert.Equal(t, http.StatusMovedPermanently, response.StatusCode)
	a.invocation()

	manual(t, h, "redirectQueue", `{"input":"x"}`)
	require.NoError(t, a.invocation().Err)
	assert.Equal(t, 1, a.runs("ok"))
}

func TestProxiedRequestWithoutABodyIsSentAgainAfterACrash(t *testing.T) {
	t.Parallel()
	// As the host, it gives up after two seconds: a busy machine may need longer for a
	// new handler.
	for range 5 {
		a := proxying(t)
		h := a.start()
		response, _ := do(t, "GET", h.URL()+"/api/crashonce", "", nil)
		if response.StatusCode == http.StatusOK {
			require.NoError(t, a.invocation().Err)
			assert.Equal(t, 2, a.runs("api/crashonce"))
			return
		}
	}
	t.Fatal("it is never sent again")
}

func TestProxiedRequestWhoseBodyWasReadFails(t *testing.T) {
	t.Parallel()
	a := proxying(t)
	h := a.start()

	response, _ := do(t, "POST", h.URL()+"/api/crash", "body", nil)

	assert.Equal(t, http.StatusInternalServerError, response.StatusCode)
	require.Error(t, a.invocation().Err)
	assert.Equal(t, 1, a.runs("api/crash"))
}

func TestProxiedAnswerThatBreaksOffBreaksOffForTheClient(t *testing.T) {
	t.Parallel()
	a := proxying(t)
	h := a.start()

	response, err := http.Get(h.URL() + "/api/half")
	require.NoError(t, err)
	_, err = io.ReadAll(response.Body)
	response.Body.Close()

	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Error(t, a.invocation().Err)
}

func TestClientThatLeavesAProxiedRequestIsNoFailure(t *testing.T) {
	t.Parallel()
	a := proxying(t)
	h := a.start()
	ctx, leave := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, "GET", h.URL()+"/api/hold", nil)
	require.NoError(t, err)
	go func() {
		eventually(t, func() bool { return a.runs("api/hold") == 1 }, "it did not arrive")
		leave()
	}()

	_, err = http.DefaultClient.Do(request)

	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, a.invocation().Err)
	a.logged("The client disconnected while the function was processing the request.")
}

func TestProxiedRequestThatTimesOutIsCutWithTheHandler(t *testing.T) {
	t.Parallel()
	a := proxying(t)
	a.set("functionTimeout", "00:00:03")
	a.options.timing.grace = time.Millisecond
	h := a.start()
	waitReady(t, a, 1)
	pid := h.Pid()

	response, _ := do(t, "GET", h.URL()+"/api/hold", "", nil)

	assert.Equal(t, http.StatusInternalServerError, response.StatusCode)
	require.ErrorContains(t, a.invocation().Err, "timeout value of 3s exceeded")
	eventually(t, func() bool { return h.Pid() != pid }, "the handler was not started again")
	assert.Equal(t, 1, a.runs("api/hold"))
}
