//go:build !unix

package funchost

import (
	"os"
	"os/exec"
)

// dieWithParent does nothing here. If this program is killed, the handler keeps
// running.
func dieWithParent(*exec.Cmd) {}

func exitCode(state *os.ProcessState) int { return state.ExitCode() }
