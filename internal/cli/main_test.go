package cli_test

import (
	"os"
	"os/signal"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/dev/leak"
	"visionkeeper/internal/cli"
)

// tests runs the tests around what they share.
type tests struct{ *testing.M }

func (t tests) Run() int { return leak.Run(t.run) }

func (t tests) run() int {
	if signal.Ignored(os.Interrupt) {
		// A shell starts what runs in the background with Ctrl-C ignored. A program
		// inherits that from us, unless we catch it.
		signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	}
	dir, err := os.MkdirTemp("", "visionkeeper")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	front, err := startSecure(dir)
	if err != nil {
		panic(err)
	}
	defer front.Close()
	defer secure.hangUp()
	return azuritetest.Run(t.M)
}

// TestMain makes this test binary the program as well, under its name: every
// `visionkeeper` in a script is the real command in a process of its own.
func TestMain(m *testing.M) {
	testscript.Main(tests{m}, map[string]func(){
		"visionkeeper": func() { os.Exit(cli.Main("v1.0.0")) },
	})
}
