package funchost

import (
	"errors"
	"time"
)

// manualPayload returns the envelope of a manual run. For a queue function, input
// is the message's text; it is not decoded, and the message has no id and
// delivery count 0 (StringToStorageQueueMessageConverter.cs). A timer function
// gets its schedule's status.
func (h *Host) manualPayload(f *function, input string) ([]byte, error) {
	now := time.Now()
	switch {
	case f.trigger.is(queueTrigger):
		return queueEnvelope(f, queueMessage{body: []byte(input)}, now)
	case f.trigger.is(timerTrigger):
		t := h.timers[f.name]
		if t == nil {
			return nil, errors.New("the timer's schedule could not be read; see the host's log")
		}
		return t.payload(now), nil
	}
	return nil, errors.New("an HTTP function is called at its own route")
}
