package events

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/seal"
	"visionkeeper/internal/state"
)

// Destination is where events are told.
type Destination interface {
	// Name is that of its kind, under which the state keeps what it has acknowledged.
	Name() string
	// Place is for a person, without what is secret.
	Place() string
	// Fingerprint changes with its settings.
	Fingerprint() string
	// Send tells it an event, once. It is acknowledged if there is no error, which never
	// holds a secret.
	Send(ctx context.Context, id string, body []byte) error
	// Check is nil if the destination can be reached. It sends no event.
	Check(ctx context.Context) error
}

// Postman takes events from the outboxes in the state to the destinations. Without
// destinations it does nothing. It is safe for concurrent use; nil has no destinations.
type Postman struct {
	State        *state.Store
	Archive      *archive.Archive
	Destinations []Destination

	mu   sync.Mutex
	hung map[string]time.Time // until when a destination isn't asked, by its name
}

// Names are those of the destinations; not nil where there are none.
func (p *Postman) Names() []string {
	names := []string{}
	if p == nil {
		return names
	}
	for _, d := range p.Destinations {
		names = append(names, d.Name())
	}
	return names
}

const (
	// sendTime is how long one try may take. It is less than MessageTime, so that one that
	// takes too long is seen to.
	sendTime = 15 * time.Second
	// roundTime is how long the events of one record are sent at most: until then nobody
	// else does.
	roundTime = time.Minute
	// hungFor is how long a process doesn't ask a destination that didn't answer in time:
	// each project's messages would wait for it anew.
	hungFor = time.Minute
)

// How long others are told what happened at most: after a message, since other messages
// wait for it, and at the end of a sweep.
const (
	MessageTime = 20 * time.Second
	SweepTime   = time.Minute
)

// pauses are those between two tries, by how many have failed. What waits longer than a
// week is tried once more and then never again by itself.
var pauses = []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour}

// errBusy says that somebody else is sending.
var errBusy = errors.New("another process sends the project's events now")

// Deliver sends what waits in the outboxes of the projects, and of the app itself, until
// ctx ends: to each destination whose time has come, in order for each project. What
// isn't acknowledged waits longer from try to try. Next is the first project that there
// was no time for; empty where there was time for all. An error means that the state
// couldn't be read or written; what destinations refused stands in the state, as
// conditions, and in the log. (Get Blob; two Put Blob where there is something to send)
func (p *Postman) Deliver(ctx context.Context, projects ...string) (next string, err error) {
	if p == nil || len(p.Destinations) == 0 {
		return "", nil
	}
	var errs []error
	down := map[string]bool{}
	for _, id := range projects {
		if ctx.Err() != nil {
			next = id
			break
		}
		if err := p.deliver(ctx, id, down); err != nil && ctx.Err() == nil {
			errs = append(errs, fmt.Errorf("send the events of %s: %w", id, err))
		}
	}
	return next, errors.Join(errs...)
}

// hangs reports whether a destination is one that the process doesn't ask now.
func (p *Postman) hangs(destination string, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return now.Before(p.hung[destination])
}

// tried notes what came of asking a destination.
func (p *Postman) tried(destination string, err error, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var timer interface{ Timeout() bool }
	if !errors.As(err, &timer) || !timer.Timeout() {
		delete(p.hung, destination)
		return
	}
	if p.hung == nil {
		p.hung = map[string]time.Time{}
	}
	p.hung[destination] = now.Add(hungFor)
}

// aboutEvent is an error that says something of the event alone, and nothing of the
// destination.
type aboutEvent struct{ error }

func (e aboutEvent) Unwrap() error { return e.error }

// round is one passage over an outbox.
type round struct {
	*Postman
	record *state.Record
	seen   time.Time // by the storage service's clock, when the record was read
	loaded time.Time // the same by our clock
	token  string

	mu      sync.Mutex
	results map[string]*result // by destination
}

// result is what came of a round for one destination.
type result struct {
	acknowledged, dead []string // ids
	err                error    // what ended it
}

// deliver sends what waits in one outbox. A destination that refuses something is down
// for the others, whose turn comes with the next.
func (p *Postman) deliver(ctx context.Context, id string, down map[string]bool) error {
	ctx, cancel := context.WithTimeout(ctx, roundTime)
	defer cancel()
	record, err := p.State.Load(ctx, id)
	if err != nil {
		return err
	}
	r := &round{Postman: p, record: record, seen: record.Seen, loaded: time.Now(), token: rand.Text(), results: map[string]*result{}}
	due := r.due(down)
	if len(due) == 0 {
		return nil
	}
	switch err := r.begin(ctx); {
	case errors.Is(err, errBusy):
		return nil
	case err != nil:
		return err
	}
	var all sync.WaitGroup
	for _, d := range due {
		all.Go(func() { r.send(ctx, d) })
	}
	all.Wait()
	for name, result := range r.results {
		p.tried(name, result.err, r.now())
		down[name] = result.err != nil && !errors.As(result.err, new(aboutEvent))
	}
	return r.end(ctx)
}

// now is the storage service's time.
func (r *round) now() time.Time { return r.seen.Add(time.Since(r.loaded)) }

// due are the destinations that something waits for and that may be asked now.
func (r *round) due(down map[string]bool) []Destination {
	return slices.DeleteFunc(slices.Clone(r.Destinations), func(d Destination) bool {
		c := r.record.Condition(state.Scope{Destination: d.Name()})
		return down[d.Name()] || r.hangs(d.Name(), r.now()) || len(r.record.Outbox.Waiting(d.Name())) == 0 ||
			c != nil && c.Under == d.Fingerprint() && r.now().Before(c.Next)
	})
}

// begin notes that this process sends, so that no other does meanwhile: two would spoil
// the order.
func (r *round) begin(ctx context.Context) error {
	deadline, _ := ctx.Deadline()
	until := r.now().Add(time.Until(deadline))
	return r.State.Update(ctx, r.record, func(p *state.Project) error {
		switch {
		case !p.Outbox.Open():
			return errBusy // who sent it was faster
		case p.Outbox.Sender != "" && r.now().Before(p.Outbox.Until):
			return errBusy
		}
		p.Outbox.Sender, p.Outbox.Until = r.token, until
		return nil
	})
}

// send tells one destination what waits for it, in order, until it refuses something.
// What it refuses after more than a week is given up, and the next one is tried.
func (r *round) send(ctx context.Context, d Destination) {
	result := &result{}
	for _, e := range r.record.Outbox.Waiting(d.Name()) {
		if ctx.Err() != nil {
			break
		}
		err := r.try(ctx, d, *e)
		if err == nil {
			result.acknowledged = append(result.acknowledged, e.ID)
			continue
		}
		if ctx.Err() != nil {
			break // it was no fair try
		}
		result.err = err
		if r.now().Sub(e.At) <= patience(err) {
			break
		}
		result.dead = append(result.dead, e.ID)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.results[d.Name()] = result
}

// patience is how long an event waits that can't be sent because of an error: a week, or a
// day where nothing in the archive shows any more what it tells.
func patience(err error) time.Duration {
	if errors.Is(err, archive.ErrNotFound) || errors.Is(err, seal.ErrBroken) {
		return 24 * time.Hour
	}
	return 7 * 24 * time.Hour
}

func (r *round) try(ctx context.Context, d Destination, e state.Event) error {
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	body, err := write(ctx, r.Archive, e)
	if err != nil {
		return aboutEvent{err}
	}
	return d.Send(ctx, e.ID, body)
}

// end writes what came of it, even if ctx has ended.
func (r *round) end(ctx context.Context) error {
	r.report(ctx)
	ctx, cancel := state.LastWrite(ctx)
	defer cancel()
	return r.State.Update(ctx, r.record, func(p *state.Project) error {
		if p.Outbox == nil {
			return nil // nobody is to be told any more
		}
		if p.Outbox.Sender == r.token {
			p.Outbox.Sender, p.Outbox.Until = "", time.Time{}
		}
		for _, d := range r.Destinations {
			if result := r.results[d.Name()]; result != nil {
				r.conclude(p, d, result)
			}
		}
		return nil
	})
}

// conclude notes what came of a round for one destination: what it has, what it won't be
// asked for any more, and, while there is something that it didn't take, a condition.
func (r *round) conclude(p *state.Project, d Destination, result *result) {
	for _, id := range result.acknowledged {
		if e := p.Outbox.Event(id); e != nil {
			e.Acknowledged(d.Name())
		}
	}
	for _, id := range result.dead {
		if e := p.Outbox.Event(id); e != nil {
			e.GiveUp(d.Name())
		}
	}
	scope := state.Scope{Destination: d.Name()}
	dead := 0
	for _, e := range p.Outbox.Events {
		if slices.Contains(e.Dead, d.Name()) {
			dead++
		}
	}
	now := r.now()
	c := state.Condition{Scope: scope, Code: state.Undelivered, First: now, Last: now, Under: d.Fingerprint()}
	waiting := len(p.Outbox.Waiting(d.Name()))
	switch before := p.Condition(scope); {
	case result.err == nil && len(result.acknowledged) == 0: // there was no time
		return
	case result.err != nil && waiting > 0:
		c.Attempts = 1
		if before != nil && len(result.acknowledged) == 0 {
			c.Attempts += before.Attempts
		}
		c.Next = now.Add(pauses[min(c.Attempts, len(pauses))-1])
		c.Why = fmt.Sprintf("%d of the %s's events wait for %s: %s", waiting, whose(p), d.Place(), result.err)
		if dead > 0 {
			c.Why += fmt.Sprintf("; %d were given up", dead)
		}
	case dead > 0:
		c.Why = fmt.Sprintf("%d of the %s's events were given up, because %s didn't take them for a week or nothing shows them any more: `visionkeeper events list` shows them, and `visionkeeper events send --again` sends them again", dead, whose(p), d.Place())
	default:
		p.Clear(scope)
		return
	}
	p.Note(c)
}

// whose is who has an outbox, for a person.
func whose(p *state.Project) string {
	if p.ID == state.App {
		return "app"
	}
	return "project"
}

// report logs what came of it.
func (r *round) report(ctx context.Context) {
	log := zerolog.Ctx(ctx).With().Str("project", r.record.ID).Str("name", r.record.Name).Logger()
	for _, d := range r.Destinations {
		result := r.results[d.Name()]
		if result == nil {
			continue
		}
		log := log.With().Str("destination", d.Name()).Logger()
		if n := len(result.acknowledged); n > 0 {
			log.Info().Int("events", n).Msg("told of events")
		}
		if n := len(result.dead); n > 0 {
			log.Error().Int("events", n).Err(result.err).Msg("gave events up")
		} else if result.err != nil {
			log.Warn().Err(result.err).Msg("can't be told of events now")
		}
	}
}
