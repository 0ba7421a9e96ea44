package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// built is the program as a user runs it, without the race detector.
var built = sync.OnceValues(func() (binary string, err error) {
	binary = filepath.Join(buildFolder, "emulator")
	output, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, output)
	}
	return binary, err
})

var buildFolder string

func TestMain(m *testing.M) {
	var err error
	if buildFolder, err = os.MkdirTemp("", "emulator"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(buildFolder)
	os.Exit(code)
}

func build(t *testing.T) string {
	t.Helper()
	binary, err := built()
	require.NoError(t, err)
	return binary
}

// program starts the built program and gives its address from the one line it prints.
func program(t *testing.T, binary string, args ...string) (cmd *exec.Cmd, address string) {
	t.Helper()
	cmd = exec.Command(binary, append([]string{"-listen", "127.0.0.1:0", "-key", "K"}, args...)...)
	cmd.Env = append(os.Environ(), "GOGC=100") // its memory is measured
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	_, address, ok := strings.Cut(strings.TrimSpace(line), "listens on ")
	require.True(t, ok, line)
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		assert.NoError(t, cmd.Wait(), "an interrupt is an orderly end")
	})
	return cmd, address
}

func get(t *testing.T, method, url string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, nil)
	require.NoError(t, err)
	r.Header.Set("Training-Key", "K")
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(body)
}

// processorTime is what a process has computed so far: unlike the time on the wall
// it isn't that of what else the machine does.
func processorTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	require.NoError(t, err)
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	var ticks time.Duration // of 10 ms; see proc(5): utime and stime
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(field)
		require.NoError(t, err)
		ticks += time.Duration(n)
	}
	return ticks * 10 * time.Millisecond
}

func TestProgramStartsFastAndSmall(t *testing.T) {
	t.Parallel()
	binary := build(t)
	cmd, address := program(t, binary, "-no-validation", "-train-time", "0s", "-export-time", "0s")
	status, _ := get(t, "GET", address+"/customvision/v3.3/training/domains")
	assert.Equal(t, 200, status)
	if runtime.GOOS == "linux" {
		assert.Less(t, processorTime(t, cmd.Process.Pid), time.Second)
	}

	_, body := get(t, "POST", address+"/_control/create-project?name=a&domain=0732100f-1a38-4e49-a514-c9b44c697ab5")
	project := between(body, `"project":"`, `"`)
	for range 1000 {
		get(t, "GET", address+"/customvision/v3.3/training/projects/"+project)
	}
	_, body = get(t, "POST", address+"/_control/train?project="+project)
	iteration := address + "/customvision/v3.3/training/projects/" + project + "/iterations/" + between(body, `"iteration":"`, `"`)
	wait(t, func() bool { _, body := get(t, "GET", iteration); return strings.Contains(body, `"Completed"`) })
	for _, platform := range []string{"ONNX", "CoreML", "TensorFlow"} {
		status, body := get(t, "POST", iteration+"/export?platform="+platform)
		require.Equal(t, 200, status, body)
		wait(t, func() bool {
			_, body := get(t, "GET", iteration+"/export")
			return !strings.Contains(body, `"Exporting"`)
		})
	}
	_, body = get(t, "GET", iteration+"/export")
	status, content := get(t, "GET", between(body, `"downloadUri":"`, `"`))
	assert.Equal(t, 200, status)
	assert.Greater(t, len(content), 2_900_000)

	if runtime.GOOS != "linux" {
		t.Log("memory is measured on Linux only")
		return
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	require.NoError(t, err)
	var peak int // KiB, since the start
	_, err = fmt.Sscanf(between(string(text), "VmHWM:", "kB"), "%d", &peak)
	require.NoError(t, err)
	t.Logf("peak memory: %d KiB", peak)
	assert.Less(t, peak, 50*1024)
}

func TestProgramKeepsItsState(t *testing.T) {
	t.Parallel()
	binary, file := build(t), filepath.Join(t.TempDir(), "state.json")
	cmd, address := program(t, binary, "-state", file)
	_, body := get(t, "POST", address+"/_control/create-project?name=kept")
	assert.Contains(t, body, "project")
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	wait(t, func() bool { _, err := http.Get(address); return err != nil })
	_, address = program(t, binary, "-state", file)
	_, body = get(t, "GET", address+"/customvision/v3.3/training/projects")
	assert.Contains(t, body, `"name":"kept"`)
}

func TestProgramRefusesWrongArguments(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		want string
		args []string
	}{
		{"no key given", nil},
		{"-storage: AccountKey is not Base64", []string{"-key", "K", "-storage", "AccountName=a;AccountKey=secret!"}},
		{"-service-storage: AccountKey is not Base64", []string{"-key", "K", "-service-storage", "AccountName=a;AccountKey=secret!"}},
		{"is no flag", []string{"-key", "K", "listen"}},
		{"no question", []string{"-key", "K", "-answer", "x=y"}},
		{"write question=answer", []string{"-key", "K", "-answer", "storage-uris"}},
		{"no tier", []string{"-key", "K", "-tier", "S9"}},
		{"address", []string{"-key", "K", "-listen", "nowhere"}},
	} {
		err := run(context.Background(), c.args)
		require.Error(t, err, c.want)
		assert.Contains(t, err.Error(), c.want)
		assert.NotContains(t, err.Error(), "secret")
	}
}

func between(text, from, to string) string {
	_, rest, _ := strings.Cut(text, from)
	found, _, _ := strings.Cut(rest, to)
	return found
}

func wait(t *testing.T, done func() bool) {
	t.Helper()
	require.Eventually(t, done, time.Minute, 5*time.Millisecond)
}
