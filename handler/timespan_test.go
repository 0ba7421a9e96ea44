package handler

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestParseTimeSpan(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]time.Duration{
		"00:10:00":      10 * time.Minute,
		"0:5":           5 * time.Minute,
		"23:59:59":      24*time.Hour - time.Second,
		"1.02:03:04":    26*time.Hour + 3*time.Minute + 4*time.Second,
		"00:00:01.5":    1500 * time.Millisecond,
		"2":             48 * time.Hour,
		" 00:00:30 ":    30 * time.Second,
		"00:00:00.0001": 100 * time.Microsecond,
	} {
		got, ok := parseTimeSpan(s)
		assert.True(t, ok, s)
		assert.Equal(t, want, got, s)
	}
	for _, s := range []string{"", "10m", "24:00:00", "00:60:00", "00:00:60", "-00:01:00", "1.5", "::", "99999"} {
		_, ok := parseTimeSpan(s)
		assert.False(t, ok, s)
	}
}
