package dotnet

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// aTime is where the schedules of these tests begin.
var aTime = time.Date(2026, 8, 27, 10, 11, 12, 123456700, time.UTC)

func TestNCrontabNext(t *testing.T) {
	t.Parallel()
	const layout = "2006-01-02 15:04:05"
	for _, c := range []struct{ expression, after, want string }{
		{"* * * * * *", "2026-08-27 10:11:12", "2026-08-27 10:11:13"},
		{"0 */5 * * * *", "2026-08-27 10:11:12", "2026-08-27 10:15:00"},
		{"*/5 * * * *", "2026-08-27 10:11:12", "2026-08-27 10:15:00"},
		{"0 0/20 * * * *", "2026-08-27 10:41:00", "2026-08-27 11:00:00"},
		{"0 50/20 * * * *", "2026-08-27 10:41:00", "2026-08-27 10:50:00"},
		{"0 0 * * * *", "2026-08-27 10:00:00", "2026-08-27 11:00:00"},
		{"0 30 9 * * Mon-Fri", "2026-08-28 09:30:00", "2026-08-31 09:30:00"},
		{"0 30 9 * * 1-5", "2026-08-28 09:30:00", "2026-08-31 09:30:00"},
		{"0 30 9 * * FRIDAY", "2026-08-27 00:00:00", "2026-08-28 09:30:00"},
		{"0 30 9 * Jan Mon", "2026-08-27 00:00:00", "2027-01-04 09:30:00"},
		{"0 0 0 13 * Fri", "2026-08-27 00:00:00", "2026-11-13 00:00:00"}, // both day fields
		{"0 0 0 31 * *", "2026-08-31 00:00:00", "2026-10-31 00:00:00"},
		{"0 0 0 29 2 *", "2026-08-27 00:00:00", "2028-02-29 00:00:00"},
		{"0 0 0 29 2 Sun", "2026-08-27 00:00:00", "2032-02-29 00:00:00"},
		{"0 0 22-20 * * *", "2026-08-27 00:00:00", "2026-08-27 20:00:00"}, // turned round
		{"5,8,10 * * * * *", "2026-08-27 10:11:08", "2026-08-27 10:11:10"},
		{"0 10-30/10 * * * *", "2026-08-27 10:20:00", "2026-08-27 10:30:00"},
		{"59 59 23 31 12 *", "2026-12-31 23:59:59", "2027-12-31 23:59:59"},
		{"0 0 0 1 f 0", "2026-08-27 00:00:00", "2032-02-01 00:00:00"}, // any beginning of a name
		{"  0   0 *  * * * ", "2026-08-27 10:00:00", "2026-08-27 11:00:00"},
	} {
		t.Run(c.expression, func(t *testing.T) {
			t.Parallel()
			cron, err := ParseNCrontab(c.expression)
			require.NoError(t, err)
			after, err := time.Parse(layout, c.after)
			require.NoError(t, err)
			assert.Equal(t, c.want, cron.Next(after).Format(layout))
		})
	}
}

func TestNCrontabThatNeverComes(t *testing.T) {
	t.Parallel()
	cron, err := ParseNCrontab("0 0 0 30 2 *")
	require.NoError(t, err)

	assert.Zero(t, cron.Next(aTime))
}

func TestNCrontabRefuses(t *testing.T) {
	t.Parallel()
	for _, expression := range []string{
		"", "* * * *", "* * * * * * *", "60 * * * * *", "* 60 * * * *", "* * 24 * * *", "* * * 0 * *", "* * * 32 * *",
		"* * * * 13 *", "* * * * * 7", "x * * * * *", "* * * * * xyz", "1, * * * * *", "1- * * * * *", "-1 * * * * *",
		"*/x * * * * *", "/2 * * * * *", "99999999999999999999 * * * * *",
		"0\t*/5 * * * *", "0 */5 * * *\t*", "0 */5\n* * * *", // split at spaces only
	} {
		_, err := ParseNCrontab(expression)
		assert.Error(t, err, expression)
	}
}

// TestNCrontabNextIsTheFirstMatch compares with going second by second.
func TestNCrontabNextIsTheFirstMatch(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var fields []string
		for _, f := range cronFields {
			fields = append(fields, drawField(t, f))
		}
		cron, err := ParseNCrontab(strings.Join(fields, " "))
		require.NoError(t, err, "%q", fields)
		after := time.Unix(rapid.Int64Range(0, 4_000_000_000).Draw(t, "after"), 0).UTC()
		next := cron.Next(after)
		matches := func(at time.Time) bool {
			return has(cron.second, at.Second()) && has(cron.minute, at.Minute()) && has(cron.hour, at.Hour()) &&
				has(cron.day, at.Day()) && has(cron.month, int(at.Month())) && has(cron.weekday, int(at.Weekday()))
		}
		if !next.IsZero() {
			require.True(t, next.After(after))
			require.True(t, matches(next))
		}
		for at := after.Add(time.Second); at.Before(after.Add(time.Hour)) && (next.IsZero() || at.Before(next)); at = at.Add(time.Second) {
			require.False(t, matches(at), "%v matches %q before %v", at, fields, next)
		}
	})
}

func drawField(t *rapid.T, f cronField) string {
	value := rapid.IntRange(f.low, f.top)
	switch rapid.IntRange(0, 4).Draw(t, f.name+" form") {
	case 0:
		return fmt.Sprint(value.Draw(t, f.name))
	case 1:
		return fmt.Sprintf("%d-%d/%d", value.Draw(t, "from"), value.Draw(t, "to"), rapid.IntRange(1, 7).Draw(t, "step"))
	case 2:
		return fmt.Sprintf("*/%d", rapid.IntRange(1, 70).Draw(t, "step"))
	case 3:
		return fmt.Sprintf("%d,%d", value.Draw(t, "one"), value.Draw(t, "other"))
	}
	return "*"
}

func FuzzNCrontab(f *testing.F) {
	for _, expression := range []string{"* * * * * *", "0 */5 * * * *", "0 30 9 * Jan Mon-Fri", "*/5 * * * *", "0 0 0 30 2 *", "1-,/ * * * * *", "0 0/20 22-20 29 feb sun"} {
		f.Add(expression)
	}
	f.Fuzz(func(t *testing.T, expression string) {
		cron, err := ParseNCrontab(expression)
		if err != nil {
			return
		}
		if next := cron.Next(aTime); !next.IsZero() && !next.After(aTime) {
			t.Fatalf("%q after %v is %v", expression, aTime, next)
		}
	})
}
