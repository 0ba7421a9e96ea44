package reconcile

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"visionkeeper/internal/customvision"
)

// strangers bounds what messages cost that are about projects which the state doesn't
// know. Anyone who may write to the queue can make up any number of ids, so there is
// one bound for all of them: a few are asked for at once, then one in each interval.
// Messages about one project share an answer for an interval.
type strangers struct {
	clock    Clock
	interval time.Duration
	asking   *rate.Limiter

	mu      sync.Mutex
	answers map[string]answer // by project, none older than interval
}

// answer is what the service said of a project.
type answer struct {
	project customvision.Project
	err     error // ErrUnknownProject, why there was no answer, or nil
	at      time.Time
}

// mostStrangers is how many strangers are asked for at once.
const mostStrangers = 20

// ErrTooManyStrangers says that a project wasn't asked for, because messages about too
// many projects that the state doesn't know came at once. If it is there, the next sweep
// finds it.
var ErrTooManyStrangers = errors.New("messages about too many projects that the app does not know came at once, so it was not asked for")

func newStrangers(c Clock, interval time.Duration) *strangers {
	return &strangers{clock: c, interval: interval, asking: rate.NewLimiter(rate.Every(interval), mostStrangers), answers: map[string]answer{}}
}

// recall finds what the service said of a project within the last interval.
func (s *strangers) recall(project string) (answer, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	maps.DeleteFunc(s.answers, func(_ string, a answer) bool { return now.Sub(a.at) >= s.interval })
	a, ok := s.answers[project]
	return a, ok
}

func (s *strangers) note(project string, a answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[project] = a
}

// meet learns what the service says of a project because a message about it came. Those
// that the state doesn't know share a bound.
func (v *visit) meet(ctx context.Context) error {
	a, known := v.strangers.recall(v.record.ID)
	if !known {
		if v.record.Name == "" && !v.strangers.asking.AllowN(v.Clock.Now(), 1) {
			return ErrTooManyStrangers
		}
		return v.ask(ctx)
	}
	if a.err == nil {
		v.askedAt = a.at
		v.learnProject(a.project)
	}
	return a.err
}
