// Command emulator serves a local Custom Vision on a loopback port until it is
// interrupted. Package emulator tells what it does.
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
	"strings"
	"syscall"
	"time"

	"visionkeeper/emulator"
	"visionkeeper/storage"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "emulator:", err)
		}
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	var o emulator.Options
	flags := flag.NewFlagSet("emulator", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:5599", "`address` to listen on; port 0 takes a free one")
	flags.StringVar(&o.Key, "key", "", "the Training-Key that callers must send")
	flags.DurationVar(&o.TrainTime, "train-time", 2*time.Second, "how long a training takes")
	flags.DurationVar(&o.ExportTime, "export-time", time.Second, "how long an export takes")
	flags.DurationVar(&o.ImportTime, "import-time", time.Second, "how long the import of a project takes")
	flags.StringVar(&o.State, "state", "", "`file` that keeps everything over a restart (default: memory)")
	flags.StringVar(&o.URL, "url", "", "where callers reach the emulator, for the links it hands out (default: as they call it)")
	flags.StringVar(&o.Tier, "tier", "", "apply the limits of the pricing `tier` F0 or S0")
	flags.IntVar(&o.ModelSize, "model-size", 0, "size of an exported model file in `bytes` (default 3 MB)")
	flags.BoolVar(&o.NoValidation, "no-validation", false, "train without tags and images, and past 20 iterations")
	flags.BoolVar(&o.Bearer, "bearer", false, "accept any bearer token in place of the key")
	customer := flags.String("storage", "", "connection `string` of the customer's account, for queue and container")
	service := flags.String("service-storage", "", "connection `string` of the service's own account, for packages")
	o.Answers = map[emulator.Question]string{}
	flags.Func("answer", "`question=answer` where the real service isn't known (repeatable)", func(text string) error {
		question, answer, ok := strings.Cut(text, "=")
		if !ok {
			return errors.New("write question=answer")
		}
		o.Answers[emulator.Question(question)] = answer
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	for name, a := range map[string]struct {
		text string
		to   *storage.Account
	}{"storage": {*customer, &o.Storage}, "service-storage": {*service, &o.ServiceStorage}} {
		if a.text == "" {
			continue
		}
		var err error
		if *a.to, err = storage.ParseConnectionString(a.text); err != nil {
			return fmt.Errorf("-%s: %w", name, err)
		}
	}
	o.Logf = func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

	server, err := emulator.New(o)
	if err != nil {
		return err
	}
	defer server.Close()
	listener, err := net.Listen("tcp", *listen)
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
