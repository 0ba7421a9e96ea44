//go:build unix && !linux

package funchost

import (
	"os"
	"os/exec"
	"syscall"
)

// dieWithParent gives the handler a process group of its own, so that a
// terminal's Ctrl-C doesn't reach it. If this program is killed by SIGKILL, the
// handler keeps running, because there is no parent-death signal on this system.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

func exitCode(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}
