package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
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
	// refused says that a service refused the caller, which it also does while a role
	// that was just given isn't active yet.
	refused bool
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
		d = &doctor{program: p}
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
	result := checkResult{OK: true, Checks: d.found}
	for _, c := range d.found {
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

// doctor makes the checks and collects their lines.
type doctor struct {
	*program
	found []checked
}

// look makes one check and adds its line. It reports whether all is well.
func (d *doctor) look(name string, examine func() (string, error)) bool {
	d.out.progress(len(d.found), len(d.found)+1, name)
	text, err := examine()
	if err == nil {
		d.found = append(d.found, checked{Name: name, OK: true, Text: text})
		return true
	}
	if errors.Is(err, errReported) {
		return false
	}
	for _, p := range explain(failedTo(name, err)) {
		if p.Do == checkHint {
			p.Do = "Look at the resource in the portal; --verbose shows the request id for Azure support"
		}
		if d.verbose && p.RequestID != "" {
			p.Why += " (request id " + p.RequestID + ")"
		}
		d.found = append(d.found, checked{Name: name, Text: p.Why, Do: p.Do, refused: refuses(err)})
	}
	return false
}

// refused reports whether a service refused anything.
func (d *doctor) refused() bool {
	return slices.ContainsFunc(d.found, func(c checked) bool { return c.refused })
}

// refuses reports whether an error is a service's answer that the caller may not.
func refuses(err error) bool {
	status := storage.Status(err)
	if service := (*customvision.Error)(nil); errors.As(err, &service) {
		status = service.Status
	}
	return status == http.StatusUnauthorized || status == http.StatusForbidden
}

// wrong is something that is not right, with its remedy.
func wrong(do, format string, a ...any) error {
	return problem{What: "Could not pass the check", Why: fmt.Sprintf(format, a...), Do: do}
}

// errReported ends a check without a line, because another line reports the same
// fault.
var errReported = errors.New("reported by another line")
