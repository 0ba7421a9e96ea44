package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/storage"
)

type checkResult struct {
	OK     bool      `json:"ok"`
	Checks []checked `json:"checks"`
}

// checked is one line of the list.
type checked struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	Text string `json:"text"` // what was found, or what is wrong
	Do   string `json:"do"`   // the remedy; empty where nothing is wrong
}

func (p *program) checkCommand() *cobra.Command {
	var patience time.Duration
	cmd := p.verb("check", "Look at every part by itself, and say what is wrong", `
Each line comes from a real call that changes nothing: it reads, or it asks for
a change under a condition that can't hold, whose answer shows whether it would
have been allowed. The exit code is 3 if anything is wrong.

A role that was just given takes some minutes to work: with --wait, all is looked
at again while something is refused and there is time.`,
		func(ctx context.Context, _ []string) error { return failedTo("check", p.check(ctx, patience)) })
	cmd.Flags().DurationVar(&patience, "wait", 0, "how long to wait for roles to become active, such as 10m")
	return cmd
}

// lookAgain is the time between two looks at what is refused.
const lookAgain = 15 * time.Second

func (p *program) check(ctx context.Context, patience time.Duration) error {
	var d *doctor
	wait := min(lookAgain, patience/4)
	for deadline, first := time.Now().Add(patience), true; ; first = false {
		d = newDoctor(p)
		d.examine(ctx)
		if !d.refused() || time.Now().Add(wait).After(deadline) || ctx.Err() != nil {
			break
		}
		if first {
			p.out.warn("Something is refused, which a role that was just given explains: looking again for %s at most.", patience)
		}
		p.out.progress(int((patience-time.Until(deadline))/time.Second), int(patience/time.Second), "waiting for roles to become active")
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	result := checkResult{OK: true, Checks: d.found()}
	for _, c := range result.Checks {
		result.OK = result.OK && c.OK
	}
	if err := p.out.result(result, func() { p.sayChecked(result) }); err != nil {
		return err
	}
	if !result.OK {
		return exitCode(exitFound)
	}
	return nil
}

func (p *program) sayChecked(r checkResult) {
	width := 0
	for _, c := range r.Checks {
		width = max(width, utf8.RuneCountInString(c.Name))
	}
	bad := 0
	for _, c := range r.Checks {
		if c.OK {
			p.out.say("%s %-*s  %s", p.out.green("✓"), width, c.Name, c.Text)
			continue
		}
		bad++
		p.out.say("%s %-*s  %s. %s.", p.out.red("✗"), width, c.Name, sentence(c.Text), sentence(c.Do))
	}
	p.out.say("")
	if bad > 0 {
		p.out.say("%s", p.out.red(fmt.Sprintf("%s to mend.", sentence(count(bad, "thing")))))
		return
	}
	p.out.say("%s", p.out.green("All is well."))
}

// doctor makes the checks, several at a time, and collects their lines.
type doctor struct {
	*program
	mu    sync.Mutex
	lines []*line
	done  int // of the lines
	turns chan struct{}
}

// atOnce is how many checks are under way at a time.
const atOnce = 8

func newDoctor(p *program) *doctor { return &doctor{program: p, turns: make(chan struct{}, atOnce)} }

// line is one check. Its result is there once ended is closed.
type line struct {
	name  string
	ended chan struct{}
	text  string
	err   error
}

// ok waits for the end of a check, and reports whether all is well.
func (l *line) ok() bool {
	<-l.ended
	return l.err == nil
}

// ask makes one check beside the others, once the checks that it needs have ended.
// Where one of them failed there is nothing to ask: its line says why.
func (d *doctor) ask(name string, examine func() (string, error), needs ...*line) *line {
	l := &line{name: name, ended: make(chan struct{})}
	d.mu.Lock()
	d.lines = append(d.lines, l)
	d.mu.Unlock()
	go func() {
		defer close(l.ended)
		l.err = errReported
		if !slices.ContainsFunc(needs, func(n *line) bool { return !n.ok() }) {
			d.turns <- struct{}{}
			l.text, l.err = examine()
			<-d.turns
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.done++
		d.out.progress(d.done, len(d.lines), name)
	}()
	return l
}

// look makes one check and waits for it. It reports whether all is well.
func (d *doctor) look(name string, examine func() (string, error)) bool {
	return d.ask(name, examine).ok()
}

// found are the lines of all checks, in the order in which they were asked for: one for
// each cause.
func (d *doctor) found() []checked {
	list := []checked{}
	shared := map[string]int{} // the place in the list, by cause
	also := map[string][]string{}
	for _, l := range d.lines {
		if l.ok() {
			list = append(list, checked{Name: l.name, OK: true, Text: l.text})
			continue
		}
		if errors.Is(l.err, errReported) {
			continue
		}
		if cause := l.cause(); cause != "" {
			also[cause] = append(also[cause], l.name)
			if _, said := shared[cause]; said {
				continue
			}
			shared[cause] = len(list)
		}
		for _, p := range explain(failedTo(l.name, l.err)) {
			if p.Do == checkHint {
				p.Do = "Look at the resource in the portal; --verbose shows the request id for Azure support"
			}
			if d.verbose && p.RequestID != "" {
				p.Why += " (request id " + p.RequestID + ")"
			}
			list = append(list, checked{Name: l.name, Text: p.Why, Do: p.Do})
		}
	}
	for cause, at := range shared {
		if others := also[cause][1:]; len(others) > 0 {
			list[at].Text += "; the same is true of " + strings.Join(others, ", ")
		}
	}
	return list
}

// refused reports whether a service refused the caller anything, which it also does while
// a role that was just given isn't active yet.
func (d *doctor) refused() bool {
	return slices.ContainsFunc(d.lines, func(l *line) bool { return !l.ok() && refuses(l.err) })
}

// refuses reports whether an error is a service's answer that the caller may not.
func refuses(err error) bool {
	status := storage.Status(err)
	if service := (*customvision.Error)(nil); errors.As(err, &service) {
		status = service.Status
	}
	return status == http.StatusUnauthorized || status == http.StatusForbidden
}

// cause names what makes other checks fail too; empty where nothing does.
func (l *line) cause() string {
	var stored *storage.Error
	var known problem
	switch {
	case storage.NotSignedIn(l.err):
		return "no identity"
	case errors.As(l.err, &stored) && stored.OfAccount():
		return fmt.Sprintf("storage %d %s", stored.Status, stored.Code)
	case errors.As(l.err, &known) && strings.HasPrefix(l.name, aboutProject):
		return known.Why
	}
	return ""
}

// aboutProject begins the names of the lines about projects.
const aboutProject = "project "

// wrong is something that is not right, with its remedy.
func wrong(do, format string, a ...any) error {
	return problem{What: "Could not pass the check", Why: fmt.Sprintf(format, a...), Do: do}
}

// errReported ends a check without a line, because another line reports the same
// fault.
var errReported = errors.New("reported by another line")
