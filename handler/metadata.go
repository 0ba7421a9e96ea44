package handler

import (
	"encoding/json"
	"strconv"
	"time"
)

// Metadata is what the host says about a trigger, by key, such as DequeueCount
// or InsertionTime. Any key may be missing: a manual run has few. Without
// "dataType": "binary" a queue message that is a JSON object overwrites
// keys with its own properties (Utility.ApplyBindingData in the host's source),
// so nothing here can be trusted then.
type Metadata map[string]json.RawMessage

// String returns a scalar as text. The host sends most as a string that holds
// the scalar's JSON, some as a plain string or number: all read the same. It is
// not ok for a missing key, null, an object or an array.
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

// Int returns a whole number.
func (m Metadata) Int(key string) (value int, ok bool) {
	s, ok := m.String(key)
	if !ok {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}

// Time returns a date, in UTC where the host names no zone. The host cuts dates
// to whole seconds, and sends the year 9999 for a queue message's date that is
// not known.
func (m Metadata) Time(key string) (value time.Time, ok bool) {
	s, ok := m.String(key)
	if !ok {
		return time.Time{}, false
	}
	return parseTime(s)
}

// parseTime reads a date as .NET's JSON writers print it: with an offset or Z, or
// without any zone, or (properties of a message in Metadata) in the invariant
// culture's order.
func parseTime(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "01/02/2006 15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
