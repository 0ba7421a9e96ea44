package funchost

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestConsoleLevels(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		stderr, errorsOnly bool
		line, want         string
	}{
		{false, true, "error everywhere", "handler error everywhere"},
		{true, true, "something", "handler error: something"},
		{true, true, "A WARNing error", "handler warning: A WARNing error"},
		{true, false, "something", "handler something"},
		{true, false, "it Failed", "handler error: it Failed"},
		{true, false, "Unhandled Exception", "handler error: Unhandled Exception"},
		{true, false, "severe", "handler error: severe"},
		{true, true, "LanguageWorkerConsoleLogtext", "system  error: text"},
		{false, true, "languageworkerCONSOLELOG[x] text", "system  [x] text"},
		{false, true, "LanguageWorkerConsoleLo", "handler LanguageWorkerConsoleLo"},
		{false, true, "azfuncjsonlog:{}", "handler azfuncjsonlog:{}"},
		{false, true, `{"level":"error"}`, `handler {"level":"error"}`},
	} {
		var out lockedBuffer
		console := &console{log: &logger{out: &out}, errorsOnly: c.errorsOnly}
		if c.stderr {
			console.stderr(c.line)
		} else {
			console.stdout(c.line)
		}
		assert.Regexp(t, `^\[\S+Z\] `, out.String())
		assert.Contains(t, out.String(), "] "+c.want+"\n")
	}
}

func TestLinesAreWholeHoweverTheyArrive(t *testing.T) {
	t.Parallel()
	var lines []string
	w := &lineWriter{emit: func(s string) { lines = append(lines, s) }}

	for _, chunk := range []string{"on", "e\r\ntwo\n\nth", "ree\nrest"} {
		w.Write([]byte(chunk))
	}
	assert.Equal(t, []string{"one", "two", "", "three"}, lines)
	w.Close()

	assert.Equal(t, "rest", lines[4])
}

func TestHandlerLinesAreLogged(t *testing.T) {
	t.Parallel()
	a := manualApp(t, "ok")
	a.env("TEST_HANDLER=print")
	a.start()

	a.logged("] handler to stdout\n")
	a.logged("] handler warning: a Warning of ours\n")
	a.logged("] handler error: to stderr\n")
	a.logged("] system  [x] for the host\n")
}
