package reconcile

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/otlp"
	"visionkeeper/internal/redact"
	"visionkeeper/internal/telemetry"
)

// A run that answers several invocations stands below one of them, with links to the others.
func TestASharedRunIsLinkedToEverybodysSpan(t *testing.T) {
	t.Parallel()
	r := otlp.Listen(t)
	watched, err := telemetry.Open(r.Setting, "test", redact.String)
	require.NoError(t, err)
	one, endOne := watched.Invocation(t.Context(), "one", "1", "")
	two, endTwo := watched.Invocation(t.Context(), "two", "2", "")
	ctx, cancel := (&call{callers: []context.Context{one, two}, causes: []string{"1", "2"}}).context()
	defer cancel()
	_, span := telemetry.Start(ctx, "reconcile")
	span.End(nil)
	endOne(nil)
	endTwo(nil)
	shared := r.Span(t, "reconcile")
	assert.Equal(t, r.Span(t, "one").SpanId, shared.ParentSpanId)
	require.Len(t, shared.Links, 1)
	assert.Equal(t, r.Span(t, "two").SpanId, shared.Links[0].SpanId)
	assert.Equal(t, r.Span(t, "two").TraceId, shared.Links[0].TraceId)
}
