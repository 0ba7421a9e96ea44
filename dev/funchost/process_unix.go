//go:build unix && !linux

package funchost

import (
	"os"
	"os/exec"
	"syscall"
)

// dieWithParent gives the handler a process group of its own, which keeps a
// terminal's Ctrl-C from it. There is no parent-death signal here: if this program
// is killed by SIGKILL, the handler stays.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

func exitCode(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}
