package dotnet

import (
	"time"

	"visionkeeper/internal/remedy"
)

// Schedule computes when a timer is due.
type Schedule interface {
	// Next returns the first time after t, or the zero Time if there is none.
	Next(t time.Time) time.Time
	// SubMinute reports whether it is always due again within a minute. The timer of
	// such a schedule has no status.
	SubMinute() bool
}

// Interval is a constant schedule (ConstantSchedule.cs).
type Interval time.Duration

// Next is one interval after t.
func (i Interval) Next(t time.Time) time.Time { return t.Add(time.Duration(i)) }

// SubMinute implements Schedule.
func (i Interval) SubMinute() bool { return time.Duration(i) < time.Minute }

// ParseSchedule reads a timer's schedule as the host does: NCRONTAB, or otherwise a
// TimeSpan (TimerSchedule.cs).
func ParseSchedule(text string) (Schedule, error) {
	cron, err := ParseNCrontab(text)
	if err == nil {
		return cron, nil
	}
	if d, spanErr := ParseTimeSpan(text); spanErr == nil {
		if d <= 0 {
			return nil, remedy.New("write a time span above 0, such as 00:15:00", "the schedule %q never moves on", text)
		}
		return Interval(d), nil
	}
	return nil, remedy.New(`write six fields with spaces between them, such as "0 */15 * * * *"`,
		"the schedule expression was not recognized as a valid cron expression or timespan string: %w", err)
}
