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
}

// interval is a constant schedule (ConstantSchedule.cs).
type interval time.Duration

func (i interval) next(t time.Time) time.Time { return t.Add(time.Duration(i)) }

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

// subMinute reports whether a schedule is due twice within a minute. Its timer has
// no status.
func subMinute(s schedule, now time.Time) bool {
	if i, ok := s.(interval); ok {
		return time.Duration(i) < time.Minute
	}
	first := s.next(now)
	if first.IsZero() {
		return false
	}
	second := s.next(first)
	return !second.IsZero() && second.Before(now.Add(time.Minute))
}
