package handler

import (
	"encoding/json"
	"strconv"
	"time"
)

// Metadata is what the host reports about the trigger's event, by key, such as
// DequeueCount or InsertionTime. Any key may be missing, and a manual run has
// few.
//
// Without "dataType": "binary" on the binding, the properties of a queue message
// that is a JSON object overwrite keys of the same name (Utility.ApplyBindingData
// in the host's source). Nothing here can be trusted then.
type Metadata map[string]json.RawMessage

// String returns a scalar as text. The host sends most scalars as a string that
// holds JSON, some as a plain string or number; all forms give the same text. ok
// is false for a missing key, null, an object or an array.
func (m Metadata) String(key string) (value string, ok bool) {
	raw := m[key]
	if len(raw) == 0 || raw[0] == '{' || raw[0] == '[' || string(raw) == "null" {
		return "", false
	}
	s, ok := unquote(raw)
	if !ok {
		return string(raw), true
	}
	if inner, ok := unquote([]byte(s)); ok {
		return inner, true
	}
	return s, true
}

// Int returns a whole number. ok is false for a missing key and for any other
// value.
func (m Metadata) Int(key string) (value int, ok bool) {
	s, ok := m.String(key)
	if !ok {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}

// Time returns a date. A date without a zone is in UTC. The host cuts dates to
// whole seconds, and sends the year 9999 for a date of a queue message that it
// doesn't know. ok is false for a missing key and for a value that is no date.
func (m Metadata) Time(key string) (value time.Time, ok bool) {
	s, ok := m.String(key)
	if !ok {
		return time.Time{}, false
	}
	return parseTime(s)
}

// parseTime reads a date in the forms .NET writes: with an offset or Z, without a
// zone, or in the invariant culture's order (message properties in Metadata).
func parseTime(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "01/02/2006 15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
