package state

import (
	"encoding/json"
	"slices"
	"time"
)

// App is the id of the record of what is about no one project. It has no iterations.
const App = "app"

// Event is something that happened, and to whom it is still to be told. It is written
// with the change that causes it.
type Event struct {
	// ID is a function of what happened: who writes the event twice writes the same id.
	ID      string    `json:"id"`
	Type    string    `json:"type"`
	Subject string    `json:"subject"`
	Time    time.Time `json:"time"` // when it happened
	At      time.Time `json:"at"`   // when it was written here
	// Proof is the blob in the archive that tells the rest; empty where Data does.
	Proof string          `json:"proof,omitempty"`
	Data  json.RawMessage `json:"data,omitempty"`
	// Open are the destinations that haven't acknowledged it, Dead those that won't be
	// asked any more.
	Open []string `json:"open,omitempty"`
	Dead []string `json:"dead,omitempty"`
}

// Outbox holds the events of one record, in the order in which they were written. It is
// there only while there are destinations.
type Outbox struct {
	// Destinations are those that are told, by the settings of the app that runs.
	Destinations []string `json:"destinations"`
	// Since is when it began, by the storage service's clock: what happened before isn't
	// told. Zero where it began with the record itself.
	Since  time.Time `json:"since,omitzero"`
	Events []*Event  `json:"events,omitempty"`
	// Sender is random, and names who sends now; until Until nobody else does.
	Sender string    `json:"sender,omitempty"`
	Until  time.Time `json:"until,omitzero"`
}

const (
	// eventMemory is how old an event may be that is written, and how long one is
	// remembered that everybody has: so none is written twice. Settled iterations are
	// looked at more often than that.
	eventMemory = 14 * 24 * time.Hour
	// maxOpen bounds how many events wait in one outbox.
	maxOpen = 5000
)

// Undelivered: a destination doesn't take the project's events.
const Undelivered Code = "undelivered"

// Events prepares the outbox for the destinations of the app's settings, at a time. It
// returns nil where there are none, since then no events are kept. What others were to be
// told is dropped, and so is what needn't be remembered any more, with the conditions
// about it. Who doesn't know the
// app's settings gives nil, and gets the outbox as the app has left it.
func (p *Project) Events(destinations []string, now time.Time) *Outbox {
	if destinations == nil {
		return p.Outbox
	}
	p.Conditions = slices.DeleteFunc(p.Conditions, func(c *Condition) bool {
		return c.Destination != "" && !slices.Contains(destinations, c.Destination)
	})
	if len(destinations) == 0 {
		p.Outbox = nil
		return nil
	}
	if p.Outbox == nil {
		p.Outbox = &Outbox{}
		if p.Revision != "" { // the app knows the project from before
			p.Outbox.Since = now
		}
	}
	o := p.Outbox
	o.Destinations = slices.Clone(destinations)
	gone := func(name string) bool { return !slices.Contains(destinations, name) }
	for _, e := range o.Events {
		e.Open, e.Dead = slices.DeleteFunc(e.Open, gone), slices.DeleteFunc(e.Dead, gone)
	}
	o.Events = slices.DeleteFunc(o.Events, func(e *Event) bool { return len(e.Open) == 0 && now.Sub(e.At) > eventMemory })
	p.Conditions = slices.DeleteFunc(p.Conditions, func(c *Condition) bool {
		return c.Destination != "" && !slices.ContainsFunc(o.Events, func(e *Event) bool {
			return slices.Contains(e.Open, c.Destination) || slices.Contains(e.Dead, c.Destination)
		})
	})
	return o
}

// Add writes events that the destinations are to be told, in this order. Those that are
// written already are passed over, as are those from before the outbox began, those that
// are too old, and what is too much for an outbox.
func (o *Outbox) Add(now time.Time, events ...Event) {
	known, open := map[string]bool{}, 0
	at := now
	for _, e := range o.Events {
		known[e.ID] = true
		if e.At.After(at) { // clocks differ by a little, and the times are to have the order
			at = e.At
		}
		if len(e.Open) > 0 {
			open++
		}
	}
	for _, e := range events {
		if known[e.ID] || e.Time.Before(o.Since) || now.Sub(e.Time) > eventMemory || open >= maxOpen {
			continue
		}
		e.Again(o.Destinations, at)
		o.Events = append(o.Events, &e)
		known[e.ID] = true
		open++
	}
}

// Waiting are the events that a destination hasn't acknowledged, in their order. It may
// be asked of no outbox.
func (o *Outbox) Waiting(destination string) []*Event {
	if o == nil {
		return nil
	}
	var waiting []*Event
	for _, e := range o.Events {
		if slices.Contains(e.Open, destination) {
			waiting = append(waiting, e)
		}
	}
	return waiting
}

// Open reports whether any event isn't acknowledged by all. It may be asked of no outbox.
func (o *Outbox) Open() bool {
	return o != nil && slices.ContainsFunc(o.Events, func(e *Event) bool { return len(e.Open) > 0 })
}

// Event finds an event; nil where there is none.
func (o *Outbox) Event(id string) *Event {
	if o == nil {
		return nil
	}
	if i := slices.IndexFunc(o.Events, func(e *Event) bool { return e.ID == id }); i >= 0 {
		return o.Events[i]
	}
	return nil
}

// Acknowledged notes that a destination has the event.
func (e *Event) Acknowledged(destination string) {
	e.Open = slices.DeleteFunc(e.Open, func(name string) bool { return name == destination })
}

// GiveUp notes that a destination won't be asked to take the event any more.
func (e *Event) GiveUp(destination string) {
	e.Acknowledged(destination)
	if !slices.Contains(e.Dead, destination) {
		e.Dead = append(e.Dead, destination)
	}
}

// Again makes the event one that all these destinations are to be told of.
func (e *Event) Again(destinations []string, now time.Time) {
	e.At, e.Open, e.Dead = now, slices.Clone(destinations), nil
}

// forget drops the events that nobody waits for. One that is seen once more may be told
// twice then.
func (o *Outbox) forget() {
	if o != nil {
		o.Events = slices.DeleteFunc(o.Events, func(e *Event) bool { return len(e.Open)+len(e.Dead) == 0 })
	}
}

func (o *Outbox) clone() *Outbox {
	c := pointer(o)
	if c == nil {
		return nil
	}
	c.Destinations, c.Events = slices.Clone(o.Destinations), slices.Clone(o.Events)
	for i, e := range c.Events {
		e = pointer(e)
		e.Data, e.Open, e.Dead = slices.Clone(e.Data), slices.Clone(e.Open), slices.Clone(e.Dead)
		c.Events[i] = e
	}
	return c
}
