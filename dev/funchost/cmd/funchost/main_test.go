package main

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMain makes the test binary the program under test, and its custom handler.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv("FUNCTIONS_CUSTOMHANDLER_PORT") != "":
		fmt.Println("handler is process", os.Getpid(), "and was told", os.Getenv("TOLD"))
		if os.Getenv("TEST_DIES") != "" {
			os.Exit(1)
		}
		http.ListenAndServe("127.0.0.1:"+os.Getenv("FUNCTIONS_CUSTOMHANDLER_PORT"), nil)
		os.Exit(1)
	case os.Getenv("TEST_MAIN") != "":
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// program is a running funchost over a root with one function.
type program struct {
	cmd    *exec.Cmd
	stderr strings.Builder
	lines  chan string
}

func start(t *testing.T, env []string, args ...string) *program {
	t.Helper()
	executable, err := os.Executable()
	require.NoError(t, err)
	root := t.TempDir()
	for path, text := range map[string]string{
		"host.json":            fmt.Sprintf(`{"version":"2.0","extensionBundle":{"id":"any"},"customHandler":{"description":{"defaultExecutablePath":%q}}}`, executable),
		"local.settings.json":  `{"Values":{"TOLD":"by the root's settings"}}`,
		"web/function.json":    `{"bindings":[{"type":"httpTrigger","name":"req"}]}`,
		"queue/function.json":  `{"bindings":[{"type":"queueTrigger","name":"msg","queueName":"messages"}]}`,
		"other.settings.json":  `{"Values":{"TOLD":"by other settings"}}`,
		"broken.settings.json": `{`,
	} {
		path = filepath.Join(root, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	p := &program{cmd: exec.Command(executable, append([]string{"-root", root, "-port", "0"}, args...)...), lines: make(chan string, 1000)}
	p.cmd.Dir = root
	p.cmd.Env = append(append(os.Environ(), "TEST_MAIN=1"), env...)
	p.cmd.Stderr = &p.stderr
	stdout, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	go func() {
		defer close(p.lines)
		for scanner := bufio.NewScanner(stdout); scanner.Scan(); {
			p.lines <- scanner.Text()
		}
	}()
	t.Cleanup(func() {
		late := time.AfterFunc(patience, func() { p.cmd.Process.Kill() })
		defer late.Stop()
		p.cmd.Process.Signal(syscall.SIGTERM)
		p.exit(t)
	})
	return p
}

// patience bounds every wait; it is only ever reached by a failure.
const patience = 2 * time.Minute

// line waits for a line that matches, and returns its first group.
func (p *program) line(t *testing.T, pattern string) string {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case line, ok := <-p.lines:
			require.True(t, ok, "the program ended without a line like %s", pattern)
			if m := regexp.MustCompile(pattern).FindStringSubmatch(line); m != nil {
				return m[len(m)-1]
			}
		case <-timeout:
			require.Fail(t, "no line like "+pattern)
		}
	}
}

// exit waits for the end and returns the exit code.
func (p *program) exit(t *testing.T) int {
	t.Helper()
	for range p.lines {
	}
	p.cmd.Wait()
	return p.cmd.ProcessState.ExitCode()
}

// gone waits until a process is no more.
func gone(t *testing.T, pid string) {
	t.Helper()
	n, err := strconv.Atoi(pid)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return !running(n) }, patience, 10*time.Millisecond, "the handler is still there")
}

func TestSignalsEndItWellAndTakeTheHandlerAlong(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			p := start(t, nil)
			pid := p.line(t, `handler handler is process (\d+) and was told by the root's settings`)
			p.line(t, "The handler is ready")

			require.NoError(t, p.cmd.Process.Signal(signal))

			assert.Zero(t, p.exit(t))
			assert.Empty(t, p.stderr.String())
			gone(t, pid)
		})
	}
}

func TestItServesWhereItSays(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	url := p.line(t, `Listening on (http://127\.0\.0\.1:\d+)`)

	response, err := http.Get(url + "/admin/host/status")

	require.NoError(t, err)
	response.Body.Close()
	assert.Equal(t, http.StatusOK, response.StatusCode)
}

func TestSettingsFileCanBeNamed(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "-settings", "other.settings.json")

	p.line(t, "was told by other settings")
}

// TestHostThatStopsItselfExitsWith0 holds the exit code against the host's Program.cs
// and func's StartHostAction.cs: both only wait for the web host's end, and a host
// that stops itself ends it in good order (StopApplication).
func TestHostThatStopsItselfExitsWith0(t *testing.T) {
	t.Parallel()
	p := start(t, []string{"TEST_DIES=1"})

	assert.Zero(t, p.exit(t))
	assert.Contains(t, p.stderr.String(), "funchost: exceeded http worker restart retry count")
}

func TestRefusedQueueEndsItAndTheHandler(t *testing.T) {
	t.Parallel()
	refuse := make(chan struct{})
	p := start(t, []string{"AzureWebJobsStorage=" + refusing(t, refuse)})
	pid := p.line(t, `handler handler is process (\d+)`)
	close(refuse)
	p.line(t, `An unhandled exception has occurred\. Host is shutting down\.`)

	assert.Zero(t, p.exit(t))
	assert.Contains(t, p.stderr.String(), "funchost: an unhandled exception ended the host: queue 'messages' of 'Functions.queue': look at the queue: storage answered 403 AuthorizationPermissionMismatch")
	gone(t, pid)
}

func TestHostIsStartedAgainWhenAskedFor(t *testing.T) {
	t.Parallel()
	refuse := make(chan struct{})
	close(refuse)
	p := start(t, []string{"AzureWebJobsStorage=" + refusing(t, refuse)}, "-restart", "10ms")
	for range 3 {
		p.line(t, "Host is shutting down")
		p.line(t, "Starting the host again")
	}
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))

	assert.Zero(t, p.exit(t))
	assert.Empty(t, p.stderr.String())
}

// refusing is the connection string of an account that refuses everything, once from
// is closed.
func refusing(t *testing.T, from <-chan struct{}) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-from:
		case <-t.Context().Done():
		}
		w.Header().Set("x-ms-error-code", "AuthorizationPermissionMismatch")
		w.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(server.Close)
	return "AccountName=someone;AccountKey=a2V5;QueueEndpoint=" + server.URL
}

func TestMistakesExitWithAReason(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"-settings", "broken.settings.json"}, 1, "funchost: read broken.settings.json"},
		{[]string{"-settings", "missing.json"}, 1, "funchost: read settings: open missing.json"},
		{[]string{"-root", "nowhere"}, 1, "funchost: read host.json"},
		{[]string{"more"}, 2, `funchost: unknown argument "more"`},
		{[]string{"-nonsense"}, 2, "flag provided but not defined"},
		{[]string{"-restart", "10ms", "-root", "nowhere"}, 1, "funchost: read host.json"},
	} {
		p := start(t, nil, c.args...)
		assert.Equal(t, c.code, p.exit(t))
		assert.Contains(t, p.stderr.String(), c.want)
	}
}
