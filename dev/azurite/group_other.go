//go:build !unix

package azurite

import "os/exec"

func ownProcessGroup(*exec.Cmd) {}
