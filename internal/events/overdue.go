package events

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"visionkeeper/internal/dotnet"
	"visionkeeper/internal/state"
)

// Watch notices that sweeps don't come any more. The sweeps can't, so who does something
// else looks. It is safe for concurrent use.
type Watch struct {
	Postman  *Postman
	Schedule dotnet.Schedule // of the sweeps
	Longest  time.Duration   // that a sweep may take
	Now      func() time.Time

	mu     sync.Mutex
	looked time.Time
}

// lookEvery is how often a process looks at the last sweep's result.
const lookEvery = 5 * time.Minute

// Look looks at the result of the last sweep, now and then, and tells others if two more
// should have come to their end since. Where there was none yet, nobody knows since when.
// (Get Blob at most every five minutes)
func (w *Watch) Look(ctx context.Context) {
	if w == nil || len(w.Postman.Destinations) == 0 || !w.turn() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, MessageTime)
	defer cancel()
	if err := w.look(ctx); err != nil {
		zerolog.Ctx(ctx).Warn().Err(err).Msg("it is not known when the last sweep ended")
	}
}

// turn reports whether it is time to look.
func (w *Watch) turn() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.Now()
	if !w.looked.IsZero() && now.Sub(w.looked) < lookEvery {
		return false
	}
	w.looked = now
	return true
}

func (w *Watch) look(ctx context.Context) error {
	store, now := w.Postman.State, w.Now()
	last, err := store.Health(ctx)
	if err != nil || last.Ended.IsZero() {
		return err
	}
	missed := w.Schedule.Next(last.Ended)
	second := w.Schedule.Next(missed)
	if missed.IsZero() || second.IsZero() || now.Before(second.Add(w.Longest)) {
		return nil
	}
	record, err := store.Load(ctx, state.App)
	if err != nil {
		return err
	}
	at := record.Seen
	if err := store.Update(ctx, record, func(p *state.Project) error {
		p.Events(w.Postman.Names(), at).Add(at, Overdue(last, missed, at))
		return nil
	}); err != nil {
		return err
	}
	_, err = w.Postman.Deliver(ctx, state.App)
	return err
}
