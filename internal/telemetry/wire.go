package telemetry

import (
	"math"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// The numbers of the fields are those of
// https://github.com/open-telemetry/opentelemetry-proto/tree/main/opentelemetry/proto
// (trace/v1, metrics/v1, common/v1, resource/v1). The generated code for them would add
// more to the program than all of this package.

// message is a protobuf message that is being written.
type message []byte

func (m *message) bytes(field protowire.Number, value []byte) {
	*m = protowire.AppendBytes(protowire.AppendTag(*m, field, protowire.BytesType), value)
}

func (m *message) text(field protowire.Number, value string) {
	if value != "" {
		m.bytes(field, []byte(value))
	}
}

func (m *message) number(field protowire.Number, value uint64) {
	*m = protowire.AppendVarint(protowire.AppendTag(*m, field, protowire.VarintType), value)
}

func (m *message) fixed(field protowire.Number, value uint64) {
	*m = protowire.AppendFixed64(protowire.AppendTag(*m, field, protowire.Fixed64Type), value)
}

func (m *message) time(field protowire.Number, t time.Time) { m.fixed(field, uint64(t.UnixNano())) }

func (m *message) inner(field protowire.Number, write func(*message)) {
	var in message
	write(&in)
	m.bytes(field, in)
}

// attributes writes a list of KeyValue.
func (t *Telemetry) attributes(m *message, field protowire.Number, list []Attribute) {
	for _, a := range list {
		m.inner(field, func(m *message) {
			m.text(1, a.Key)
			m.inner(2, func(m *message) {
				switch v := a.Value.(type) {
				case int:
					m.number(3, uint64(v))
				case string:
					m.bytes(1, []byte(t.hide(v)))
				}
			})
		})
	}
}

// about writes TracesData or MetricsData, which have the same outer parts: resource,
// scope, and the list that write writes.
func (t *Telemetry) about(write func(*message)) []byte {
	var data message
	data.inner(1, func(m *message) {
		m.inner(1, func(m *message) { t.attributes(m, 1, t.resource) })
		m.inner(2, func(m *message) {
			m.inner(1, func(m *message) {
				m.text(1, serviceName)
				m.text(2, t.version)
			})
			write(m)
		})
	})
	return data
}

// encodeSpans writes TracesData.
func (t *Telemetry) encodeSpans(spans []*Span) []byte {
	return t.about(func(m *message) {
		for _, s := range spans {
			m.inner(2, func(m *message) { t.span(m, s) })
		}
	})
}

// span writes Span.
func (t *Telemetry) span(m *message, s *Span) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.bytes(1, s.trace[:])
	m.bytes(2, s.id[:])
	if s.parent != [8]byte{} {
		m.bytes(4, s.parent[:])
	}
	m.text(5, s.name)
	m.number(6, uint64(s.kind))
	m.time(7, s.began)
	m.time(8, s.ended)
	t.attributes(m, 9, s.attributes)
	for _, l := range s.links {
		m.inner(13, func(m *message) {
			m.bytes(1, l.trace[:])
			m.bytes(2, l.id[:])
		})
	}
	if s.failure != "" {
		m.inner(15, func(m *message) {
			m.text(2, t.hide(s.failure))
			m.number(3, 2) // STATUS_CODE_ERROR
		})
	}
}

// encodeMetrics writes MetricsData. The points of one metric stand together in the list.
func (t *Telemetry) encodeMetrics(points []series, now time.Time) []byte {
	return t.about(func(m *message) {
		for len(points) > 0 {
			same := 1
			for same < len(points) && points[same].metric == points[0].metric {
				same++
			}
			m.inner(2, func(m *message) { t.metric(m, points[:same], now) })
			points = points[same:]
		}
	})
}

// metric writes Metric.
func (t *Telemetry) metric(m *message, points []series, now time.Time) {
	what := points[0].metric
	m.text(1, what.Name)
	m.text(2, what.Description)
	m.text(3, what.Unit)
	data := protowire.Number(5) // gauge
	if what.sum {
		data = 7
	}
	m.inner(data, func(m *message) {
		for _, p := range points {
			m.inner(1, func(m *message) {
				if what.sum {
					m.time(2, t.began)
				}
				m.time(3, now)
				m.fixed(4, math.Float64bits(p.value))
				t.attributes(m, 7, p.attributes)
			})
		}
		if what.sum {
			m.number(2, 2) // AGGREGATION_TEMPORALITY_CUMULATIVE
			m.number(3, 1) // monotonic
		}
	})
}
