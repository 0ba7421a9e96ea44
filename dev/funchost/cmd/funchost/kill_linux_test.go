package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// running reports whether a process is alive. A zombie is not.
func running(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z")
}

func TestKilledHostTakesTheHandlerAlong(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	pid := p.line(t, `handler handler is process (\d+)`)

	require.NoError(t, p.cmd.Process.Kill())

	gone(t, pid)
}

func TestHandlerHasItsOwnProcessGroup(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	pid, err := strconv.Atoi(p.line(t, `handler handler is process (\d+)`))
	require.NoError(t, err)

	group, err := syscall.Getpgid(pid)

	require.NoError(t, err)
	require.Equal(t, pid, group, "a terminal's Ctrl-C would reach the handler")
}
