package funchost

import (
	"fmt"
	"time"

	"visionkeeper/internal/dotnet"
)

// schedule computes when a timer is due.
type schedule interface {
	// next returns the first time after t, or the zero Time if there is none.
	next(t time.Time) time.Time
	// subMinute reports whether it is always due again within a minute. The timer
	// of such a schedule has no status.
	subMinute() bool
}

// interval is a constant schedule (ConstantSchedule.cs).
type interval time.Duration

func (i interval) next(t time.Time) time.Time { return t.Add(time.Duration(i)) }
func (i interval) subMinute() bool            { return time.Duration(i) < time.Minute }

// parseSchedule reads a timer's schedule: NCRONTAB, or otherwise a TimeSpan
// (TimerSchedule.cs).
func parseSchedule(text string) (schedule, error) {
	cron, cronErr := parseNCrontab(text)
	if cronErr == nil {
		return cron, nil
	}
	if d, err := dotnet.ParseTimeSpan(text); err == nil {
		if d <= 0 {
			return nil, fmt.Errorf("the schedule %q never moves on", text)
		}
		return interval(d), nil
	}
	return nil, fmt.Errorf("the schedule expression was not recognized as a valid cron expression or timespan string: %w", cronErr)
}
