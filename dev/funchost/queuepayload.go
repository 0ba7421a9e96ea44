package funchost

import (
	"encoding/base64"
	"errors"
	"strconv"
	"time"
	"unicode/utf8"
)

// queueMessage is a message as the trigger binds it, with its body decoded.
type queueMessage struct {
	body            []byte
	id, popReceipt  string // empty for a manual run
	dequeueCount    int64
	inserted        time.Time // zero means now
	expires, appear time.Time // zero means endOfTime
}

// endOfTime stands for an absent date (DateTimeOffset.MaxValue).
var endOfTime = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// queueEnvelope returns the body of a queue function's invocation
// (QueueTriggerBinding.cs). Text that is not UTF-8 is an error.
func queueEnvelope(f *function, m queueMessage, now time.Time) ([]byte, error) {
	var metadata object
	or := func(t, otherwise time.Time) time.Time {
		if t.IsZero() {
			return otherwise
		}
		return t
	}
	metadata.set("DequeueCount", doubled([]byte(strconv.FormatInt(m.dequeueCount, 10))))
	metadata.set("ExpirationTime", date(or(m.expires, endOfTime)))
	if m.id != "" {
		metadata.set("Id", doubledText(m.id))
	}
	metadata.set("InsertionTime", date(or(m.inserted, now)))
	metadata.set("NextVisibleTime", date(or(m.appear, endOfTime)))
	if m.popReceipt != "" {
		metadata.set("PopReceipt", doubledText(m.popReceipt))
	}
	metadata.set("sys", system(f, now))

	if f.trigger.binary() {
		data := object{{f.trigger.Name, quote(base64.StdEncoding.EncodeToString(m.body))}}
		return envelope(data, metadata), nil
	}
	if !utf8.Valid(m.body) {
		return nil, errors.New("exception binding parameter: the message is not UTF-8; set \"dataType\": \"binary\" to get its bytes")
	}
	text := string(m.body)
	applyBindingData(text, &metadata)
	return envelope(object{{f.trigger.Name, doubledText(text)}}, metadata), nil
}
