package cli_test

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
)

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
	return started(t, exec.Command(path, args...), dir, settings, change)
}

// startShell runs a script, in which the program may be called.
func startShell(t *testing.T, dir string, settings map[string]string, script string) *process {
	t.Helper()
	return started(t, exec.Command("sh", "-c", script), dir, settings, nil)
}

func started(t *testing.T, c *exec.Cmd, dir string, settings, change map[string]string) *process {
	t.Helper()
	p := &process{Cmd: c, t: t, stdout: newHeard(), stderr: newHeard()}
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
func stocked(t *testing.T) (*scene, string, map[string]string) {
	t.Helper()
	dir, settings := t.TempDir(), map[string]string{}
	w := newScene(t, dir, func(name, value string) { settings[name] = value })
	connected(t, w, "Demo kitchen")
	run := start(t, dir, settings, nil, "reconcile", "--wait")
	require.Equal(t, 0, run.code(), run.stderr)
	return w, dir, settings
}

// connected makes a trained project.
func connected(t *testing.T, w *scene, name string) {
	t.Helper()
	id, err := w.Service.CreateProject(name, domains["compact"], w.Containers.Models.URL(), w.Queue.URL())
	require.NoError(t, err)
	_, err = w.Service.Train(id)
	require.NoError(t, err)
	w.Eventually("the training ends", func() bool {
		list, err := w.Client.Iterations(t.Context(), id)
		return err == nil && len(list) == 1 && list[0].Status == customvision.StatusCompleted
	})
}

// matches reports whether a request's method and path look so.
func matches(pattern string) func(*http.Request) bool {
	at := regexp.MustCompile(pattern)
	return func(r *http.Request) bool { return at.MatchString(r.Method + " " + r.URL.Path) }
}

const zips, asksForAnExport = `^GET .*\.zip$`, `^POST .*/export$`

// over is an Interceptor with a Fault, and the changes of the settings that lead the
// program over it.
func (w *scene) over(t *testing.T, f world.Fault) (*world.Interceptor, map[string]string) {
	t.Helper()
	i := world.NewInterceptor(t)
	i.Use(f)
	return i, map[string]string{
		"CUSTOMVISION_ENDPOINT": i.Before(w.API),
		"CustomVisionStorage":   w.Customer.Over(i).Connection, "ArchiveStorage": w.Archives.Over(i).Connection,
	}
}

func TestCtrlCEndsAVerifyAndSaysWhatWasRead(t *testing.T) {
	t.Parallel()
	w, dir, settings := stocked(t)
	gate := world.NewGate()
	_, change := w.over(t, world.On(matches(zips), world.From(2, gate.Half)))
	run := start(t, dir, settings, change, "verify")
	<-gate.Reached
	run.interrupt()
	assert.Equal(t, 130, run.code())
	assert.Contains(t, run.stdout.String(), "1 package: 1 backup holds", "the first was read")
	assert.NotContains(t, run.stdout.String(), "each has a backup", "of the other nobody knows")
	assert.Contains(t, run.stderr.String(), "1 package is not read")
	assert.Contains(t, run.stderr.String(), "It was interrupted.")
}

func TestCtrlCEndsARestoreAndLeavesNothing(t *testing.T) {
	t.Parallel()
	w, _, settings := stocked(t)
	for _, args := range [][]string{{"restore", "--platform", "ONNX"}, {"restore", "--platform", "ONNX", "--unzip"}} {
		gate := world.NewGate()
		_, change := w.over(t, world.On(matches(zips), gate.Half))
		empty := t.TempDir()
		run := start(t, empty, settings, change, args...)
		<-gate.Reached
		run.interrupt()
		assert.Equal(t, 130, run.code())
		assert.Empty(t, run.stdout.String())
		assert.Contains(t, run.stderr.String(), "Could not restore the model.\nIt was interrupted.\n")
		left, err := os.ReadDir(empty)
		require.NoError(t, err)
		assert.Empty(t, left)
	}
}

func TestCtrlCEndsADataSetThatGoesOnLater(t *testing.T) {
	t.Parallel()
	dir, settings := t.TempDir(), map[string]string{}
	w := newScene(t, dir, func(name, value string) { settings[name] = value })
	require.NoError(t, archivedSet("Demo kitchen", "Detection").Put(t.Context(), w.Containers.Archive))
	gate := world.NewGate()
	_, change := w.over(t, world.On(matches(`^GET .*/images/`), world.From(15, gate.Half)))
	args := []string{"dataset", "--format", "coco", "--to", "out"}
	run := start(t, dir, settings, change, args...)
	<-gate.Reached
	run.interrupt()
	assert.Equal(t, 130, run.code())
	assert.Empty(t, run.stdout.String())
	assert.Contains(t, run.stderr.String(), "Could not write the data set.\nIt was interrupted.\nRun it again to go on.")
	assert.NoFileExists(t, filepath.Join(dir, "out", "visionkeeper.json"))
	begun, err := os.ReadDir(filepath.Join(dir, "out", "train"))
	require.NoError(t, err)
	assert.NotEmpty(t, begun, "what is there stays")

	again := start(t, dir, settings, nil, args...)
	assert.Equal(t, 0, again.code(), again.stderr.String())
	assert.Contains(t, again.stdout.String(), "37 images")
	assert.FileExists(t, filepath.Join(dir, "out", "visionkeeper.json"))
	assert.NoDirExists(t, filepath.Join(dir, "out", ".visionkeeper"))
}

func TestCtrlCLetsAReconcileFinishTheProjectUnderWay(t *testing.T) {
	t.Parallel()
	dir, settings := t.TempDir(), map[string]string{}
	w := newScene(t, dir, func(name, value string) { settings[name] = value })
	connected(t, w, "Attic")
	connected(t, w, "Cellar")
	gate := world.NewGate()
	_, change := w.over(t, world.On(matches(asksForAnExport), gate.Whole))
	run := start(t, dir, settings, change, "reconcile")
	<-gate.Reached
	run.interrupt()
	run.stderr.wait(t, `Finishing the project "Attic"`)
	gate.Open()
	assert.Equal(t, 130, run.code())
	assert.Contains(t, run.stdout.String(), "asked for  Attic")
	assert.NotContains(t, run.stdout.String(), "Cellar")
	assert.Contains(t, run.stderr.String(), "Interrupted. Not begun: Cellar.")
	assert.Equal(t, 2, w.Service.Counts()["ExportIteration"], "both exports of the first project, none of the second")
}

func TestASecondCtrlCEndsAReconcileAtOnce(t *testing.T) {
	t.Parallel()
	dir, settings := t.TempDir(), map[string]string{}
	w := newScene(t, dir, func(name, value string) { settings[name] = value })
	connected(t, w, "Attic")
	gate := world.NewGate()
	_, change := w.over(t, world.On(matches(asksForAnExport), gate.Whole))
	run := start(t, dir, settings, change, "reconcile")
	<-gate.Reached
	run.interrupt()
	run.stderr.wait(t, "Finishing the project")
	run.interrupt()
	assert.Equal(t, -1, run.code(), "ended by the signal")
}

// TestWhatWasCutOffIsGoneOnWith is what the message of a second Ctrl-C promises.
func TestWhatWasCutOffIsGoneOnWith(t *testing.T) {
	t.Parallel()
	dir, settings := t.TempDir(), map[string]string{"VISIONKEEPER_INTENT_GRACE": "1s"}
	w := newScene(t, dir, func(name, value string) { settings[name] = value })
	connected(t, w, "Attic")
	require.NoError(t, w.Service.FaultCalls("ExportIteration", 1, emulator.CallFault{LoseAnswer: true}))
	first := start(t, dir, settings, nil, "reconcile")
	assert.Equal(t, 1, first.code(), "a lost answer is told")
	again := start(t, dir, settings, nil, "reconcile", "--wait")
	assert.Equal(t, 0, again.code(), again.stderr.String())
	list := w.Backups("", "")
	require.Len(t, list, 2)
	for _, b := range list {
		assert.Equal(t, archive.Proven, b.Verdict)
	}
}

func TestARestoreReplacesNothingThatAppearsMeanwhile(t *testing.T) {
	t.Parallel()
	w, _, settings := stocked(t)
	for _, c := range []struct {
		args  []string
		wants int
	}{
		{[]string{"restore", "--platform", "ONNX", "--to", "there"}, 1},
		{[]string{"restore", "--platform", "ONNX", "--to", "there", "--unzip"}, 1},
		{[]string{"restore", "--platform", "ONNX", "--to", "there", "--force"}, 0},
	} {
		gate := world.NewGate()
		_, change := w.over(t, world.On(matches(zips), gate.Half))
		dir := t.TempDir()
		run := start(t, dir, settings, change, c.args...)
		<-gate.Reached
		there := filepath.Join(dir, "there")
		require.NoError(t, os.WriteFile(there, []byte("mine"), 0o600))
		gate.Open()
		assert.Equal(t, c.wants, run.code(), run.stderr)
		data, err := os.ReadFile(there)
		require.NoError(t, err)
		assert.Equal(t, c.wants != 0, string(data) == "mine")
		if c.wants != 0 {
			assert.Contains(t, run.stderr.String(), "It is there already.")
		}
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		assert.Len(t, left, 1, "no temporary file stays")
	}
}

func TestARestoreRespectsTheUmask(t *testing.T) {
	t.Parallel()
	_, _, settings := stocked(t)
	dir := t.TempDir()
	for umask, want := range map[string]os.FileMode{"022": 0o644, "077": 0o600, "002": 0o664} {
		for _, c := range []struct{ args, file string }{{"--to file" + umask, "file" + umask}, {"--unzip --to folder" + umask, "folder" + umask + "/model.onnx"}} {
			run := startShell(t, dir, settings, "umask "+umask+"; exec visionkeeper restore --platform ONNX "+c.args)
			require.Equal(t, 0, run.code(), run.stderr)
			info, err := os.Stat(filepath.Join(dir, c.file))
			require.NoError(t, err)
			assert.Equal(t, want, info.Mode().Perm(), "%s, umask %s", c.file, umask)
		}
		info, err := os.Stat(filepath.Join(dir, "folder"+umask))
		require.NoError(t, err)
		assert.Equal(t, want|want>>2&0o111, info.Mode().Perm(), "the folder, umask %s", umask)
	}
}
