package funchost

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// rawRequest is what a request looks like on the wire, header lines sorted by Go.
func rawRequest(t *testing.T, env ...string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	raw := make(chan string, 1)
	go func() {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		defer connection.Close()
		var text strings.Builder
		buffer := make([]byte, 4096)
		for !strings.HasSuffix(text.String(), "{}") && !strings.HasSuffix(text.String(), "0\r\n\r\n") {
			n, err := connection.Read(buffer)
			if err != nil {
				break
			}
			text.Write(buffer[:n])
		}
		raw <- text.String()
		io.WriteString(connection, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	}()
	app, err := readSettings("", env, nil)
	require.NoError(t, err)
	h := &Host{handlerURL: "http://" + listener.Addr().String(), settings: app}
	request, err := h.envelopeRequest(&function{name: "QueueFn"}, "the-id", []byte("{}"))
	require.NoError(t, err)
	client := newClient(false, time.Minute)
	response, err := client.Do(request)
	require.NoError(t, err)
	response.Body.Close()
	client.CloseIdleConnections()
	return strings.ReplaceAll(<-raw, listener.Addr().String(), "127.0.0.1:PORT")
}

func TestRequestOnTheWire(t *testing.T) {
	t.Parallel()
	const head = "POST /QueueFn HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nUser-Agent: Azure-Functions-Host/" + hostVersion + "\r\n"
	const rest = "Content-Type: application/json; charset=utf-8\r\n" +
		"X-Azure-Functions-HostVersion: " + hostVersion + "\r\nX-Azure-Functions-InvocationId: the-id\r\n\r\n"

	assert.Equal(t, head+"Transfer-Encoding: chunked\r\n"+rest+"2\r\n{}\r\n0\r\n\r\n", rawRequest(t))
	assert.Equal(t, head+"Content-Length: 2\r\n"+rest+"{}", rawRequest(t, "FUNCTIONS_CORETOOLS_ENVIRONMENT=true"))
}

func TestTimeoutFailsTheInvocationThenKillsTheHandlerWithAllInIt(t *testing.T) {
	t.Parallel()
	a := manualApp(t, "hold")
	a.set("functionTimeout", "00:00:05")
	a.options.timing.grace = 4 * time.Second
	h := a.start()
	waitReady(t, a, 1)

	manual(t, h, "hold", aMessage)
	assert.ErrorContains(t, a.invocation().Err, "timeout value of 5s exceeded by function 'Functions.hold'")
	manual(t, h, "hold", aMessage) // in flight at the kill, and not yet timed out

	assert.ErrorContains(t, a.invocation().Err, "an error occurred while sending the request")
	waitReady(t, a, 2)
	assert.NotContains(t, a.output.String(), "failure 1", "a kill by the host is not counted")
}

func TestTimedOutInvocationThatEndsWithinTheGraceSparesTheHandler(t *testing.T) {
	t.Parallel()
	a := manualApp(t, "hold")
	a.queue("ok", "unused", `,"connection":"Nowhere"`)
	a.queue("empty", "unused", `,"connection":"Nowhere"`)
	a.set("functionTimeout", "00:00:03")
	a.options.timing.grace = 5 * time.Second
	h := a.start()
	waitReady(t, a, 1)
	manual(t, h, "hold", aMessage)
	assert.ErrorContains(t, a.invocation().Err, "timeout value")

	a.release()
	manual(t, h, "ok", aMessage)

	require.NoError(t, a.invocation().Err)
	manual(t, h, "empty", aMessage) // times out later, so its grace ends after that of the first
	a.logged("Restarting the handler: 'Functions.empty'")
	assert.NotContains(t, a.output.String(), "Restarting the handler: 'Functions.hold'")
}

func TestEmptyAnswerHangsUntilTheTimeoutAndTheKill(t *testing.T) {
	t.Parallel()
	a := manualApp(t, "empty")
	a.set("functionTimeout", "00:00:01")
	a.options.timing.grace = 50 * time.Millisecond
	h := a.start()
	waitReady(t, a, 1)

	manual(t, h, "empty", aMessage)

	a.logged("was empty or null")
	assert.ErrorContains(t, a.invocation().Err, "timeout value")
	waitReady(t, a, 2)
}

func TestRedirectIsFollowedToAFalseSuccess(t *testing.T) {
	t.Parallel()
	a := manualApp(t, "redirect")
	h := a.start()

	manual(t, h, "redirect", aMessage)

	require.NoError(t, a.invocation().Err)
	requests := a.seen()
	assert.Equal(t, "POST /redirect", requests[0].Method+" "+requests[0].Path)
	assert.Equal(t, "GET /ok", requests[1].Method+" "+requests[1].Path)
}

func TestRedirectFailsWhereRequestsAreForwarded(t *testing.T) {
	t.Parallel()
	a := manualApp(t, "redirect")
	a.set("customHandler:enableForwardingHttpRequest", true)
	h := a.start()

	manual(t, h, "redirect", aMessage)

	assert.Equal(t, http.StatusMovedPermanently, a.invocation().Status)
}

func TestLogsArePrintedAndOtherOutputsAreNamed(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.env(`TEST_RESPONSE={"Logs":["from the function"],"Outputs":{"q":"x"}}`)
	a.function("respond", `{"bindings":[{"type":"queueTrigger","name":"msg","queueName":"unused","connection":"Nowhere"},{"type":"queue","direction":"out","name":"q"}]}`)
	h := a.start()

	manual(t, h, "respond", aMessage)

	require.NoError(t, a.invocation().Err)
	a.logged("Function.respond.User: from the function")
	a.logged("the output 'q' of type queue is dropped")
}

func TestLogsOfAFailureAreLost(t *testing.T) {
	t.Parallel()
	a := manualApp(t, "fail")
	h := a.start()

	manual(t, h, "fail", aMessage)

	assert.ErrorContains(t, a.invocation().Err, "500")
	assert.NotContains(t, a.output.String(), "lost")
}

func TestCloseLeavesWhatRunsAfterTheDrain(t *testing.T) {
	t.Parallel()
	a := manualApp(t, "hold")
	h := a.start()
	manual(t, h, "hold", aMessage)
	eventually(t, func() bool { return len(a.seen()) == 1 }, "it did not arrive")

	require.NoError(t, h.Close())

	a.logged("Invocations did not end within 100ms")
	assert.Empty(t, a.finished)
}

func TestCloseWaitsForWhatRuns(t *testing.T) {
	t.Parallel()
	a := manualApp(t, "hold")
	a.options.timing.drain = patience
	h := a.start()
	manual(t, h, "hold", aMessage)
	eventually(t, func() bool { return len(a.seen()) == 1 }, "it did not arrive")
	closed := make(chan error)
	go func() { closed <- h.Close() }()
	a.logged("Stopping the host")

	a.release()

	require.NoError(t, <-closed)
	require.NoError(t, a.invocation().Err)
}
