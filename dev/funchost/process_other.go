//go:build !unix

package funchost

import (
	"os"
	"os/exec"
)

// dieWithParent does nothing here: if this program is killed, the handler stays.
func dieWithParent(*exec.Cmd) {}

func exitCode(state *os.ProcessState) int { return state.ExitCode() }
