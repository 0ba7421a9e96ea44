//go:build unix

package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// started is a local run that is to fail.
type started struct {
	t       *testing.T
	cmd     *exec.Cmd
	temp    string // its folder for temporary files
	out     io.ReadCloser
	printed bytes.Buffer
}

// asProgram makes this test binary the program itself.
const asProgram = "VISIONKEEPER_LOCAL_RUN"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// startLocal starts the program in a folder, with what a PATH has.
func startLocal(t *testing.T, dir, path string, args ...string) *started {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	app := t.TempDir()
	for _, name := range []string{"host.json", "sweep/function.json"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Join(app, filepath.Dir(name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(app, name), text, 0o644))
	}
	s := &started{t: t, temp: t.TempDir(), cmd: exec.Command(program, append([]string{"-app", app}, args...)...)}
	s.cmd.Dir, s.cmd.Env = dir, []string{asProgram + "=yes", "PATH=" + path, "TMPDIR=" + s.temp, "HOME=" + s.temp}
	s.out, err = s.cmd.StdoutPipe()
	require.NoError(t, err)
	s.cmd.Stderr = s.cmd.Stdout
	require.NoError(t, s.cmd.Start())
	return s
}

// fails waits for the end, which says this and leaves neither a file nor a process.
func (s *started) fails(says string) {
	s.t.Helper()
	_, err := io.Copy(&s.printed, s.out)
	require.NoError(s.t, err)
	err = s.cmd.Wait()
	assert.Error(s.t, err, "it must not end with 0")
	assert.Contains(s.t, s.printed.String(), "Not done:")
	assert.Contains(s.t, s.printed.String(), says)
	assert.NotContains(s.t, s.printed.String(), "panic")
	left, err := os.ReadDir(s.temp)
	require.NoError(s.t, err)
	assert.Empty(s.t, left)
	assert.Empty(s.t, withTemp(s.t, s.temp), "processes that it left")
}

// withTemp are the processes that have this folder for temporary files.
func withTemp(t *testing.T, temp string) []string {
	if runtime.GOOS != "linux" {
		return nil
	}
	environments, err := filepath.Glob("/proc/[0-9]*/environ")
	require.NoError(t, err)
	var found []string
	for _, path := range environments {
		if text, err := os.ReadFile(path); err == nil && bytes.Contains(text, []byte("TMPDIR="+temp)) {
			found = append(found, path)
		}
	}
	return found
}

// only is a folder with these programs alone.
func only(t *testing.T, programs ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range programs {
		path, err := exec.LookPath(name)
		require.NoError(t, err)
		require.NoError(t, os.Symlink(path, filepath.Join(dir, name)))
	}
	return dir
}

const root = "../.."

func TestAStartWithoutCoreToolsSaysSo(t *testing.T) {
	t.Parallel()
	startLocal(t, root, only(t, "node"), "-host", "func").fails("func (Azure Functions Core Tools) is not installed")
}

func TestAStartUnderAnUnknownHostSaysWhichThereAre(t *testing.T) {
	t.Parallel()
	startLocal(t, root, only(t, "node"), "-host", "functions").fails(`there is no host "functions": HOST is funchost or func`)
}

func TestAStartWithoutNodeSaysSo(t *testing.T) {
	t.Parallel()
	startLocal(t, root, t.TempDir()).fails("install Node.js 20 or newer")
}

func TestAStartWithoutAzuriteSaysHowToInstallIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"go.mod", exampleFile} {
		text, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, 0o644))
	}
	startLocal(t, dir, only(t, "node")).fails("make tools")
}

// script is a program of these bytes.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o755))
	return path
}

func TestAStartWithoutAProgramThatRunsSaysSo(t *testing.T) {
	t.Parallel()
	for name, program := range map[string]string{"none": "none", "of another machine": script(t, "no program")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			startLocal(t, root, only(t, "node"), "-program", program).fails("the app's program can't be started")
			assert.Less(t, time.Since(began), patience, "it waited for the app all the same")
		})
	}
}

func TestCtrlCAtAnyMomentEndsEverything(t *testing.T) {
	t.Parallel()
	deaf := script(t, "#!/bin/sh\nexec sleep 600\n")
	for moment, args := range map[string][]string{
		"Starting Azurite":                    nil,
		"Starting the Custom Vision emulator": {"-program", deaf},
		"Listening on":                        {"-program", deaf, "-verbose"}, // while it waits for the app
		"1. A project is connected":           {"-program", deaf, "-demo"},
	} {
		t.Run(moment, func(t *testing.T) {
			t.Parallel()
			s := startLocal(t, root, only(t, "node"), args...)
			lines := bufio.NewReader(io.TeeReader(s.out, &s.printed))
			for {
				line, err := lines.ReadString('\n')
				require.NoError(t, err, s.printed.String())
				if strings.Contains(line, moment) {
					break
				}
			}
			require.NoError(t, s.cmd.Process.Signal(syscall.SIGINT))
			s.fails("Not done: it was interrupted; nothing is left behind\n")
		})
	}
}
