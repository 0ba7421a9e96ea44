// Command local runs the whole app on one machine: Azurite for the storage
// accounts, the emulated Custom Vision, and the app under funchost or Core Tools.
// `make run` and `make demo` start it. It is for development only. Start reading
// at run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	app := flag.String("app", "dist", "`folder` with the app, laid out by make dist")
	program := flag.String("program", "build/visionkeeper", "the app's `executable` for this machine, made by make build")
	host := flag.String("host", "funchost", "who plays the Functions host: funchost, or func (Core Tools)")
	demo := flag.Bool("demo", false, "tell the whole story once, check it, and end")
	verbose := flag.Bool("verbose", false, "print every line of host and app as it is")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(ctx, *app, *program, *host, *demo, *verbose); err != nil {
		if ctx.Err() != nil {
			err = errors.New("it was interrupted; nothing is left behind")
		}
		fmt.Fprintln(os.Stderr, "\nNot done:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, app, program, host string, demo, verbose bool) error {
	s, err := start(ctx, app, program, host, verbose)
	if err != nil {
		return err
	}
	defer s.close()
	if demo {
		return s.demo(ctx)
	}
	p, err := s.connect(ctx, "Demo kitchen")
	if err != nil {
		return err
	}
	if err := s.addPictures(ctx, p.ID); err != nil {
		return err
	}
	s.introduce(p.Name, program)
	select {
	case <-ctx.Done():
		tell("\nEnding.")
		return nil
	case err := <-s.host.ended():
		return fmt.Errorf("the Functions host ended by itself: %w", err)
	}
}

// introduce says what to try first, and where everything is.
func (s *stack) introduce(project, program string) {
	tell("\nEverything runs. The project %q is connected.\n", project)
	tell("Try first:")
	tell("  1. Open %s/ and press Train. The app's work is told below.", s.service.url)
	tell("  2. Open a second terminal in this folder, and ask the app:")
	tell("       vk() { %s --settings %s \"$@\"; }", program, s.path("local.settings.json"))
	tell("       vk status         # or check, plan, verify, restore, train, export, …")
	tell("  3. Press Fail the next training, train, and watch.")
	tell("  4. Look at the app's own page, where everything stands: %s", s.page())
	tell("\nAlso there:")
	tell("  policy         %s", s.path("policy.json"))
	tell("  events         the queue %q of the archive's account: vk events list", eventsQueue)
	tell("  sweep now      curl -X POST -H 'Content-Type: application/json' -d '{}' %s/admin/functions/sweep", s.host.url())
	tell("  Training API   %s/customvision/v3.3/training/  (header Training-Key: %s)", s.service.url, s.key())
	tell("  storage        the connection strings are in local.settings.json, beside policy.json")
	tell("\nCtrl-C ends everything and removes it. What happens:")
}

// tell prints a line for the person at the terminal.
func tell(format string, a ...any) { fmt.Printf(format+"\n", a...) }
