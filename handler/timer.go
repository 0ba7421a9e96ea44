package handler

import (
	"encoding/json"
	"time"
)

// Timer is the value of a timer trigger (TimerInfo in the timer extension:
// https://github.com/Azure/azure-webjobs-sdk-extensions). TimerInfo's Schedule is
// not decoded: its form depends on the kind of schedule.
type Timer struct {
	// IsPastDue reports whether the run is late.
	IsPastDue bool
	// ScheduleStatus is nil if the host doesn't monitor the schedule:
	// useMonitor false, or a schedule that is always due again within a minute.
	ScheduleStatus *ScheduleStatus
}

// ScheduleStatus holds the dates of a monitored schedule. A date that isn't
// known, such as Last before the first run, is the zero time.
type ScheduleStatus struct{ Last, Next, LastUpdated time.Time }

// UnmarshalJSON also accepts dates without a zone, which encoding/json refuses
// and some versions of the host send.
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

// Timer decodes the value of a timer trigger. A binding that is missing or isn't
// a JSON object is an error.
func (inv *Invocation) Timer(binding string) (Timer, error) {
	var t Timer
	if err := inv.JSON(binding, &t); err != nil {
		return Timer{}, err
	}
	return t, nil
}
