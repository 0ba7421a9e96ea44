package reconcile

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"visionkeeper/internal/state"
)

// recent are the states of projects as this process last read or wrote them for a message,
// none longer ago than an interval. Copies of a message come close together: one about what
// was looked at since it was sent is answered by what is known, without a request. What
// other processes write meanwhile makes no difference to that, unless something couldn't be
// done that a person may make due.
type recent struct {
	clock    Clock
	interval time.Duration

	mu    sync.Mutex
	known map[string]knownState // by project
}

// knownState is a state, and when it was read or written.
type knownState struct {
	record state.Record
	at     time.Time
}

func (r *recent) recall(project string) (knownState, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock.Now()
	maps.DeleteFunc(r.known, func(_ string, k knownState) bool { return now.Sub(k.at) >= r.interval })
	k, ok := r.known[project]
	return k, ok
}

func (r *recent) note(project string, k knownState) {
	k.record.Outbox = nil // who looked tells others
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known[project] = k
}

// recall is a visit to which it is known without a request what was asked for; nil where it
// isn't.
func (r *Reconciler) recall(ctx context.Context, s scope) *visit {
	k, ok := r.recent.recall(s.project)
	if !ok {
		return nil
	}
	v := r.visit(s, &k.record)
	v.saved, v.seen.Now = k.at, k.record.Seen.Add(v.loaded.Sub(k.at))
	if err := v.applyPolicy(ctx); err != nil || v.outside || !v.isSeenSince() || v.isRetriable() {
		return nil
	}
	v.known = true
	return v
}

// isRetriable reports whether something about what was asked for couldn't be done, and a
// person may make it due any time.
func (v *visit) isRetriable() bool {
	return slices.ContainsFunc(v.seen.Project.Conditions, func(c *state.Condition) bool {
		_, asked := v.scope.iterations[c.Iteration]
		return asked && !c.Final()
	})
}
