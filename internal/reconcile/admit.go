package reconcile

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"visionkeeper/internal/state"
)

// Where messages pile up, several processes have some about one project at once. One of
// them looks; the others wait for what it finds. It says so in the state, which costs a
// request, so a message that comes alone and at once doesn't.
const (
	lookPoll = 2 * time.Second // between two reads of the state while another looks
	// The times of messages and of looks are whole seconds: a look is known to be later than a
	// message if it began so long after it.
	knownLater = 2 * time.Second
	lookFor    = time.Minute // until others take over; a process may have died
)

// admitted is a visit of which no other process looks at the same because of messages, or
// one to which it is known already what was asked for.
func (r *Reconciler) admitted(ctx context.Context, s scope) (*visit, error) {
	for {
		record, err := r.load(ctx, s)
		if err != nil {
			return nil, err
		}
		if record.Lost != nil {
			zerolog.Ctx(ctx).Error().Err(record.Lost).Str("project", s.project).Msg("what was remembered is lost, and is made anew")
		}
		v := r.visit(s, record)
		if err := v.identify(ctx); err != nil || v.outside {
			return v, err
		}
		if v.known = v.isSeenSince(); v.known {
			return v, nil
		}
		wait, err := v.admit(ctx)
		if err != nil || wait == 0 {
			return v, err
		}
		if err := r.Clock.Sleep(ctx, wait); err != nil {
			return v, err
		}
	}
}

// load reads the project's state. A sweep by which nobody else waits reads it by its
// listing: where nothing is left to do, that costs no request.
func (r *Reconciler) load(ctx context.Context, s scope) (*state.Record, error) {
	if s.states != nil && len(s.iterations) == 0 {
		return s.states.Load(ctx, s.project)
	}
	return r.State.Load(ctx, s.project)
}

// confirm reads a state anew that a listing spared, since there is something to look at. If
// others have written it meanwhile, errOvertaken says so.
func (v *visit) confirm(ctx context.Context) error {
	if !v.record.Listed {
		return nil
	}
	current, err := v.State.Load(ctx, v.record.ID)
	if err != nil {
		return err
	}
	if current.Revision != v.record.Revision {
		return errOvertaken
	}
	v.record.Listed = false
	return nil
}

// admit returns how long the run has to wait before it asks again whether it may look; 0 if
// it may look now.
func (v *visit) admit(ctx context.Context) (time.Duration, error) {
	if v.scope.whole || v.scope.ask != nil || v.seen.Project.Name == "" || len(v.scope.iterations) == 0 {
		return 0, nil
	}
	var oldest, wait time.Duration
	for _, inserted := range v.scope.iterations {
		if inserted.IsZero() {
			return 0, nil
		}
		age := v.record.Seen.Sub(inserted)
		if oldest = max(oldest, age); age >= 0 {
			wait = max(wait, knownLater-age)
		}
	}
	switch {
	case v.record.Looking != nil && v.record.Seen.Before(v.record.Looking.Until):
		return lookPoll, nil
	case !v.scope.shared && !v.pace.crowded(v.record.ID) && oldest < v.Times.LookInterval:
		return 0, nil
	case wait > 0:
		return wait, nil
	}
	read := v.record.Revision
	looking := state.Looking{Token: rand.Text(), Until: v.now().Add(lookFor)}
	err := v.State.Update(ctx, v.record, func(p *state.Project) error {
		if p.Revision != read { // it may be known by now
			return errOvertaken
		}
		v.apply(p)
		p.Looking = &looking
		return nil
	})
	if errors.Is(err, errOvertaken) {
		return lookPoll, nil
	}
	if err == nil {
		v.looking = looking.Token
		v.written()
	}
	return 0, err
}

// keepLook says with every write that the look goes on.
func (v *visit) keepLook(p *state.Project) {
	if p.Looking != nil && p.Looking.Token == v.looking {
		p.Looking.Until = v.now().Add(lookFor)
	}
}

// endLook learns that the look is over.
func (v *visit) endLook() {
	token := v.looking
	if v.looking = ""; token == "" {
		return
	}
	v.learn(func(p *state.Project) {
		if p.Looking != nil && p.Looking.Token == token {
			p.Looking = nil
		}
	})
}
