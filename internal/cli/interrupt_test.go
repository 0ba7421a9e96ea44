package cli_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
)

// stall passes requests on, but stops at the first whose path matches, before its
// answer or, where half is set, in the middle of it.
type stall struct {
	at      *regexp.Regexp
	half    bool
	reached chan struct{} // closed when it stops
	release chan struct{} // closed to go on
	once    sync.Once
	skip    int // matches that pass before
	mu      sync.Mutex
}

// before puts a stall before a server, and gives the address it is reached at.
func before(t *testing.T, server string, s *stall) string {
	t.Helper()
	s.reached, s.release = make(chan struct{}), make(chan struct{})
	target, err := url.Parse(server)
	require.NoError(t, err)
	proxy := &httputil.ReverseProxy{
		Director:  func(r *http.Request) { r.URL.Scheme, r.URL.Host = target.Scheme, target.Host },
		Transport: &http.Transport{DisableCompression: true},
		ModifyResponse: func(r *http.Response) error {
			if s.matches(r.Request) {
				r.Body = &stalled{ReadCloser: r.Body, s: s, ctx: r.Request.Context()}
			}
			return nil
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) {}, // whoever asked is gone
	}
	front := httptest.NewServer(proxy)
	t.Cleanup(front.Close)
	return front.URL
}

func (s *stall) matches(r *http.Request) bool {
	if !s.at.MatchString(r.Method + " " + r.URL.Path) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skip--
	return s.skip < 0
}

// stalled is an answer's body that stops.
type stalled struct {
	io.ReadCloser
	s    *stall
	ctx  context.Context
	told bool
}

func (b *stalled) Read(p []byte) (int, error) {
	if b.s.half && !b.told { // something comes first
		b.told = true
		return b.ReadCloser.Read(p[:min(len(p), 1000)])
	}
	b.s.once.Do(func() { close(b.s.reached) })
	select {
	case <-b.s.release:
		return b.ReadCloser.Read(p)
	case <-b.ctx.Done():
		return 0, b.ctx.Err()
	}
}

// process is the real program in a process of its own.
type process struct {
	*exec.Cmd
	t              *testing.T
	stdout, stderr *heard
}

// start runs it in dir with the settings and what is changed of them.
func start(t *testing.T, dir string, settings, change map[string]string, args ...string) *process {
	t.Helper()
	path, err := exec.LookPath("visionkeeper")
	require.NoError(t, err)
	p := &process{Cmd: exec.Command(path, args...), t: t, stdout: newHeard(), stderr: newHeard()}
	p.Dir, p.Stdout, p.Stderr = dir, p.stdout, p.stderr
	p.Env = []string{"PATH=" + os.Getenv("PATH")}
	for _, values := range []map[string]string{settings, change} {
		for name, value := range values {
			p.Env = append(p.Env, name+"="+value)
		}
	}
	require.NoError(t, p.Start())
	t.Cleanup(func() { p.Process.Kill() })
	return p
}

// interrupt sends what Ctrl-C sends.
func (p *process) interrupt() { require.NoError(p.t, p.Process.Signal(os.Interrupt)) }

// code is how it ended; -1 by a signal.
func (p *process) code() int {
	p.t.Helper()
	err := p.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		require.NoError(p.t, err)
	}
	return p.ProcessState.ExitCode()
}

// heard is what a process printed.
type heard struct {
	mu   sync.Mutex
	b    bytes.Buffer
	more chan struct{}
}

func newHeard() *heard { return &heard{more: make(chan struct{}, 1)} }

func (h *heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.b.Write(p)
	select {
	case h.more <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.b.String()
}

// wait waits until a text was printed.
func (h *heard) wait(t *testing.T, text string) {
	t.Helper()
	for !strings.Contains(h.String(), text) {
		select {
		case <-h.more:
		case <-t.Context().Done():
			return
		}
	}
}

// stocked is a world with two backups of one project, and its settings.
func stocked(t *testing.T) (*world, string, map[string]string) {
	t.Helper()
	dir, settings := t.TempDir(), map[string]string{}
	w := newWorld(t, dir, func(name, value string) { settings[name] = value })
	connected(t, w, "Demo kitchen")
	run := start(t, dir, settings, nil, "reconcile", "--wait")
	require.Equal(t, 0, run.code(), run.stderr)
	return w, dir, settings
}

// connected makes a trained project.
func connected(t *testing.T, w *world, name string) {
	t.Helper()
	id, err := w.service.CreateProject(name, domains["compact"], w.models.NewContainerClient(w.names["MODEL_CONTAINER"]).URL(), w.queue.URL())
	require.NoError(t, err)
	_, err = w.service.Train(id)
	require.NoError(t, err)
	w.eventually("the training ends", func() bool {
		list, err := w.client.Iterations(t.Context(), id)
		return err == nil && len(list) == 1 && list[0].Status == customvision.StatusCompleted
	})
}

// through are the settings with the archive's blobs behind a stall.
func through(t *testing.T, settings map[string]string, s *stall) map[string]string {
	t.Helper()
	connection := settings["ArchiveStorage"]
	_, rest, _ := strings.Cut(connection, "BlobEndpoint=")
	endpoint, _, _ := strings.Cut(rest, ";")
	u, err := url.Parse(endpoint)
	require.NoError(t, err)
	return map[string]string{"ArchiveStorage": strings.Replace(connection, endpoint, before(t, endpoint, s)+u.Path, 1)}
}

func TestCtrlCEndsAVerifyAndSaysWhatWasRead(t *testing.T) {
	t.Parallel()
	_, dir, settings := stocked(t)
	s := &stall{at: regexp.MustCompile(`^GET .*\.zip$`), half: true, skip: 1}
	run := start(t, dir, settings, through(t, settings, s), "verify")
	<-s.reached
	run.interrupt()
	assert.Equal(t, 130, run.code())
	assert.Equal(t, 1, strings.Count(run.stdout.String(), "holds"), "the first was read:\n%s", run.stdout)
	assert.Contains(t, run.stdout.String(), "1 of 2 backups hold")
	assert.Contains(t, run.stderr.String(), "1 backup is not read")
	assert.Contains(t, run.stderr.String(), "It was interrupted.")
}

func TestCtrlCEndsARestoreAndLeavesNothing(t *testing.T) {
	t.Parallel()
	_, _, settings := stocked(t)
	for _, args := range [][]string{{"restore", "--platform", "ONNX"}, {"restore", "--platform", "ONNX", "--unzip"}} {
		s := &stall{at: regexp.MustCompile(`^GET .*\.zip$`), half: true}
		empty := t.TempDir()
		run := start(t, empty, settings, through(t, settings, s), args...)
		<-s.reached
		run.interrupt()
		assert.Equal(t, 130, run.code())
		assert.Empty(t, run.stdout.String())
		assert.Contains(t, run.stderr.String(), "Could not restore the model.\nIt was interrupted.\n")
		left, err := os.ReadDir(empty)
		require.NoError(t, err)
		assert.Empty(t, left)
	}
}

func TestCtrlCLetsAReconcileFinishTheProjectUnderWay(t *testing.T) {
	t.Parallel()
	dir, settings := t.TempDir(), map[string]string{}
	w := newWorld(t, dir, func(name, value string) { settings[name] = value })
	connected(t, w, "Attic")
	connected(t, w, "Cellar")
	s := &stall{at: regexp.MustCompile(`^POST .*/export$`)}
	api := before(t, w.api.URL, s)
	run := start(t, dir, settings, map[string]string{"CUSTOMVISION_ENDPOINT": api}, "reconcile")
	<-s.reached
	run.interrupt()
	run.stderr.wait(t, `Finishing the project "Attic"`)
	close(s.release)
	assert.Equal(t, 130, run.code())
	assert.Contains(t, run.stdout.String(), "asked for  Attic")
	assert.NotContains(t, run.stdout.String(), "Cellar")
	assert.Contains(t, run.stderr.String(), "Interrupted. Not begun: Cellar.")
	assert.Equal(t, 2, w.service.Counts()["ExportIteration"], "both exports of the first project, none of the second")
}

func TestASecondCtrlCEndsAReconcileAtOnce(t *testing.T) {
	t.Parallel()
	dir, settings := t.TempDir(), map[string]string{}
	w := newWorld(t, dir, func(name, value string) { settings[name] = value })
	connected(t, w, "Attic")
	s := &stall{at: regexp.MustCompile(`^POST .*/export$`)}
	run := start(t, dir, settings, map[string]string{"CUSTOMVISION_ENDPOINT": before(t, w.api.URL, s)}, "reconcile")
	<-s.reached
	run.interrupt()
	run.stderr.wait(t, "Finishing the project")
	run.interrupt()
	assert.Equal(t, -1, run.code(), "ended by the signal")
}

// TestWhatWasCutOffIsGoneOnWith is what the message of a second Ctrl-C promises.
func TestWhatWasCutOffIsGoneOnWith(t *testing.T) {
	t.Parallel()
	dir, settings := t.TempDir(), map[string]string{"VISIONKEEPER_INTENT_GRACE": "1s"}
	w := newWorld(t, dir, func(name, value string) { settings[name] = value })
	connected(t, w, "Attic")
	require.NoError(t, w.service.FaultCalls("ExportIteration", 1, emulator.CallFault{LoseAnswer: true}))
	first := start(t, dir, settings, nil, "reconcile")
	assert.Equal(t, 1, first.code(), "a lost answer is told")
	again := start(t, dir, settings, nil, "reconcile", "--wait")
	assert.Equal(t, 0, again.code(), again.stderr.String())
	list, err := w.archive.Backups(t.Context(), "", "")
	require.NoError(t, err)
	require.Len(t, list, 2)
	for _, b := range list {
		assert.Equal(t, archive.Proven, b.Verdict)
	}
}
