// Command funchost runs a custom handler on this machine as the Azure Functions
// host would. Package funchost describes what it does and doesn't do.
//
//	go run ./dev/funchost/cmd/funchost -port 7071
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"visionkeeper/dev/funchost"
)

func main() {
	o := funchost.Options{Output: os.Stdout}
	flag.StringVar(&o.Root, "root", ".", "the folder of host.json, with a folder per function")
	flag.IntVar(&o.Port, "port", 7071, "port of the host's HTTP front on 127.0.0.1; 0 takes a free one")
	flag.StringVar(&o.Settings, "settings", "", "settings `file` (default local.settings.json in the root, if there is one)")
	restart := flag.Duration("restart", 0, "after a host that stopped itself, start another when this `time` has passed, as the platform does (default: end, as func start does)")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "funchost: unknown argument %q\n", flag.Arg(0))
		os.Exit(2)
	}
	if err := run(o, *restart); err != nil {
		fmt.Fprintln(os.Stderr, "funchost:", err)
		os.Exit(1)
	}
}

// run hosts until SIGINT or SIGTERM, or until the host stops itself, whose reason it
// prints. Neither is an error: the host's own exit code is 0 then too. If restart
// isn't 0, another host follows after that time.
func run(o funchost.Options, restart time.Duration) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if o.Settings == "" {
		if path := filepath.Join(o.Root, "local.settings.json"); exists(path) {
			o.Settings = path
		}
	}
	if restart > 0 {
		return funchost.Supervise(ctx, o, restart)
	}
	host, err := funchost.Start(ctx, o)
	if err != nil {
		return err
	}
	if err := host.Wait(); err != nil {
		fmt.Fprintln(os.Stderr, "funchost:", err)
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
