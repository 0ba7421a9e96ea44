//go:build !unix

package main

import "os/exec"

func ownProcessGroup(*exec.Cmd)    {}
func interruptGroup(cmd *exec.Cmd) { cmd.Process.Kill() }
func killGroup(cmd *exec.Cmd)      { cmd.Process.Kill() }
