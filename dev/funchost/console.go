package funchost

import (
	"bytes"
	"slices"
	"strings"
	"sync"
)

// console logs the handler's output line by line with the levels of
// WorkerProcess.cs. A line on stdout is Information. A line on stderr is Warning
// if it contains "warn", and Error otherwise.
type console struct {
	log *logger
	// errorsOnly is useStdErrorStreamForErrorsOnly. If it is false, a line on
	// stderr is Error only if it contains "error".
	errorsOnly bool

	mu   sync.Mutex
	last []string // the last Error lines, at most lastErrors
}

// lastErrors is the number of stderr lines that the host quotes after a crash.
const lastErrors = 3

// systemPrefix marks lines for the host's own log, in any letter case.
const systemPrefix = "LanguageWorkerConsoleLog"

func (c *console) stdout(line string) { c.print("", line) }

func (c *console) stderr(line string) {
	level := ""
	switch lower := strings.ToLower(line); {
	case strings.Contains(lower, "warn"):
		level = "warning: "
	case c.errorsOnly, strings.Contains(lower, "error"), strings.Contains(lower, "fail"),
		strings.Contains(lower, "severe"), strings.Contains(lower, "unhandled exception"):
		level = "error: "
		c.mu.Lock()
		c.last = append(c.last, line)
		c.last = c.last[max(0, len(c.last)-lastErrors):]
		c.mu.Unlock()
	}
	c.print(level, line)
}

func (c *console) print(level, line string) {
	if n := len(systemPrefix); len(line) >= n && strings.EqualFold(line[:n], systemPrefix) {
		c.log.line("system", level, line[n:])
		return
	}
	c.log.line("handler", level, line)
}

func (c *console) complaints() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(slices.DeleteFunc(slices.Clone(c.last), func(s string) bool { return s == "" }), ",")
}

// lineWriter calls emit for each line. Close calls it for an unfinished last
// line.
type lineWriter struct {
	emit func(string)
	rest []byte
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	for {
		line, rest, ok := bytes.Cut(w.rest, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		w.emit(strings.TrimSuffix(string(line), "\r"))
		w.rest = rest
	}
}

func (w *lineWriter) Close() {
	if len(w.rest) > 0 {
		w.emit(string(w.rest))
		w.rest = nil
	}
}
