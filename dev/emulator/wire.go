package emulator

import (
	"bytes"
	"encoding/json"
	"time"
)

// wireTime is a time as the service writes it: ISO 8601, UTC, milliseconds.
type wireTime time.Time

func (t wireTime) MarshalJSON() ([]byte, error) {
	return []byte(time.Time(t).UTC().Format(`"2006-01-02T15:04:05.000Z"`)), nil
}

// optional is nil for "", which the service sends as null.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// maybe tells a JSON member that is null from one that is missing.
type maybe[T any] struct {
	Set   bool
	Value T
}

func (m *maybe[T]) UnmarshalJSON(data []byte) error {
	m.Set = true
	return json.Unmarshal(data, &m.Value)
}

// plainJSON writes compact JSON with & as &, as a .NET service would.
func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

// mustJSON is for values that can always be written.
func mustJSON(v any) []byte {
	text, err := plainJSON(v)
	if err != nil {
		panic(err)
	}
	return text
}
