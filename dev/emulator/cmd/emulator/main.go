// Command emulator serves a local Custom Vision on a loopback port until it is
// interrupted. Package emulator describes it. `emulator probe` asks a real resource what
// package emulator doesn't know; package probe describes that.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"visionkeeper/dev/emulator"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends at once
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "emulator:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends, or probes.
func run(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == "probe" {
		return runProbe(ctx, args[1:], os.Stdin, os.Stdout, os.Stderr)
	}
	s, err := parse(args)
	if err != nil {
		return err
	}
	s.Logf = func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
	server, err := emulator.New(s.Options)
	if err != nil {
		return err
	}
	defer server.Close()
	listener, err := net.Listen("tcp", s.listen)
	if err != nil {
		return err
	}
	fmt.Printf("Custom Vision emulator listens on http://%s\n", listener.Addr())
	web := &http.Server{Handler: server, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { web.Close() })
	if err := web.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
