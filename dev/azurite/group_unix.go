//go:build unix

package azurite

import (
	"os/exec"
	"syscall"
)

// ownProcessGroup keeps a Ctrl-C on the terminal from ending Azurite while other
// programs still use it. Close ends it.
func ownProcessGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}
