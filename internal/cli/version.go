package cli

import (
	"context"
	"runtime"

	"github.com/spf13/cobra"
)

type versionResult struct {
	Version string `json:"version"`
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

func (p *program) versionCommand() *cobra.Command {
	return p.verb("version", "Print which version this is", "Backups name the version that proved them.", func(context.Context, []string) error {
		v := versionResult{p.version, runtime.Version(), runtime.GOOS, runtime.GOARCH}
		return p.out.result(v, func() { p.out.say("visionkeeper %s (%s, %s/%s)", v.Version, v.Go, v.OS, v.Arch) })
	})
}
