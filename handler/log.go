package handler

import (
	"fmt"
	"io"
	"sync"

	"github.com/rs/zerolog"

	"visionkeeper/internal/pattern"
)

// NewLog returns a logger whose lines the host files under the right level. Lines
// up to info go to out, from warn on to err, each one JSON object in one Write.
//
// The host takes a line on stdout as Information, a line on stderr that contains
// "warn" as Warning, and any other line on stderr as Error
// (Workers/ProcessManagement/WorkerProcess.cs). So a line of level error or above
// must not contain that word: its second letter is escaped, which any JSON reader
// undoes.
func NewLog(out, err io.Writer) zerolog.Logger {
	return zerolog.New(&hostLines{out: out, err: err}).With().Timestamp().Logger()
}

// hostLines writes each line to out or err by its level. One lock serves both,
// because they may be the same writer.
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
		line = warnWord().ReplaceAllFunc(p, escapeSecond)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := w.Write(line); err != nil {
		return 0, err
	}
	return len(p), nil
}

var warnWord = pattern.Of(`(?i)warn`)

// escapeSecond writes the second letter of word as JSON's \u escape. That is
// always allowed: in a log line such a word stands only inside JSON strings.
func escapeSecond(word []byte) []byte {
	return fmt.Appendf(nil, `%c\u%04x%s`, word[0], word[1], word[2:])
}
