package reconcile

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/models"
	"visionkeeper/internal/state"
	"visionkeeper/internal/telemetry"
)

// pace lets one run at a time go for a project. Calls that come while one runs, or
// while the project rests, share the next run: two hundred messages about one export
// cost two looks, not two hundred.
type pace struct {
	clock    Clock
	interval time.Duration // between two runs while the project waits for the service

	mu    sync.Mutex
	lanes map[string]*lane // by project
}

// runFunc is one run for a project.
type runFunc func(context.Context, scope) (Report, error)

// crowded reports whether other calls for the project, or for others, wait or run.
func (p *pace) crowded(project string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, l := range p.lanes {
		if l.next != nil || l.busy && id != project {
			return true
		}
	}
	return false
}

// awaited reports whether others wait for the project's next run.
func (p *pace) awaited(project string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.lanes[project]
	return l != nil && l.next != nil
}

// lane is the queue of one project; it exists only while something is in it or
// the project rests.
type lane struct {
	next      *call     // what the next run answers; nil if nobody waits
	busy      bool      // a goroutine serves the lane
	waiting   bool      // the last run left something to wait for, so the project rests
	notBefore time.Time // when the next run may begin
}

// call is one run and everybody who waits for it. The first caller's log is the run's:
// a sweep's, which names no cause, where one waits.
type call struct {
	callers []context.Context
	causes  []string
	scope   scope
	done    chan struct{}
	report  Report
	err     error
}

// scope is what one run looks at.
type scope struct {
	project    string
	known      *customvision.Project // what the service says of it, where a caller has just asked
	iterations map[string]time.Time  // those that were asked for, and when the newest message about each was sent

	// again reports whether what asks came to no end before: a message that is delivered
	// again, or the sweep before this one.
	again bool
	// shared reports whether the run answers several calls.
	shared bool
	// measures reports whether pictures of a hold-out set may be asked: that takes long, and
	// no message waits for it.
	measures bool
	// ask is what a person asks for; nil otherwise. A person's process asks for one thing.
	ask *Ask

	// The rest is a sweep's: it goes over the whole project and brings the blobs
	// that the model container holds of it.
	whole      bool
	states     *state.Listing         // by which the state is read where no message asks; nil reads it anew
	listed     []customvision.Project // all that the service lists; nil where it couldn't
	followed   bool                   // by other projects of the sweep
	blobs      []models.Blob
	blobsKnown bool // the container could be listed
	vanished   bool // the service doesn't list the project any more
}

// add widens the scope by another of the same project.
func (s *scope) add(o scope) {
	if s.iterations == nil {
		s.iterations = map[string]time.Time{}
	}
	for id, inserted := range o.iterations {
		known, asked := s.iterations[id]
		if asked && (known.IsZero() || inserted.IsZero()) {
			inserted = time.Time{} // somebody asks for a look whenever it was settled
		} else if known.After(inserted) {
			inserted = known
		}
		s.iterations[id] = inserted
	}
	if o.known != nil {
		s.known = o.known
	}
	s.again, s.measures = s.again || o.again, s.measures || o.measures
	if o.ask != nil {
		s.ask = o.ask
	}
	if o.whole {
		s.whole, s.states, s.listed, s.followed, s.blobs, s.blobsKnown, s.vanished = true, o.states, o.listed, o.followed, o.blobs, o.blobsKnown, o.vanished
	}
}

// join waits for a run that begins after now and covers the scope.
func (p *pace) join(ctx context.Context, s scope, cause string, run runFunc) (Report, error) {
	c := p.enqueue(ctx, s, cause, run)
	select {
	case <-c.done:
		return c.report, c.err
	case <-ctx.Done():
		return Report{Key: Key{Project: s.project}}, ctx.Err()
	}
}

func (p *pace) enqueue(ctx context.Context, s scope, cause string, run runFunc) *call {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.lanes[s.project]
	if l == nil {
		l = &lane{}
		p.lanes[s.project] = l
	}
	if l.next == nil {
		l.next = &call{done: make(chan struct{}), scope: scope{project: s.project}}
	}
	l.next.scope.add(s)
	if cause != "" {
		l.next.callers = append(l.next.callers, ctx)
		l.next.causes = append(l.next.causes, cause)
	} else {
		l.next.callers = slices.Insert(l.next.callers, 0, ctx)
	}
	if !l.busy {
		l.busy = true
		go p.serve(s.project, l, run)
	}
	return l.next
}

// serve runs what waits in the lane until nothing does.
func (p *pace) serve(project string, l *lane, run runFunc) {
	for p.more(project, l) {
		p.next(l, run)
	}
}

func (p *pace) more(project string, l *lane) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.next != nil {
		return true
	}
	l.busy = false
	if !l.waiting {
		delete(p.lanes, project)
	}
	return false
}

// next answers everybody who waits in the lane by one run.
func (p *pace) next(l *lane, run runFunc) {
	p.mu.Lock()
	first, rest := l.next.callers[0], l.notBefore.Sub(p.clock.Now())
	p.mu.Unlock()
	var err error
	if rest > 0 {
		err = p.clock.Sleep(context.WithoutCancel(first), rest)
	}

	p.mu.Lock()
	c := l.next // with everybody who came while the project rested
	l.next = nil
	p.mu.Unlock()
	defer close(c.done)
	if err != nil {
		c.err = err
		return
	}
	ctx, cancel := c.context()
	defer cancel()
	c.scope.shared = len(c.callers) > 1
	c.report, c.err = protected(ctx, c.scope, run)

	p.mu.Lock()
	defer p.mu.Unlock()
	// A message about an iteration that isn't there comes again, and may be forged.
	if rests := len(c.report.Waiting) > 0 || c.report.Unlisted; rests || c.err == nil {
		l.waiting = rests
	}
	if l.waiting {
		l.notBefore = p.clock.Now().Add(p.interval)
	}
}

// context is that of the run. It doesn't end with its first caller, but has the
// latest deadline of those who wait for it, and none if one of them has none: no run
// outlives the invocations. Its log names everybody's cause.
func (c *call) context() (context.Context, context.CancelFunc) {
	latest := slices.MaxFunc(c.callers, func(a, b context.Context) int {
		x, bounded := a.Deadline()
		y, other := b.Deadline()
		switch {
		case bounded && other:
			return x.Compare(y)
		case bounded:
			return -1
		case other:
			return 1
		}
		return 0
	})
	ctx := telemetry.Linked(context.WithoutCancel(c.callers[0]), c.callers[1:])
	if len(c.callers) > 1 && len(c.causes) > 0 {
		ctx = zerolog.Ctx(ctx).With().Strs("shared", c.causes).Logger().WithContext(ctx)
	}
	if deadline, ok := latest.Deadline(); ok {
		return context.WithDeadline(ctx, deadline)
	}
	return context.WithCancel(ctx)
}

// protected turns a panic into an error: outside an invocation nobody else
// catches it, and it would take the other invocations with it.
func protected(ctx context.Context, s scope, run runFunc) (report Report, err error) {
	defer func() {
		if v := recover(); v != nil {
			zerolog.Ctx(ctx).Error().Str("stack", string(debug.Stack())).Msgf("panic: %v", v)
			err = fmt.Errorf("reconcile project %s: panic: %v", s.project, v)
		}
	}()
	return run(ctx, s)
}
