package reconcile

import (
	"context"
	"fmt"
	"maps"
	"runtime/debug"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"visionkeeper/internal/customvision"
)

// pace lets one run at a time go for a project. Calls that come while one runs,
// or while the project rests, share the next run: two hundred messages about one
// export cost two looks, not two hundred.
type pace struct {
	clock    Clock
	interval time.Duration // between two runs while the project waits for the service
	run      func(context.Context, scope) (Report, error)

	mu    sync.Mutex
	lanes map[string]*lane // by project
}

// lane is the queue of one project; it exists only while something is in it or
// the project rests.
type lane struct {
	next      *call     // what the next run answers; nil if nobody waits
	busy      bool      // a goroutine serves the lane
	waiting   bool      // the last run left something to wait for
	notBefore time.Time // when the next run may begin
}

// call is one run and everybody who waits for it.
type call struct {
	ctx    context.Context // of the first caller
	scope  scope
	done   chan struct{}
	report Report
	err    error
}

// scope is what one run looks at.
type scope struct {
	project    string
	told       *customvision.Project // what the service says of it, where a caller has just asked
	iterations map[string]bool       // those that were asked for

	// The rest is a sweep's: it goes over the whole project and brings the blobs
	// that the model container holds of it.
	whole    bool
	blobs    []modelBlob
	vanished bool // the service doesn't list the project any more
}

// add widens the scope by another of the same project.
func (s *scope) add(o scope) {
	if s.iterations == nil {
		s.iterations = map[string]bool{}
	}
	maps.Copy(s.iterations, o.iterations)
	if o.told != nil {
		s.told = o.told
	}
	if o.whole {
		s.whole, s.blobs, s.vanished = true, o.blobs, o.vanished
	}
}

// join waits for a run that begins after now and covers the scope.
func (p *pace) join(ctx context.Context, s scope) (Report, error) {
	c := p.enqueue(ctx, s)
	select {
	case <-c.done:
		return c.report, c.err
	case <-ctx.Done():
		return Report{Key: Key{Project: s.project}}, ctx.Err()
	}
}

func (p *pace) enqueue(ctx context.Context, s scope) *call {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.lanes[s.project]
	if l == nil {
		l = &lane{}
		p.lanes[s.project] = l
	}
	if l.next == nil {
		l.next = &call{ctx: ctx, done: make(chan struct{}), scope: scope{project: s.project}}
	}
	l.next.scope.add(s)
	if !l.busy {
		l.busy = true
		go p.serve(s.project, l)
	}
	return l.next
}

// serve runs what waits in the lane until nothing does.
func (p *pace) serve(project string, l *lane) {
	for p.more(project, l) {
		p.next(l)
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

// next answers everybody who waits in the lane by one run. It isn't ended with
// its first caller, but it has that one's deadline: no run outlives the invocations.
func (p *pace) next(l *lane) {
	p.mu.Lock()
	first, rest := l.next.ctx, l.notBefore.Sub(p.clock.Now())
	p.mu.Unlock()
	ctx := context.WithoutCancel(first)
	if deadline, ok := first.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline)
		defer cancel()
	}
	var err error
	if rest > 0 {
		err = p.clock.Sleep(ctx, rest)
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
	c.report, c.err = p.protected(ctx, c.scope)

	p.mu.Lock()
	defer p.mu.Unlock()
	if c.err == nil || len(c.report.Waiting) > 0 {
		l.waiting = len(c.report.Waiting) > 0
	}
	if l.waiting {
		l.notBefore = p.clock.Now().Add(p.interval)
	}
}

// protected turns a panic into an error: outside an invocation nobody else
// catches it, and it would take the other invocations with it.
func (p *pace) protected(ctx context.Context, s scope) (report Report, err error) {
	defer func() {
		if v := recover(); v != nil {
			zerolog.Ctx(ctx).Error().Str("stack", string(debug.Stack())).Msgf("panic: %v", v)
			err = fmt.Errorf("reconcile project %s: panic: %v", s.project, v)
		}
	}()
	return p.run(ctx, s)
}
