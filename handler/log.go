package handler

import (
	"fmt"
	"io"
	"regexp"
	"sync"

	"github.com/rs/zerolog"
)

// NewLog returns a logger that writes lines the host files under the right
// level: up to info to out, from warn on to err, one JSON object a line and one
// Write a line. The host takes a line on stdout for Information, one on stderr
// that holds "warn" for Warning, any other for Error
// (Workers/ProcessManagement/WorkerProcess.cs), so a line of level error or
// above never holds that word: where its text does, the word is escaped, which
// any JSON reader undoes.
func NewLog(out, err io.Writer) zerolog.Logger {
	return zerolog.New(&hostLines{out: out, err: err}).With().Timestamp().Logger()
}

// hostLines sends each line where its level belongs. One lock serves both
// writers, which may be the same.
type hostLines struct {
	mu       sync.Mutex
	out, err io.Writer
}

func (l *hostLines) Write(p []byte) (int, error) { return l.WriteLevel(zerolog.NoLevel, p) }

func (l *hostLines) WriteLevel(level zerolog.Level, p []byte) (int, error) {
	w, line := l.err, p
	switch {
	case level < zerolog.WarnLevel, level == zerolog.NoLevel:
		w = l.out
	case level > zerolog.WarnLevel:
		line = warnWord.ReplaceAllFunc(p, escapeSecond)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := w.Write(line); err != nil {
		return 0, err
	}
	return len(p), nil
}

var warnWord = regexp.MustCompile(`(?i)warn`)

// escapeSecond writes the second letter as JSON's \u escape. Letters stand only
// inside JSON strings, or in true, false and null, so it is always allowed.
func escapeSecond(word []byte) []byte {
	return fmt.Appendf(nil, `%c\u%04x%s`, word[0], word[1], word[2:])
}
