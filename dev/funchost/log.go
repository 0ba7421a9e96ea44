package funchost

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// logger writes one line for each event: time, source (host or handler), and the
// level if it is above Information.
type logger struct {
	mu  sync.Mutex
	out io.Writer
}

func (l *logger) line(who, level, text string) {
	text = strings.ReplaceAll(text, "\n", " ")
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.out, "[%s] %-7s %s%s\n", time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), who, level, text)
}

func (l *logger) infof(format string, a ...any) { l.line("host", "", fmt.Sprintf(format, a...)) }
func (l *logger) warnf(format string, a ...any) {
	l.line("host", "warning: ", fmt.Sprintf(format, a...))
}
func (l *logger) errorf(format string, a ...any) {
	l.line("host", "error: ", fmt.Sprintf(format, a...))
}
