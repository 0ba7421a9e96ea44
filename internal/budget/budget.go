// Package budget keeps all processes of the app together within a number of calls a
// second. The service counts the calls of everybody who uses a resource, and the host
// starts many processes when messages pile up.
//
// The budget is divided into parts. Who calls holds some of them for a while, by an
// entry in a blob that all processes write under its ETag. Each takes what it would
// have if one more came, so that there is room for the next one. A process that makes
// no calls renews nothing, and one that dies frees its parts when its time is up; one
// that ends gives them back. Start reading at Budget.Wait.
package budget

import (
	"context"
	"crypto/rand"
	"slices"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/time/rate"

	"visionkeeper/internal/state"
)

const (
	// parts is how many the budget has: the number of processes that can call at once.
	parts = 64
	// held is how long parts are held, renewed how old they may be when a call is made.
	held    = 30 * time.Second
	renewed = 10 * time.Second
	// margin is the end of a holding that isn't used: a call may be on its way, and the
	// storage service gives its time in whole seconds.
	margin = 5 * time.Second
	// turn is how long who found no part free waits.
	turn = 2 * time.Second
)

// Clock is the time that a Budget goes by.
type Clock interface {
	Now() time.Time
	Sleep(ctx context.Context, d time.Duration) error
}

// Budget is one process's share of the calls. It is safe for concurrent use.
type Budget struct {
	store   *state.Store
	part    rate.Limit // calls a second that one part allows
	clock   Clock
	name    string
	gate    chan struct{} // held by the one whose turn it is
	waiting atomic.Int64  // those before the gate, and the one whose turn it is
	limiter *rate.Limiter
	asked   time.Time     // when the parts were asked for; zero before
	known   *state.Shares // what was written then; nil where that isn't known
	at      time.Time     // by our clock, a moment after known.Seen
}

// New returns a share of a budget of so many calls a second. It sends no request.
func New(store *state.Store, perSecond float64, clock Clock) *Budget {
	return &Budget{
		store: store, part: rate.Limit(perSecond / parts), clock: clock, name: rand.Text(),
		gate: make(chan struct{}, 1), limiter: rate.NewLimiter(rate.Limit(perSecond/parts), 1),
	}
}

// Wait returns when this process may make one call. Calls of one process are evenly
// spaced. The error is ctx's; context.DeadlineExceeded also where the calls that wait
// already take longer than is left.
//
// The first call asks for parts (Get Blob, Put Blob), and one in ten seconds renews
// them (Put Blob, after a Get Blob if another process wrote meanwhile). While storage
// refuses that, one part is taken.
func (b *Budget) Wait(ctx context.Context) error {
	before := b.waiting.Add(1) - 1
	defer b.waiting.Add(-1)
	if deadline, ok := ctx.Deadline(); ok && float64(before) > time.Until(deadline).Seconds()*float64(b.limiter.Limit()) {
		return context.DeadlineExceeded
	}
	select {
	case b.gate <- struct{}{}:
		defer func() { <-b.gate }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		if err := b.hold(ctx); err != nil {
			return err
		}
		r := b.limiter.ReserveN(b.clock.Now(), 1)
		if err := b.clock.Sleep(ctx, r.DelayFrom(b.clock.Now())); err != nil {
			r.CancelAt(b.clock.Now())
			return err
		}
		if b.clock.Now().Before(b.asked.Add(held - margin)) {
			return nil
		}
	}
}

// hold renews this process's parts if they are older than they may be, and waits until
// it has one.
func (b *Budget) hold(ctx context.Context) error {
	for b.asked.IsZero() || b.clock.Now().Sub(b.asked) >= renewed {
		asked := b.clock.Now()
		mine, err := b.ask(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			zerolog.Ctx(ctx).Warn().Err(err).Msg("what other processes call is not known: this one calls seldom meanwhile")
			b.known, mine = nil, 1 // in case the write was carried out
		}
		if mine == 0 {
			if err := b.clock.Sleep(ctx, turn); err != nil {
				return err
			}
			continue
		}
		b.asked = asked
		b.limiter.SetLimitAt(asked, b.part*rate.Limit(mine))
	}
	return nil
}

// Release gives this process's parts back, so that the next one needn't wait until their
// time is up: a person's commands are processes that follow each other closely. It is
// called after the last call. Without parts it sends no request.
func (b *Budget) Release(ctx context.Context) error {
	select {
	case b.gate <- struct{}{}:
		defer func() { <-b.gate }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for !b.asked.IsZero() {
		if b.known == nil {
			var err error
			if b.known, err = b.store.Shares(ctx); err != nil {
				return err
			}
		}
		others := slices.DeleteFunc(slices.Clone(b.known.List), func(s state.Share) bool { return s.Name == b.name })
		written, err := b.store.SetShares(ctx, b.known, others)
		if err != nil {
			return err
		}
		if b.known = written; written != nil {
			b.asked = time.Time{}
		}
	}
	return nil
}

// ask takes parts for a while, and returns how many.
func (b *Budget) ask(ctx context.Context) (int, error) {
	for ctx.Err() == nil {
		var err error
		if b.known == nil {
			if b.known, err = b.store.Shares(ctx); err != nil {
				return 0, err
			}
			b.at = b.clock.Now()
		}
		list, mine := divide(b.known.List, b.name, b.known.Seen.Add(b.clock.Now().Sub(b.at)))
		b.known, err = b.store.SetShares(ctx, b.known, list)
		if err != nil {
			return 0, err
		}
		if b.known != nil {
			b.at = b.clock.Now()
			return mine, nil
		}
	}
	return 0, ctx.Err()
}

// divide gives a process its parts among those that hold some now, and returns how many
// that is. Who gets none is in the list all the same: the others make room.
func divide(list []state.Share, name string, now time.Time) ([]state.Share, int) {
	var others []state.Share
	free := parts
	for _, s := range list {
		if s.Name != name && s.Until.After(now) {
			others = append(others, s)
			free -= s.Parts
		}
	}
	mine := max(0, min(free, max(1, parts/(len(others)+2))))
	return append(others, state.Share{Name: name, Parts: mine, Until: now.Add(held)}), mine
}
