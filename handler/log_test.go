package handler

import (
	"bytes"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
)

// asHost returns the level under which the host files a line
// (WorkerProcess.cs with useStdErrorStreamForErrorsOnly, the default).
func asHost(stderr bool, line string) string {
	switch {
	case !stderr:
		return "Information"
	case strings.Contains(strings.ToLower(line), "warn"):
		return "Warning"
	}
	return "Error"
}

func TestTheHostFilesEachLineUnderItsLevel(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		level zerolog.Level
		want  string
	}{
		{zerolog.DebugLevel, "Information"},
		{zerolog.InfoLevel, "Information"},
		{zerolog.WarnLevel, "Warning"},
		{zerolog.ErrorLevel, "Error"},
		{zerolog.NoLevel, "Information"},
	} {
		t.Run(c.level.String(), func(t *testing.T) {
			t.Parallel()
			out, err := &lines{}, &lines{}
			log := NewLog(out, err)
			log.WithLevel(c.level).Str("Warning", "199 warn").Msg("prewarned and WARNED\nin two lines")

			line := out.String() + err.String()
			assert.Equal(t, c.want, asHost(err.String() != "", line))
			assert.Equal(t, 1, strings.Count(line, "\n"))
			assert.True(t, strings.HasPrefix(line, "{"), "no prefix that means something to the host")
			entry := append(out.entries(t), err.entries(t)...)[0]
			assert.Equal(t, "prewarned and WARNED\nin two lines", entry["message"])
			assert.Equal(t, "199 warn", entry["Warning"])
		})
	}
}

func TestLinesOfManyGoroutinesStayWhole(t *testing.T) {
	t.Parallel()
	both := &bytes.Buffer{} // without a lock of its own
	log := NewLog(both, both)
	done := make(chan struct{})
	for range 8 {
		go func() {
			for range 50 {
				log.Info().Msg("x")
				log.Error().Msg("x")
			}
			done <- struct{}{}
		}()
	}
	for range 8 {
		<-done
	}
	whole := &lines{}
	_, _ = whole.Write(both.Bytes())
	assert.Len(t, whole.entries(t), 800)
}

func TestTheLevelIsKept(t *testing.T) {
	t.Parallel()
	h := newHost(t, Options{Level: zerolog.InfoLevel})
	h.Handle("f", nothing)
	requireSuccess(t, h.do(t, "POST", "/f", "{}"))
	assert.Empty(t, h.out.String())

	h = newHost(t, Options{})
	h.Handle("f", nothing)
	requireSuccess(t, h.do(t, "POST", "/f", "{}"))
	assert.Contains(t, h.out.String(), "invocation succeeded")
}
