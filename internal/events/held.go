package events

import (
	"context"
	"errors"
	"slices"
	"time"

	"visionkeeper/internal/state"
)

// Held is an event in an outbox.
type Held struct {
	Project Named // empty where it is about no one project
	state.Event

	record string
}

// All are the events in all outboxes, in the order in which they were written. (List
// Blobs, Get Blob for each project)
func All(ctx context.Context, store *state.Store) ([]Held, error) {
	ids, err := store.Projects(ctx)
	if err != nil {
		return nil, err
	}
	var all []Held
	for _, id := range append(ids, state.App) {
		record, err := store.Load(ctx, id)
		if err != nil {
			return nil, err
		}
		if record.Outbox == nil {
			continue
		}
		about := Named{record.ID, record.Name}
		if id == state.App {
			about = Named{}
		}
		for _, e := range record.Outbox.Events {
			all = append(all, Held{about, *e, id})
		}
	}
	slices.SortStableFunc(all, func(a, b Held) int { return a.At.Compare(b.At) })
	return all, nil
}

// Send sends what waits in the outboxes of these events now, whatever pause there is; with
// again it first makes the events themselves ones that every destination is to be told
// of. It returns them as they are after that, and why what still waits does.
func (p *Postman) Send(ctx context.Context, chosen []Held, again bool) (after []Held, why []string, err error) {
	ids := map[string][]string{} // by record
	var records []string
	for _, h := range chosen {
		if ids[h.record] == nil {
			records = append(records, h.record)
		}
		ids[h.record] = append(ids[h.record], h.ID)
	}
	for _, id := range records {
		record, err := p.State.Load(ctx, id)
		if err != nil {
			return nil, nil, err
		}
		if err := p.State.Update(ctx, record, func(project *state.Project) error {
			for _, c := range project.Conditions {
				if c.Destination != "" {
					c.Next = time.Time{}
				}
			}
			for _, id := range ids[id] {
				if e := project.Outbox.Event(id); e != nil && again {
					e.Again(project.Outbox.Destinations, record.Seen)
				}
			}
			return nil
		}); err != nil {
			return nil, nil, err
		}
	}
	if _, err := p.Deliver(ctx, records...); err != nil {
		return nil, nil, err
	}
	for _, id := range records {
		record, err := p.State.Load(ctx, id)
		if err != nil {
			return nil, nil, err
		}
		for _, c := range record.Conditions {
			if c.Destination != "" {
				why = append(why, c.Why)
			}
		}
	}
	all, err := All(ctx, p.State)
	return slices.DeleteFunc(all, func(h Held) bool { return !slices.Contains(ids[h.record], h.ID) }), why, err
}

// Note writes events of projects into the outboxes that the app has begun for them. The
// app sends them. Where there is no outbox, or no state at all, nobody is to be told.
// (Get Blob, Put Blob for each project)
func Note(ctx context.Context, store *state.Store, events map[string][]state.Event) error {
	var errs []error
	for project, list := range events {
		record, err := store.Load(ctx, project)
		if errors.As(err, new(state.NoContainer)) || err == nil && record.Outbox == nil {
			continue
		}
		if err == nil {
			err = store.Update(ctx, record, func(p *state.Project) error {
				if o := p.Events(nil, record.Seen); o != nil {
					o.Add(record.Seen, list...)
				}
				return nil
			})
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
