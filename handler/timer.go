package handler

import (
	"encoding/json"
	"time"
)

// Timer is the value of a timer trigger (TimerInfo in the timer extension:
// https://github.com/Azure/azure-webjobs-sdk-extensions). Its Schedule is left
// out: what it holds depends on the kind of schedule.
type Timer struct {
	// IsPastDue says that the run is late.
	IsPastDue bool
	// ScheduleStatus is nil where the host doesn't monitor the schedule:
	// useMonitor false, or runs closer than a minute.
	ScheduleStatus *ScheduleStatus
}

// ScheduleStatus holds the dates of a monitored schedule. A date that isn't
// known, as Last before the first run, is the zero time.
type ScheduleStatus struct{ Last, Next, LastUpdated time.Time }

// UnmarshalJSON accepts dates without a zone too: .NET's default date, sent
// before the first run, has none, and encoding/json would refuse it.
func (s *ScheduleStatus) UnmarshalJSON(data []byte) error {
	var m Metadata
	if err := json.Unmarshal(data, &m); err != nil {
		return err
	}
	s.Last, _ = m.Time("Last")
	s.Next, _ = m.Time("Next")
	s.LastUpdated, _ = m.Time("LastUpdated")
	return nil
}

// Timer decodes the value of a timer trigger.
func (inv *Invocation) Timer(binding string) (Timer, error) {
	var t Timer
	if err := inv.JSON(binding, &t); err != nil {
		return Timer{}, err
	}
	return t, nil
}
