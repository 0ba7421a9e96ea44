package telemetry

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// maxSpans bounds the spans that wait to be sent. What is above is dropped, and said.
const maxSpans = 10_000

// Attribute is a fact about a span or a value. Value is a string or an int.
type Attribute struct {
	Key   string
	Value any
}

// String and Int make attributes.
func String(key, value string) Attribute { return Attribute{key, value} }

// Int makes an attribute of a number.
func Int(key string, value int) Attribute { return Attribute{key, value} }

// kind is whom a span concerns. https://opentelemetry.io/docs/specs/otel/trace/api/#spankind
type kind uint64

const (
	internal kind = 1
	consumer kind = 5
	client   kind = 3
)

// Span is something that took time. nil does nothing.
type Span struct {
	t          *Telemetry
	trace      [16]byte
	id, parent [8]byte
	name       string
	kind       kind
	began      time.Time

	mu         sync.Mutex
	ended      time.Time // zero while it goes on
	attributes []Attribute
	links      []*Span
	failure    string // empty where it succeeded
}

type spanKey struct{}

type linksKey struct{}

// current is the span that a context belongs to; nil without one.
func current(ctx context.Context) *Span {
	s, _ := ctx.Value(spanKey{}).(*Span)
	return s
}

// Start begins a span below that of the context. Where nobody listens the span is nil.
func Start(ctx context.Context, name string, a ...Attribute) (context.Context, *Span) {
	return start(ctx, internal, name, a)
}

func start(ctx context.Context, k kind, name string, a []Attribute) (context.Context, *Span) {
	above := current(ctx)
	if above == nil {
		return ctx, nil
	}
	s := &Span{t: above.t, trace: above.trace, id: newID(), parent: above.id, name: name, kind: k, began: time.Now(), attributes: a}
	s.links, _ = ctx.Value(linksKey{}).([]*Span)
	return context.WithValue(context.WithValue(ctx, spanKey{}, s), linksKey{}, nil), s
}

// Linked returns a context whose next span is done for the spans of others too.
func Linked(ctx context.Context, others []context.Context) context.Context {
	var links []*Span
	for _, o := range others {
		if s := current(o); s != nil && s != current(ctx) {
			links = append(links, s)
		}
	}
	if links == nil {
		return ctx
	}
	return context.WithValue(ctx, linksKey{}, links)
}

// Set adds facts to a span that goes on.
func (s *Span) Set(a ...Attribute) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attributes = append(s.attributes, a...)
}

// End ends a span, with the reason if it failed. Only the first End counts.
func (s *Span) End(err error) {
	if s == nil {
		return
	}
	s.mu.Lock()
	if !s.ended.IsZero() {
		s.mu.Unlock()
		return
	}
	s.ended = time.Now()
	if err != nil {
		s.failure = err.Error()
	}
	s.mu.Unlock()
	s.t.keep(s)
}

func (t *Telemetry) keep(s *Span) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.traces == nil:
	case len(t.spans) >= maxSpans:
		t.lost++
	default:
		t.spans = append(t.spans, s)
	}
}

// Invocation begins the span of an invocation, with the host's id of it. It continues the
// trace that a traceparent names. The context's log names the trace, even where t is nil,
// if there is one. end ends the span and sends what there is: call it before the host is
// answered.
func (t *Telemetry) Invocation(ctx context.Context, function, id, traceparent string) (_ context.Context, end func(error)) {
	trace, parent, given := parseTraceparent(traceparent)
	if t != nil && !given {
		_, _ = rand.Read(trace[:])
	}
	if t != nil || given {
		ctx = zerolog.Ctx(ctx).With().Str("trace", hex.EncodeToString(trace[:])).Logger().WithContext(ctx)
	}
	if t == nil {
		return ctx, func(error) {}
	}
	s := &Span{
		t: t, trace: trace, id: newID(), parent: parent, name: function, kind: consumer, began: time.Now(),
		attributes: []Attribute{String("faas.name", function), String("faas.invocation_id", id)},
	}
	ctx = context.WithValue(ctx, spanKey{}, s)
	return ctx, func(err error) {
		outcome := "succeeded"
		if err != nil {
			outcome = "failed"
		}
		Count(ctx, Invocations, 1, String("faas.name", function), String("outcome", outcome))
		s.End(err)
		t.flush(ctx)
	}
}

func newID() (id [8]byte) {
	_, _ = rand.Read(id[:])
	return id
}
