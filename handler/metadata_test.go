package handler

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestMetadataReadsAScalarHoweverItIsEncoded(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`"x"`:     "x",
		`"\"x\""`: "x",
		`"5"`:     "5",
		`5`:       "5",
		`true`:    "true",
		`"\"x"`:   `"x`,
		`""`:      "",
	} {
		got, ok := Metadata{"k": json.RawMessage(raw)}.String("k")
		assert.True(t, ok, raw)
		assert.Equal(t, want, got, raw)
	}
}

func TestMetadataHasNoScalar(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"", "null", `{"a":1}`, `[1]`} {
		_, ok := Metadata{"k": json.RawMessage(raw)}.String("k")
		assert.False(t, ok, raw)
	}
	_, ok := Metadata(nil).String("k")
	assert.False(t, ok)
}

func TestMetadataInt(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]int{`"5"`: 5, `5`: 5, `"\"5\""`: 5, `"-1"`: -1} {
		got, ok := Metadata{"k": json.RawMessage(raw)}.Int("k")
		assert.True(t, ok, raw)
		assert.Equal(t, want, got, raw)
	}
	for _, raw := range []string{`"x"`, `5.5`, `""`, `null`, `"99999999999999999999"`} {
		_, ok := Metadata{"k": json.RawMessage(raw)}.Int("k")
		assert.False(t, ok, raw)
	}
}

func TestMetadataTime(t *testing.T) {
	t.Parallel()
	want := time.Date(2026, 8, 27, 10, 11, 12, 0, time.UTC)
	for _, raw := range []string{
		`"2026-08-27T10:11:12+00:00"`,
		`"2026-08-27T12:11:12+02:00"`,
		`"2026-08-27T10:11:12Z"`,
		`"2026-08-27T10:11:12"`,
		`"\"2026-08-27T10:11:12Z\""`,
		`"\"08/27/2026 10:11:12\""`,
	} {
		got, ok := Metadata{"k": json.RawMessage(raw)}.Time("k")
		assert.True(t, ok, raw)
		assert.True(t, want.Equal(got), "%s: %s", raw, got)
	}
	fraction, ok := Metadata{"k": json.RawMessage(`"2026-08-27T10:11:12.1234567Z"`)}.Time("k")
	assert.True(t, ok)
	assert.Equal(t, 123456700, fraction.Nanosecond())
	for _, raw := range []string{`"soon"`, `1`, `""`, ``} {
		_, ok := Metadata{"k": json.RawMessage(raw)}.Time("k")
		assert.False(t, ok, raw)
	}
}
