package reconcile

import (
	"context"
	"crypto/rand"
	"errors"
	"math"
	"time"

	"github.com/rs/zerolog"

	"visionkeeper/internal/state"
)

// Where messages pile up, several processes have some about one project at once. One of
// them looks; the others wait for what it finds. It says so in the state, which costs a
// request, so a message that comes alone and at once doesn't.
const (
	lookPoll = 2 * time.Second // between two reads of the state while another looks
	lookFor  = time.Minute     // until others take over; a process may have died
	forever  = time.Duration(math.MaxInt64)
)

// admitted is a visit of which no other process looks at the same because of messages, or
// one to which it is known already what was asked for.
func (r *Reconciler) admitted(ctx context.Context, s scope) (*visit, error) {
	for {
		record, err := r.State.Load(ctx, s.project)
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
		if admitted, err := v.admit(ctx); err != nil || admitted {
			return v, err
		}
		if err := r.Clock.Sleep(ctx, lookPoll); err != nil {
			return v, err
		}
	}
}

// admit reports whether the run may look now.
func (v *visit) admit(ctx context.Context) (bool, error) {
	if v.scope.whole || v.scope.ask != nil || v.seen.Project.Name == "" || len(v.scope.iterations) == 0 {
		return true, nil
	}
	for _, inserted := range v.scope.iterations {
		if inserted.IsZero() {
			return true, nil
		}
	}
	switch {
	case v.record.Looking != nil && v.record.Seen.Before(v.record.Looking.Until):
		return false, nil
	case !v.scope.shared && !v.pace.crowded(v.record.ID) && !v.sent(v.Times.LookInterval, forever):
		return true, nil
	case v.sent(0, time.Second): // a look that began now would not be known to be later
		return false, nil
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
		return false, nil
	}
	if err == nil {
		v.looking = looking.Token
		v.written()
	}
	return err == nil, err
}

// sent reports whether one of the messages that ask was put on the queue so long ago.
func (v *visit) sent(least, most time.Duration) bool {
	for _, inserted := range v.scope.iterations {
		if ago := v.record.Seen.Sub(inserted); ago >= least && ago <= most {
			return true
		}
	}
	return false
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
