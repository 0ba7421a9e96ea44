//go:build unix

package handler

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestASignalEndsTheProgramAtOnceWithAnErrorThatNamesIt(t *testing.T) {
	t.Parallel()
	for signal, name := range map[syscall.Signal]string{syscall.SIGINT: "interrupt", syscall.SIGTERM: "terminated"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			executable, err := os.Executable()
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			child := exec.CommandContext(ctx, executable)
			child.Env = append(os.Environ(), envChild+"=1", envPort+"=0")
			var stderr strings.Builder
			child.Stderr = &stderr
			stdout, err := child.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, child.Start())

			printed := bufio.NewScanner(stdout)
			require.True(t, printed.Scan())
			var listening struct{ Address string }
			require.NoError(t, json.Unmarshal(printed.Bytes(), &listening))
			stuck, err := http.NewRequest(http.MethodPost, "http://"+listening.Address+"/stuck", strings.NewReader("{}"))
			require.NoError(t, err)
			asTheHost(stuck)
			cut := make(chan error, 1)
			go func() {
				response, err := http.DefaultClient.Do(stuck)
				if err == nil {
					_ = response.Body.Close()
				}
				cut <- err
			}()
			require.True(t, printed.Scan(), "the invocation runs")

			signalled := time.Now()
			require.NoError(t, child.Process.Signal(signal))
			require.Error(t, <-cut)
			_ = child.Wait()
			assert.Less(t, time.Since(signalled), 20*time.Second, "it waits for nothing")
			assert.Equal(t, childCode, child.ProcessState.ExitCode())
			assert.Contains(t, stderr.String(), name)
		})
	}
}
