package reconcile

import (
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/state"
)

// The pauses between two tries, by how often something was tried. What may pass by
// itself is tried again soon, and every hour at least; so is what can't be undone, but
// not as soon. A refusal is tried again after minutes, hours, a day, and every week at
// least. What was begun and came to no end is tried again at once, and then as seldom as
// a refusal: the process may have died of it.
var (
	passing = []time.Duration{0, 0, time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour}
	asking  = []time.Duration{0, 0, 10 * time.Minute, time.Hour}
	cutOff  = append([]time.Duration{0}, refused[1:]...)
	refused = []time.Duration{2 * time.Minute, 10 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour, 72 * time.Hour, 7 * 24 * time.Hour}
)

// pause is how long a condition waits for its next try after the last one.
func pause(c state.Condition) time.Duration {
	pauses := refused
	switch {
	case c.Code == state.TrainingNotNeeded && c.Fact == state.FactTraining: // it is tried at once when the project looks changed
		pauses = refused[4:]
	case c.Code == state.Unfinished:
		pauses = cutOff
	case c.Code == state.Unseen && c.Blob == "", c.Code == state.HoldOutUnusable: // a person may mend it any time
		pauses = passing
	case c.Scope == noRoom: // another iteration may be safe soon
		pauses = asking[2:]
	case c.Code != state.Unavailable && c.Code != state.Unreadable:
	case c.Unproven || c.Blob != "" || c.Fact != "" && c.Fact != state.FactTraining && c.Fact != state.FactPromotion:
		pauses = passing
	default: // an export, a training or a name was asked for
		pauses = asking
	}
	return pauses[min(max(c.Attempts, 1), len(pauses))-1]
}

// due reports whether a thing may be tried now: it has no condition, or one whose
// time has come, or that was met under another policy, setting or version.
func due(c *state.Condition, under string, now time.Time) bool {
	switch {
	case c == nil:
		return true
	case c.Final():
		return false
	}
	return c.Under != under || !now.Before(c.Next)
}

// attempted counts a try of a thing that couldn't be done before, before it is made:
// whatever becomes of the process, the next try has its pause.
func attempted(p *state.Project, s state.Scope, under string, now time.Time) {
	if c := p.Condition(s); c != nil {
		c.Attempts++
		c.Under, c.Next = under, now.Add(pause(*c))
	}
}

// note records that a thing couldn't be done. The attempt may be counted already, or
// have been none.
func note(p *state.Project, s state.Scope, counted bool, f fault, unproven bool, under string, now time.Time) {
	c := state.Condition{Scope: s, Code: f.code, Why: f.why, First: now, Last: now, Under: under, Unproven: unproven, On: f.on, Sight: f.sight, At: f.at}
	if known := p.Condition(s); known != nil {
		c.Attempts = known.Attempts
	}
	if !counted {
		c.Attempts++
	}
	switch {
	case !f.until.IsZero():
		c.Next = f.until
	case !c.Final():
		c.Next = now.Add(pause(c))
	}
	p.Note(c)
}

// correct records that a thing still can't be done, and that the cause is another one by
// now. That was no try of its own, so the next one is due when it was.
func correct(p *state.Project, s state.Scope, f fault, under string, now time.Time) {
	known := p.Condition(s)
	if known == nil {
		note(p, s, false, f, false, under, now)
		return
	}
	c := state.Condition{Scope: s, Code: f.code, Why: f.why, Last: now, Attempts: known.Attempts, Next: known.Next, Under: under, Sight: f.sight, At: f.at}
	switch {
	case !f.until.IsZero():
		c.Next = f.until
	case c.Next.IsZero():
		c.Next = now
	}
	p.Note(c)
}

// fault is an error that says which condition it is.
type fault struct {
	code state.Code
	why  string
	on   state.Sight // what it is final for; zero where it isn't

	until time.Time // when it is over by itself; zero where nobody knows
	sight string    // of the project, where a training is refused, or of a hold-out set
	at    int       // the number of iterations, where a training is refused for that

	cause error // the service's own answer, where a person's ask needs it; nil elsewhere
}

func (f fault) Error() string { return f.why }
func (f fault) Unwrap() error { return f.cause }

func faultf(code state.Code, format string, a ...any) error {
	return fault{code: code, why: fmt.Sprintf(format, a...)}
}

// faultOf is the condition that an error means.
func faultOf(err error) fault {
	var f fault
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, archive.ErrDamaged), errors.Is(err, archive.ErrSpoilt):
		return fault{code: state.Damaged, why: err.Error()}
	case errors.Is(err, archive.ErrTooLarge):
		return fault{code: state.TooLarge, why: err.Error()}
	case errors.Is(err, archive.ErrTooCostly):
		return fault{code: state.TooCostly, why: err.Error()}
	}
	return fault{code: state.Unavailable, why: err.Error()}
}

// spread is a time between three quarters of d and d that is always the same for an id:
// what was settled at once isn't all looked at again at once.
func spread(d time.Duration, id string) time.Duration {
	h := fnv.New32a()
	h.Write([]byte(id))
	return d*3/4 + time.Duration(float64(d/4)*float64(h.Sum32())/(1<<32))
}

// CodeOf is the kind of condition that an error of a report means; "" where it means none.
func CodeOf(err error) state.Code {
	var f fault
	errors.As(err, &f)
	return f.code
}

// WhyOf is what such an error says by itself.
func WhyOf(err error) string {
	var f fault
	errors.As(err, &f)
	return f.why
}
