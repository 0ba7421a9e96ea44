package funchost

import (
	"context"
	"fmt"
	"sync"
	"time"

	"visionkeeper/internal/dotnet"
	"visionkeeper/internal/storage"
)

// timer runs one function by its schedule, one run at a time (TimerListener.cs).
type timer struct {
	host     *Host
	function *function
	schedule dotnet.Schedule
	monitor  bool // whether the function gets its schedule's status

	mu     sync.Mutex
	status scheduleStatus
}

// scheduleStatus is the dates of a timer's last and next runs
// (ScheduleStatus.cs).
type scheduleStatus struct{ last, next, updated time.Time }

// newTimer reads the schedule. Like the host's, it requires AzureWebJobsStorage,
// although nothing is stored there.
func (h *Host) newTimer(f *function) (*timer, error) {
	expression, err := h.settings.resolve(f.trigger.Schedule)
	if err != nil {
		return nil, err
	}
	s, err := dotnet.ParseSchedule(expression)
	if err != nil {
		return nil, err
	}
	account, err := storage.FromSettings("Storage", &h.settings.values)
	if err != nil {
		return nil, err
	}
	if account.IsZero() {
		return nil, fmt.Errorf("a timer needs AzureWebJobsStorage, where the host keeps its lock: set it (UseDevelopmentStorage=true for a local Azurite)")
	}
	now := time.Now()
	t := &timer{host: h, function: f, schedule: s, monitor: !s.SubMinute()}
	if f.trigger.UseMonitor != nil && !*f.trigger.UseMonitor {
		t.monitor = false
	}
	t.status.next = s.Next(now)
	return t, nil
}

// run invokes the function whenever it is due, until ctx ends.
func (t *timer) run(ctx context.Context) {
	if t.function.trigger.RunOnStartup {
		t.host.log.infof("Function '%s' is configured to run on startup. Executing now.", t.function.name)
		t.tick(time.Now(), false)
	}
	for {
		next := t.current().next
		if next.IsZero() {
			t.host.log.warnf("The schedule of '%s' never comes", t.function.name)
			return
		}
		if !sleep(ctx, time.Until(next)) {
			return
		}
		t.tick(time.Now(), true)
	}
}

// tick runs the function once. A run that is early, because clocks drift, counts
// as on time.
func (t *timer) tick(now time.Time, scheduled bool) {
	if !t.host.begin() {
		return
	}
	defer t.host.end()
	t.host.invokeTimer(t.function, t.payload(now), fmt.Sprintf("Timer fired at %s", now.Format(time.RFC3339)))
	t.mu.Lock()
	defer t.mu.Unlock()
	if scheduled && t.status.next.After(now) {
		now = t.status.next
	}
	// If the next run is already due, because the function ran long, it starts at
	// once. All other runs that were due are skipped.
	t.status = scheduleStatus{last: now, next: t.schedule.Next(now), updated: now}
}

func (t *timer) current() scheduleStatus {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.status
}

// payload returns the timer's TimerInfo in an envelope.
func (t *timer) payload(now time.Time) []byte {
	status := []byte("null")
	if t.monitor {
		s := t.current()
		status = object{
			{"Last", moment(s.last, firstMoment)},
			{"Next", moment(s.next, lastMoment)},
			{"LastUpdated", moment(s.updated, firstMoment)},
		}.json()
	}
	_, constant := t.schedule.(dotnet.Interval)
	info := object{
		{"Schedule", object{{"AdjustForDST", fmt.Append(nil, !constant)}}.json()},
		{"ScheduleStatus", status},
		{"IsPastDue", []byte("false")},
	}
	return envelope(object{{t.function.trigger.Name, info.json()}}, object{{"sys", system(t.function, now)}})
}

// What a status has for a time that there isn't: of a run that has not been, and of
// one that never comes (DateTimeOffset's least value, DateTime's greatest).
const (
	firstMoment = "0001-01-01T00:00:00+00:00"
	lastMoment  = "9999-12-31T23:59:59.9999999+00:00"
)

// moment writes a time as Newtonsoft.Json does: local time with its offset. The
// zero Time is written as none.
func moment(t time.Time, none string) []byte {
	if t.IsZero() {
		return quote(none)
	}
	return quote(t.Local().Format("2006-01-02T15:04:05.9999999-07:00"))
}

func (h *Host) invokeTimer(f *function, payload []byte, reason string) {
	id := newGUID()
	request, err := h.envelopeRequest(f, id, payload)
	if err != nil {
		h.log.errorf("%v", err)
		return
	}
	h.execute(call{function: f, id: id, reason: reason, request: request})
}
