package telemetry

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
)

// Metric is something that is counted or measured.
type Metric struct {
	Name, Unit, Description string
	sum                     bool // counts up since the process began
}

// What is measured. Those of a sweep are sent once, after the sweep.
var (
	Invocations = &Metric{"visionkeeper.invocations", "{invocation}", "Invocations, by function and outcome", true}
	Backups     = &Metric{"visionkeeper.backups", "{copy}", "Copies that were judged, by verdict", true}
	BackupBytes = &Metric{"visionkeeper.backup.bytes", "By", "Size of the copies that were judged, by verdict", true}
	Requests    = &Metric{"visionkeeper.requests", "{request}", "Requests that were sent, by host and status", true}
	Throttled   = &Metric{"visionkeeper.requests.throttled", "{request}", "Requests that were answered by 429, by host", true}
	Poison      = &Metric{"visionkeeper.poison", "{message}", "Messages that the sweep took from the poison queue", true}

	Unproven       = &Metric{"visionkeeper.exports.unproven", "{export}", "Finished exports without a backup, of the projects gone over in this round", false}
	OldestUnproven = &Metric{"visionkeeper.exports.unproven.age", "s", "Age of the oldest iteration that has such an export; 0 without one", false}
	Conditions     = &Metric{"visionkeeper.conditions", "{condition}", "What can't be done now, by code, of the projects gone over in this round", false}
	DeadLetters    = &Metric{"visionkeeper.deadletters", "{message}", "Messages that are kept because they can never succeed", false}
	SweepSeconds   = &Metric{"visionkeeper.sweep.duration", "s", "How long the sweep took", false}
	RoundAge       = &Metric{"visionkeeper.round.age", "s", "Time since every project was looked at", false}
)

// series is one value of a metric.
type series struct {
	metric     *Metric
	attributes []Attribute
	value      float64
}

// Count adds to a metric that counts.
func Count(ctx context.Context, m *Metric, n float64, a ...Attribute) {
	if s := current(ctx); s != nil && s.t.metrics != nil {
		s.t.record(m, a, func(p *series) { p.value += n })
	}
}

// Gauge sets a metric to what was measured.
func Gauge(ctx context.Context, m *Metric, value float64, a ...Attribute) {
	if s := current(ctx); s != nil && s.t.metrics != nil {
		s.t.record(m, a, func(p *series) { p.value = value })
	}
}

func (t *Telemetry) record(m *Metric, a []Attribute, change func(*series)) {
	key := m.Name + fmt.Sprint(a)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.points[key] == nil {
		t.points[key] = &series{metric: m, attributes: a}
	}
	change(t.points[key])
}

// taken are the values to be sent now, in order. Counters stay and go on; what was
// measured is sent once, because another process may know better by then. Call it with
// the lock held.
func (t *Telemetry) taken() []series {
	var list []series
	for _, key := range slices.Sorted(maps.Keys(t.points)) {
		list = append(list, *t.points[key])
		if !t.points[key].metric.sum {
			delete(t.points, key)
		}
	}
	return list
}

// sorted are attributes in order.
func sorted(values map[string]string) []Attribute {
	var list []Attribute
	for key, value := range values {
		list = append(list, String(key, value))
	}
	return slices.SortedFunc(slices.Values(list), func(a, b Attribute) int { return cmp.Compare(a.Key, b.Key) })
}
