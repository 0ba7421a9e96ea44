package storage

import (
	"encoding/base64"
	"encoding/xml"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestTextGoesToTheQueueAsItIs(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", `{"version":"1.0"}`, "a\n\tb", "Küche <&> \"'", "eyJ2Ijox"} {
		assert.Equal(t, text, queueText([]byte(text)))
	}
}

// TestNothingIsLostOnTheWayToTheQueue sends bytes through XML, as a queue's
// request does.
func TestNothingIsLostOnTheWayToTheQueue(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.OneOf(rapid.SliceOf(rapid.Byte()), rapid.Custom(func(t *rapid.T) []byte { return []byte(rapid.String().Draw(t, "text")) })).Draw(t, "raw")
		type message struct{ MessageText string }
		sent, err := xml.Marshal(message{queueText(raw)})
		require.NoError(t, err)
		var got message
		require.NoError(t, xml.Unmarshal(sent, &got))
		if got.MessageText != string(raw) {
			decoded, err := base64.StdEncoding.DecodeString(got.MessageText)
			require.NoError(t, err)
			assert.Equal(t, raw, decoded)
			assert.True(t, !utf8.Valid(raw) || !isPlain(raw), "plain text goes plain")
		}
	})
}

func isPlain(raw []byte) bool {
	for _, r := range string(raw) {
		if r < ' ' && r != '\n' && r != '\t' || r == 0xfffe || r == 0xffff {
			return false
		}
	}
	return true
}
