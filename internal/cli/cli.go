// Package cli is the program's command line, one file per verb: flags, words and
// tables. It decides nothing about models and calls no service by itself: package
// app opens the parts that do. docs/commands.md shows every verb with its JSON and
// the exit codes. Start reading at Main.
package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"visionkeeper/handler"
	"visionkeeper/internal/app"
	"visionkeeper/internal/dotnet"
	"visionkeeper/internal/redact"
)

// The exit codes.
const (
	exitFine        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitFound       = 3   // verify, check, restore, dataset: something is wrong, and was reported; reconcile: exports were given up; status, timeline: not all could be seen
	exitUntested    = 4   // connect: the URIs are kept, no test message was seen
	exitInterrupted = 130 // by Ctrl-C; shells use this code too
)

const about = `Visionkeeper archives every model that Azure Custom Vision exports, with proof,
asks for the exports you want, and trains and publishes by your policy.

Without a verb it serves under the Azure Functions host, which starts it. The
verbs are for people. They read the settings of the app from the environment or
from a local.settings.json.`

// Main runs the program with the process's arguments and returns its exit code.
func Main(version string) int {
	p := &program{version: version}
	p.out.to(os.Stdout, os.Stderr)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p.stopSignals = stop
	context.AfterFunc(ctx, stop) // so that a second Ctrl-C ends at once
	if len(os.Args) == 1 && hosted() {
		return p.serve(ctx) // without the tree of verbs, whose making takes a part of the start
	}
	return p.run(ctx, os.Args[1:])
}

// program is one run of the program.
type program struct {
	version      string
	settingsFile string
	verbose      bool
	out          output

	stopSignals func()                        // from then on, a signal ends the process
	atEnd       []func(context.Context) error // what others needn't wait for; it may fail
	began       bool                          // the arguments are valid and a verb runs
}

func (p *program) run(ctx context.Context, args []string) int {
	root := p.commands()
	root.SetArgs(args)
	root.SetOut(p.out.stdout)
	root.SetErr(p.out.stderr)
	verb, err := root.ExecuteContextC(ctx)
	p.out.endProgress()
	p.tidy(ctx)
	var code exitCode
	if full := p.out.screen.err(); full != nil {
		p.out.problems([]problem{{What: "Could not write the output", Why: full.Error(), Do: "See that there is space where it goes, and run it again"}}, p.verbose)
		return exitFailed
	}
	switch {
	case err == nil:
		return exitFine
	case errors.As(err, &code): // everything is printed
		return int(code)
	case !p.began:
		p.out.print(p.out.stderr, "%s.\n`%s --help` shows what there is.", sentence(err.Error()), verb.CommandPath())
		return exitUsage
	}
	p.out.problems(explain(err), p.verbose)
	if ctx.Err() != nil {
		return exitInterrupted
	}
	return exitFailed
}

// tidyTime bounds what is done after a verb.
const tidyTime = 2 * time.Second

// tidy does what is to be done at the end, also after Ctrl-C.
func (p *program) tidy(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyTime)
	defer cancel()
	for _, do := range p.atEnd {
		_ = do(ctx) // then others wait half a minute
	}
}

// hosted reports whether the Functions host started the program.
func hosted() bool { return os.Getenv("FUNCTIONS_CUSTOMHANDLER_PORT") != "" }

// serve answers the Functions host. The host doesn't restart a program that ends
// with 0, so it never does.
func (p *program) serve(ctx context.Context) int {
	err := app.Serve(ctx, p.version, dotnet.NewConfiguration(dotnet.Environment()...), os.Stdout, os.Stderr)
	log := handler.NewLog(redact.Writer(os.Stdout), redact.Writer(os.Stderr))
	log.Error().Err(err).Msg("the program ends")
	return exitFailed
}

// exitCode ends the program with this code. Everything has been printed.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// commands is the whole tree of verbs.
func (p *program) commands() *cobra.Command {
	root := &cobra.Command{
		Use:           "visionkeeper",
		Short:         "Keep, prove and renew Azure Custom Vision's exported models",
		Long:          about,
		Version:       p.version,
		Args:          onlyVerbs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(c *cobra.Command, _ []string) error {
			if hosted() { // and flags stand among the arguments that host.json gives
				return exitCode(p.serve(c.Context()))
			}
			return c.Help()
		},
	}
	flags := root.PersistentFlags()
	flags.StringVar(&p.settingsFile, "settings", "", "`file` with settings; default the local.settings.json of the working folder's app, else the one beside the program")
	flags.BoolVar(&p.out.json, "json", false, "print JSON for programs")
	flags.BoolVar(&p.verbose, "verbose", false, "print more, such as the services' request ids")
	root.AddCommand(
		p.connectCommand(),
		p.disconnectCommand(),
		p.trainCommand(),
		p.exportCommand(),
		p.twinCommand(),
		p.promoteCommand(),
		p.rollbackCommand(),
		p.checkCommand(),
		p.planCommand(),
		p.reconcileCommand(),
		p.retryCommand(),
		p.policyCommand(),
		p.statusCommand(),
		p.verifyCommand(),
		p.restoreCommand(),
		p.datasetCommand(),
		p.rescueCommand(),
		p.deadLettersCommand(),
		p.eventsCommand(),
		p.timelineCommand(),
		p.versionCommand(),
	)
	root.SetFlagErrorFunc(flagError)
	return root
}

// verb makes a command that calls run with the command's context.
func (p *program) verb(use, short, long string, run func(ctx context.Context, args []string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Long: short + ".\n\n" + strings.TrimSpace(long), Args: wordsOf(0, 0, "flags"),
		RunE: func(c *cobra.Command, args []string) error {
			p.began = true
			return run(c.Context(), args)
		},
	}
}
