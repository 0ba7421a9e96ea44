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
	timer, err := with(`{"ScheduleStatus":{"Last":"whenever","Next":null}}`).Timer("msg")
	require.NoError(t, err)
	assert.Equal(t, &ScheduleStatus{}, timer.ScheduleStatus)
}

func TestAValueThatIsNoTimerIsAnError(t *testing.T) {
	t.Parallel()
	for _, value := range []string{`"hello"`, `[1]`, `{"IsPastDue":"maybe"}`, `{"ScheduleStatus":5}`, `null`} {
		_, err := with(value).Timer("msg")
		assert.Error(t, err, value)
	}
}
