package emulator

import (
	"bytes"
	"encoding/json"
	"time"
)

// wireTime is a time in the service's form: ISO 8601, UTC, at most three digits of
// a second's fraction, zeros at its end cut.
type wireTime time.Time

func (t wireTime) MarshalJSON() ([]byte, error) {
	return []byte(time.Time(t).UTC().Format(`"2006-01-02T15:04:05.999Z"`)), nil
}

// databaseTime is the time of an image, its tags and its regions, which the
// service sends as its database has it: at most seven digits and no zone.
type databaseTime time.Time

func (t databaseTime) MarshalJSON() ([]byte, error) {
	return []byte(time.Time(t).UTC().Format(`"2006-01-02T15:04:05.9999999"`)), nil
}

// optional returns nil for "", which the service sends as null.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// maybe distinguishes a JSON member that is null from one that is missing.
type maybe[T any] struct {
	Set   bool
	Value T
}

func (m *maybe[T]) UnmarshalJSON(data []byte) error {
	m.Set = true
	return json.Unmarshal(data, &m.Value)
}

// plainJSON writes compact JSON without escaping &, as a .NET service does.
func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

// mustJSON encodes a value whose encoding can't fail.
func mustJSON(v any) []byte {
	text, err := plainJSON(v)
	if err != nil {
		panic(err)
	}
	return text
}
