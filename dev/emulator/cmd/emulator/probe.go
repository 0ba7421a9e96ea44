package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"visionkeeper/dev/emulator/probe"
	"visionkeeper/internal/redact"
)

// probeSettings are the values of the flags of `emulator probe`.
type probeSettings struct {
	endpoint, key string
	yes           bool
}

func (s *probeSettings) flags() *flag.FlagSet {
	f := flag.NewFlagSet("emulator probe", flag.ContinueOnError)
	f.StringVar(&s.endpoint, "endpoint", "", "`address` of a training resource, such as https://NAME.cognitiveservices.azure.com")
	f.StringVar(&s.key, "key", "", "one of its two training keys")
	f.BoolVar(&s.yes, "yes", false, "begin without asking, for scripts")
	return f
}

// runProbe asks a resource, and prints the answers on out as options of the emulator.
// Everything else goes to notes.
func runProbe(ctx context.Context, args []string, in io.Reader, out, notes io.Writer) error {
	s := &probeSettings{}
	f := s.flags()
	f.SetOutput(io.Discard) // errors of package flag quote what may be the key
	switch err := f.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		f.SetOutput(notes)
		f.Usage()
		return err
	case err != nil || f.NArg() > 0 || s.endpoint == "" || s.key == "":
		return errors.New("the probe takes -endpoint and -key, and -yes if it shall not ask: -h explains them")
	}
	notes = redact.Writer(notes, s.key)
	p, err := probe.New(probe.Options{Endpoint: s.endpoint, Key: s.key, Notef: func(format string, args ...any) {
		fmt.Fprintf(notes, format+"\n", args...)
	}})
	if err != nil {
		return err
	}
	fmt.Fprint(notes, p.Plan())
	if !s.yes {
		fmt.Fprintln(notes, "Go on? (yes or no)")
		if err := confirmed(ctx, in); err != nil {
			return err
		}
	}
	findings, err := p.Run(ctx)
	for _, f := range findings {
		if f.Answer == "" {
			fmt.Fprintf(notes, "No answer to %s: %s.\n", f.Question, f.Why)
			continue
		}
		fmt.Fprintf(out, "-answer %s=%s\n", f.Question, f.Answer)
	}
	if errors.Is(err, context.Canceled) {
		err = fmt.Errorf("the probe was stopped before its end: %w", err)
	}
	return err
}

// confirmed waits for a line that says yes.
func confirmed(ctx context.Context, in io.Reader) error {
	line := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(in).ReadString('\n')
		line <- strings.ToLower(strings.TrimSpace(text))
	}()
	select {
	case <-ctx.Done():
	case text := <-line:
		if text == "yes" || text == "y" {
			return nil
		}
	}
	return errors.New("nothing was done, because the answer wasn't yes")
}
