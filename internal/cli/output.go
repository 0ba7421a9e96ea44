package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"

	"visionkeeper/internal/pattern"
	"visionkeeper/internal/redact"
)

// output is where a verb prints, and how.
type output struct {
	stdout, stderr io.Writer
	bar            io.Writer // stderr too, for the progress line alone
	screen         *screen   // below stdout
	json           bool
	colour         bool // stdout is a terminal and takes colours
	live           bool // stderr is a terminal, so progress may be shown

	mu    sync.Mutex
	shown bool // a progress line stands on stderr
}

// to prints on these two from now on.
func (o *output) to(stdout, stderr *os.File) {
	o.lookAt(stdout, stderr)
	o.screen = &screen{w: stdout, colour: o.colour}
	o.stdout, o.stderr = redact.Writer(o.screen), redact.Writer(&screen{w: stderr, colour: o.colour})
	o.bar = redact.Writer(stderr)
}

// screen is the one way to a person's terminal: nothing that goes through it steers the
// terminal, whoever wrote it. What would is written as \u and four digits, which JSON
// reads as the same character. It remembers the first write that failed.
type screen struct {
	w      io.Writer
	colour bool // colours of ours pass

	mu     sync.Mutex
	failed error
}

func (s *screen) Write(p []byte) (int, error) {
	_, err := io.WriteString(s.w, escaped(string(p), s.colour))
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		if s.failed == nil {
			s.failed = err
		}
		return 0, err
	}
	return len(p), nil
}

// err is the first write that failed.
func (s *screen) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// lookAt finds out what the two streams can show: colours only on a terminal and
// without NO_COLOR (https://no-color.org), progress only on a terminal.
func (o *output) lookAt(stdout, stderr *os.File) {
	o.colour = term.IsTerminal(int(stdout.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	o.live = term.IsTerminal(int(stderr.Fd()))
}

// say prints a line for a person; with --json nothing.
func (o *output) say(format string, a ...any) {
	if o.json {
		return
	}
	o.endProgress()
	o.print(o.stdout, format, a...)
}

// warn prints a line beside the result, on stderr; with --json nothing, since
// the result holds it.
func (o *output) warn(format string, a ...any) {
	if o.json {
		return
	}
	o.endProgress()
	o.print(o.stderr, format, a...)
}

// print writes a line for a person. A line break or tab in a text among a is one that
// somebody else wrote, as in the name of a project: it must not look like a line of ours.
func (o *output) print(w io.Writer, format string, a ...any) {
	a = slices.Clone(a)
	for i := range a {
		if text, ok := a[i].(string); ok {
			a[i] = lineBreaks.Replace(text)
		}
	}
	fmt.Fprintln(w, fmt.Sprintf(format, a...)) // in one write
}

var lineBreaks = strings.NewReplacer("\n", `\u000a`, "\t", `\u0009`)

// flat is a text as it is shown within a line; its length is the room that it takes.
func flat(text string) string { return lineBreaks.Replace(escaped(text, true)) }

// painted is what paint writes around a text.
var painted = pattern.Of(`\x1b\[(?:31|32|33|0)m`)

// escaped is a text in which only line breaks, tabs and, if they may stand, colours of ours
// steer a terminal.
func escaped(text string, colours bool) string {
	var b strings.Builder
	rest := strings.ToValidUTF8(text, "?")
	for rest != "" {
		next, after := len(rest), len(rest)
		if at := painted().FindStringIndex(rest); colours && at != nil {
			next, after = at[0], at[1]
		}
		for _, r := range rest[:next] {
			switch {
			case r == '\n' || r == '\t' || !steers(r):
				b.WriteRune(r)
			default:
				fmt.Fprintf(&b, `\u%04x`, r)
			}
		}
		b.WriteString(rest[next:after])
		rest = rest[after:]
	}
	return b.String()
}

// steers reports whether a character changes how those around it are shown: controls, and
// those that reverse the direction of a text or break its lines.
func steers(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp)
}

// result prints v as JSON if that was asked for, else calls human.
func (o *output) result(v any, human func()) error {
	o.endProgress()
	if !o.json {
		human()
		return nil
	}
	e := json.NewEncoder(o.stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// table prints aligned rows, the first of which is the heading.
func (o *output) table(rows [][]string) {
	for _, line := range align(rows) {
		o.say("%s", line)
	}
}

// align makes a line of each row, with the cells of a column below one another.
func align(rows [][]string) []string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = flat(cell)
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	w.Flush()
	var lines []string
	for line := range strings.Lines(text.String()) {
		lines = append(lines, strings.TrimRight(line, " \n"))
	}
	return lines
}

// columns is the width that a terminal has at least.
const columns = 80

// sayWrapped prints a line broken between words so that it fits the columns. The first
// line begins after indent, those that follow two further. A command between backticks stays whole, so that it can be copied.
func (o *output) sayWrapped(paint func(string) string, line string, indent int) {
	text := strings.Repeat(" ", indent)
	for i, word := range words(flat(line)) {
		switch {
		case i == 0:
			text += word
		case utf8.RuneCountInString(text)+1+utf8.RuneCountInString(word) > columns:
			o.say("%s", paint(text))
			text = strings.Repeat(" ", indent+2) + word
		default:
			text += " " + word
		}
	}
	o.say("%s", paint(text))
}

// dated is a date with its time, as minute writes it.
var dated = pattern.Of(`(\d{4}-\d\d-\d\d) (\d\d:\d\d)`)

// words splits a line at its spaces, but for those between backticks and in times.
func words(line string) []string {
	line = dated().ReplaceAllString(line, "$1\u00a0$2")
	quoted := false
	split := strings.FieldsFunc(strings.Map(func(r rune) rune {
		if quoted = quoted != (r == '`'); quoted && r == ' ' {
			return '\u00a0'
		}
		return r
	}, line), func(r rune) bool { return r == ' ' })
	for i := range split {
		split[i] = strings.ReplaceAll(split[i], "\u00a0", " ")
	}
	return split
}

// cut shortens a name to a number of characters, as it is shown.
func cut(name string, most int) string {
	name = flat(name)
	if utf8.RuneCountInString(name) <= most {
		return name
	}
	return string([]rune(name)[:most-1]) + "…"
}

func (o *output) green(s string) string  { return o.paint("32", s) }
func (o *output) red(s string) string    { return o.paint("31", s) }
func (o *output) yellow(s string) string { return o.paint("33", s) }

func (o *output) paint(colour, s string) string {
	if !o.colour {
		return s
	}
	return "\x1b[" + colour + "m" + s + "\x1b[0m"
}

const barWidth = 24

// progress shows how far a long work is, in place of what it showed before. What is done
// may be more than there was thought to be: a package in the archive may have grown.
func (o *output) progress(done, total int, what string) {
	if !o.live || o.json || total == 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	full := barWidth * min(max(done, 0), total) / total
	fmt.Fprintf(o.bar, "\r\x1b[K[%s%s] %d/%d  %s", strings.Repeat("#", full), strings.Repeat("·", barWidth-full), done, total, escaped(strings.ReplaceAll(what, "\n", " "), false))
	o.shown = true
}

// endProgress takes the progress line away.
func (o *output) endProgress() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.shown {
		fmt.Fprint(o.bar, "\r\x1b[K")
		o.shown = false
	}
}

// count is a number with its noun: "1 message", "2 messages".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// size is a number of bytes for a person, in powers of ten.
func size(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1000)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1_000_000)
}
