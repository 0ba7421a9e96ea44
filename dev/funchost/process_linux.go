package funchost

import (
	"os"
	"os/exec"
	"syscall"
)

// dieWithParent gives the handler a process group of its own, which keeps a
// terminal's Ctrl-C from it, and has the kernel kill it when this program ends in
// whatever way.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

func exitCode(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}
