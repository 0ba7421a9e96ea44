package funchost

import (
	"errors"
	"time"
)

// manualPayload is the envelope of a manual run. A queue function gets input as
// its message's text, never decoded, without an id and counted as delivery 0
// (StringToStorageQueueMessageConverter.cs); a timer gets its status.
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
