//go:build unix

package azurite

import (
	"os/exec"
	"syscall"
)

// ownProcessGroup keeps a Ctrl-C on the terminal from ending Azurite before the
// programs that still use it; they end it by Close.
func ownProcessGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}
