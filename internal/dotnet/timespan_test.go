package dotnet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTimeSpans(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"00:00:00":         0,
		"00:00:00.1":       100 * time.Millisecond,
		"00:00:00.0000001": 100,
		"01:02:03":         time.Hour + 2*time.Minute + 3*time.Second,
		" 00:05 ":          5 * time.Minute,
		"1.00:00:00":       day,
		"1.01:30":          day + 90*time.Minute,
		"2:01:00:00":       2*day + time.Hour,
		"5":                5 * day,
		"24:00:00":         24 * day,
		"24:01:02":         24*day + time.Hour + 2*time.Minute,
		"-00:00:01":        -time.Second,
	} {
		got, err := ParseTimeSpan(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "x", "5s", "00:60:00", "00:00:60", "1.24:00:00", "1:2:3:4:5", "00:00:00.", "00:00.5", "1.5", "999999", "--1"} {
		_, err := ParseTimeSpan(text)
		assert.Error(t, err, text)
	}
}

func FuzzTimeSpan(f *testing.F) {
	for _, text := range []string{"00:00:00", "1.02:03:04.5", "24:00:00", "-5", "99999999:99:99", "1:2:3:4"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := ParseTimeSpan(text); err == nil && (d > (maxDays+1)*24*time.Hour || d < -(maxDays+1)*24*time.Hour) {
			t.Fatalf("%q is %s", text, d)
		}
	})
}
