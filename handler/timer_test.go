package handler

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestATimerHoldsWhatTheHostSent(t *testing.T) {
	t.Parallel()
	for _, value := range []string{`{}`, `{"IsPastDue":false,"ScheduleStatus":null}`, `{"Schedule":"unknown"}`} {
		timer, err := with(value).Timer("msg")
		require.NoError(t, err)
		assert.Zero(t, timer, value)
	}
	for _, status := range []string{`{"Last":"whenever","Next":null}`, `{"Last":"0001-01-01T00:00:00"}`, `{"Last":"0001-01-01T00:00:00+00:00"}`} {
		timer, err := with(`{"ScheduleStatus":` + status + `}`).Timer("msg")
		require.NoError(t, err)
		assert.True(t, timer.ScheduleStatus.Last.IsZero() && timer.ScheduleStatus.Next.IsZero(), status)
	}
}

func TestAValueThatIsNoTimerIsAnError(t *testing.T) {
	t.Parallel()
	for _, value := range []string{`"hello"`, `[1]`, `{"IsPastDue":"maybe"}`, `{"ScheduleStatus":5}`, `null`} {
		_, err := with(value).Timer("msg")
		assert.Error(t, err, value)
	}
}
