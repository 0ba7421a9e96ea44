package funchost

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// manual asks the host to run a function, as a person does.
func manual(t *testing.T, h *Host, name, body string) *http.Response {
	t.Helper()
	response, err := http.Post(h.URL()+"/admin/functions/"+name, "application/json", strings.NewReader(body))
	require.NoError(t, err)
	response.Body.Close()
	return response
}

// aMessage is the input of a manual run of a queue function.
const aMessage = `{"input":"x"}`

// manualApp has one queue function that only manual runs reach.
func manualApp(t *testing.T, name string) *app {
	a := newApp(t)
	a.env("Nowhere=")
	a.queue(name, "unused", `,"connection":"Nowhere"`)
	return a
}

func TestThirdDeathStopsTheHost(t *testing.T) {
	t.Parallel()
	a := manualApp(t, "crash")
	a.env("TEST_HANDLER=exit1")
	h := a.start()

	err := h.Wait()

	assert.ErrorContains(t, err, "exceeded http worker restart retry count")
	assert.ErrorContains(t, err, "exited with code 1 (0x1)\n complaint 2,complaint 3,complaint 4", "the last three stderr lines are quoted")
	assert.Equal(t, 3, strings.Count(a.output.String(), "complaint 0"), "three processes ran")
	a.logged("Exceeded http worker restart retry count. Shutting down Functions Host")
}

func TestQuietHalfHourForgetsDeaths(t *testing.T) {
	t.Parallel()
	a := manualApp(t, "ok")
	var mu sync.Mutex
	now := time.Unix(0, 0)
	a.options.timing.now = func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(31 * time.Minute)
		return now
	}
	h := a.start()

	for n := range 4 {
		waitReady(t, a, n+1)
		pid := h.Pid()
		h.kill()
		eventually(t, func() bool { return h.Pid() != pid }, "not started again")
	}
	waitReady(t, a, 5)

	manual(t, h, "ok", aMessage)
	require.NoError(t, a.invocation().Err)
}

// waitReady waits until the handler has become ready for the nth time.
func waitReady(t *testing.T, a *app, n int) {
	t.Helper()
	eventually(t, func() bool { return strings.Count(a.output.String(), "The handler is ready") >= n }, "the handler did not become ready")
}

func TestCrashFailsTheInvocationAndTheNextOneRuns(t *testing.T) {
	t.Parallel()
	a := manualApp(t, "crash")
	a.queue("ok", "unused", `,"connection":"Nowhere"`)
	h := a.start()

	manual(t, h, "crash", aMessage)
	assert.ErrorContains(t, a.invocation().Err, "an error occurred while sending the request")
	waitReady(t, a, 2)
	manual(t, h, "ok", aMessage)

	require.NoError(t, a.invocation().Err)
	requests := a.seen()
	assert.NotEqual(t, requests[0].Pid, requests[1].Pid)
}

func TestExitCode0IsNotRestarted(t *testing.T) {
	t.Parallel()
	a := manualApp(t, "zero")
	h := a.start()

	manual(t, h, "zero", aMessage)
	assert.Error(t, a.invocation().Err)
	a.logged("exited with code 0")
	manual(t, h, "zero", aMessage)

	assert.ErrorContains(t, a.invocation().Err, "refused")
	assert.Equal(t, 1, strings.Count(a.output.String(), "The handler is ready"))
}

func TestExitCode200IsRestartedUncounted(t *testing.T) {
	t.Parallel()
	a := manualApp(t, "ok")
	a.env("TEST_HANDLER=exit200 once")
	h := a.start()

	manual(t, h, "ok", aMessage)

	require.NoError(t, a.invocation().Err)
	assert.NotContains(t, a.output.String(), "failure 1")
}

func TestHandlerThatNeverListensIsReplacedThenGivenUp(t *testing.T) {
	t.Parallel()
	a := manualApp(t, "ok")
	a.env("TEST_HANDLER=deaf")
	a.set("customHandler:initializationTimeout", "00:00:00.2")
	h := a.start()

	assert.ErrorContains(t, h.Wait(), "did not listen")
}

func TestUnstartableHandlerStopsTheHostAtTheFirstInvocation(t *testing.T) {
	t.Parallel()
	a := manualApp(t, "ok")
	a.set("customHandler:description:defaultExecutablePath", "no-such-executable-anywhere")
	a.options.timing.startup = 100 * time.Millisecond
	h := a.start()
	a.logged("failed to start Worker Channel. Process fileName: no-such-executable-anywhere")
	assert.Zero(t, h.Pid())

	manual(t, h, "ok", aMessage)

	assert.ErrorContains(t, a.invocation().Err, "initialization timed out")
	assert.ErrorContains(t, h.Wait(), "initialization timed out and host is shutting down")
}

func TestInvocationsWaitForTheHandler(t *testing.T) {
	t.Parallel()
	a := manualApp(t, "ok")
	a.env("TEST_SLOW_START=500ms")
	h := a.start()

	manual(t, h, "ok", aMessage)

	require.NoError(t, a.invocation().Err)
}

func TestNoFunctionsNoHandler(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	h := a.start()

	assert.Zero(t, h.Pid())
	a.logged("the handler is not started")
}

func TestCloseKillsTheHandler(t *testing.T) {
	t.Parallel()
	a := manualApp(t, "ok")
	h := a.start()
	waitReady(t, a, 1)
	pid := h.Pid()

	require.NoError(t, h.Close())

	assert.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH, "the handler is still there")
	_, err := http.Get(h.URL())
	assert.Error(t, err, "the front is still there")
}

func TestEndOfTheContextStopsTheHost(t *testing.T) {
	t.Parallel()
	a := manualApp(t, "ok")
	_, err := a.tryStart() // writes host.json
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	h, err := Start(ctx, a.options)
	require.NoError(t, err)

	cancel()

	require.NoError(t, h.Wait())
}

func TestTooShortALockIsRefused(t *testing.T) {
	t.Parallel()
	a := manualApp(t, "ok")
	a.options.MessageLock = time.Second

	_, err := a.tryStart()

	assert.ErrorContains(t, err, "too short")
}

func TestHandlerGetsTheHostsEnvironment(t *testing.T) {
	t.Parallel()
	a := manualApp(t, "ok")
	a.env("TEST_HANDLER=environment", "A_SETTING=from env")
	a.set("customHandler:description:arguments", []string{"-x", "%A_SETTING%"})
	a.options.Settings = localSettings(t, `{"Values":{"B_SETTING":"from file"}}`)
	h := a.start()
	waitReady(t, a, 1)

	out := a.output.String()
	port := strings.TrimPrefix(h.handlerURL, "http://127.0.0.1:")
	for _, line := range []string{
		"FUNCTIONS_CUSTOMHANDLER_PORT=" + port, "FUNCTIONS_HTTPWORKER_PORT=" + port, "FUNCTIONS_APP_ROOT_PATH=" + a.root,
		"A_SETTING=from env", "B_SETTING=from file", "AZURE_FUNCTIONS_ENVIRONMENT=Development", "AzureWebJobsScriptRoot=" + a.root,
		"WEBSITE_HOSTNAME=" + strings.TrimPrefix(h.URL(), "http://"),
	} {
		assert.Contains(t, out, "env "+line+"\n")
	}
	id := func(name string) string {
		_, rest, _ := strings.Cut(out, "env "+name+"=")
		value, _, _ := strings.Cut(rest, "\n")
		return value
	}
	assert.Regexp(t, guid, id("FUNCTIONS_CUSTOMHANDLER_WORKER_ID"))
	assert.Equal(t, id("FUNCTIONS_CUSTOMHANDLER_WORKER_ID"), id("FUNCTIONS_HTTPWORKER_ID"))
	assert.Contains(t, out, `args ["-x" "from" "env"]`)
	assert.Contains(t, out, "dir "+a.root)
}
