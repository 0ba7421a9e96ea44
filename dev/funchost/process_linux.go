package funchost

import (
	"os"
	"os/exec"
	"syscall"
)

// dieWithParent gives the handler a process group of its own, so that a
// terminal's Ctrl-C doesn't reach it. The kernel kills the handler when this
// program ends, by whatever cause.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

func exitCode(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}
