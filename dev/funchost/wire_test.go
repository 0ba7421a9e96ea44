package funchost

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestQuoteWritesWhatNewtonsoftWrites(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain":                `"plain"`,
		`"\`:                   `"\"\\"`,
		"<a href='x'>&</a>/":   `"<a href='x'>&</a>/"`,
		"\n\r\t\b\f":           `"\n\r\t\b\f"`,
		"\x00\x1f\x7f":         "\"\\u0000\\u001f\x7f\"",
		"\u0085\u2028\u2029é😀": `"\u0085\u2028\u2029é😀"`,
	} {
		assert.Equal(t, want, string(quote(in)))
	}
}

func TestQuotedTextReadsBackAsItself(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		var once, twice string
		require.NoError(t, json.Unmarshal(doubledText(text), &once))
		require.NoError(t, json.Unmarshal([]byte(once), &twice))
		require.Equal(t, text, twice)
	})
}

func TestDatesHaveWholeSecondsAndAnOffset(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 8, 27, 12, 11, 12, 987654321, time.FixedZone("", 2*60*60))

	assert.Equal(t, `"2026-08-27T10:11:12+00:00"`, string(date(at)))
}

func TestObjectNamesAreMatchedWithoutCaseAndKeepTheirSpelling(t *testing.T) {
	t.Parallel()
	var o object
	o.set("Id", []byte("1"))
	o.set("iD", []byte("2"))
	o.set("x", []byte("3"))

	assert.Equal(t, `{"Id":2,"x":3}`, string(o.json()))
}

func TestGUIDsAreRandomVersion4(t *testing.T) {
	t.Parallel()
	assert.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, newGUID())
	assert.NotEqual(t, newGUID(), newGUID())
}
