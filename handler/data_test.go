package handler

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// with is an invocation whose binding msg has this JSON.
func with(value string) *Invocation {
	return &Invocation{Data: map[string]json.RawMessage{"msg": json.RawMessage(value)}}
}

func TestBytesOfABindingThatIsNotDeclaredBinary(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ value, want string }{
		"text, encoded twice":    {`"\"aGVsbG8=\""`, "aGVsbG8="},
		"text that looks quoted": {`"\"\\\"x\\\"\""`, `"x"`},
		"object":                 {`{"a":1}`, `{"a":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := with(c.value).Bytes("msg")
			require.NoError(t, err)
			assert.Equal(t, c.want, string(got))
		})
	}
}

func TestBytesNeverGuesses(t *testing.T) {
	t.Parallel()
	for _, value := range []string{`"hello!"`, `"s3cret text"`, `"aGVsbG8"`, `123`, `true`, `["aGVsbG8="]`} {
		t.Run(value, func(t *testing.T) {
			t.Parallel()
			_, err := with(value).Bytes("msg")
			require.ErrorContains(t, err, `"dataType": "binary"`)
			assert.NotContains(t, err.Error(), "s3cret")
		})
	}
}

func TestTextOfValuesThatAreEncodedOnce(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		`"hello"`:             "hello",
		`"\"not closed"`:      `"not closed`,
		`"a\/b \ud83d\ude00"`: "a/b 😀",
		`{"a":1}`:             `{"a":1}`,
		`[1,2]`:               `[1,2]`,
		`123`:                 `123`,
		`true`:                `true`,
	} {
		t.Run(value, func(t *testing.T) {
			t.Parallel()
			got, err := with(value).Text("msg")
			require.NoError(t, err)
			assert.Equal(t, want, got)
		})
	}
}

func TestAMissingBindingIsNamed(t *testing.T) {
	t.Parallel()
	for name, inv := range map[string]*Invocation{"absent": {}, "null": with("null")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := inv.Bytes("msg")
			require.ErrorContains(t, err, `"msg"`)
			_, err = inv.Text("msg")
			require.ErrorContains(t, err, `"msg"`)
			require.ErrorContains(t, inv.JSON("msg", &struct{}{}), `"msg"`)
		})
	}
}

func TestJSONReadsAValueOrTheTextOfOne(t *testing.T) {
	t.Parallel()
	for _, value := range []string{`{"a":1}`, `"{\"a\":1}"`, `"\"{\\\"a\\\":1}\""`} {
		t.Run(value, func(t *testing.T) {
			t.Parallel()
			var v struct{ A int }
			require.NoError(t, with(value).JSON("msg", &v))
			assert.Equal(t, 1, v.A)
		})
	}
	require.ErrorContains(t, with(`"hello"`).JSON("msg", &struct{}{}), `"msg"`)
}

func TestWhateverTheHostEncodesIsReadBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		once, err := json.Marshal(text)
		require.NoError(t, err)
		twice, err := json.Marshal(string(once))
		require.NoError(t, err)
		gotText, err := with(string(twice)).Text("msg")
		require.NoError(t, err)
		assert.Equal(t, text, gotText)

		data := rapid.SliceOf(rapid.Byte()).Draw(t, "data")
		gotData, err := with(`"` + base64.StdEncoding.EncodeToString(data) + `"`).Bytes("msg")
		require.NoError(t, err)
		assert.Equal(t, string(data), string(gotData))
	})
}

// TestStringsAreReadAsTheDecoderReadsThem has those that are read without it.
func TestStringsAreReadAsTheDecoderReadsThem(t *testing.T) {
	t.Parallel()
	parts := rapid.SampledFrom([]string{"a", "/", "é", "\u2028", "\xe9", "\n", "\x1f", "\x7f", `"`, `\`, `\"`, `\n`, `\u00e9`})
	rapid.Check(t, func(t *rapid.T) {
		raw := `"` + strings.Join(rapid.SliceOfN(parts, 0, 4).Draw(t, "parts"), "") + rapid.SampledFrom([]string{`"`, ""}).Draw(t, "end")
		var want string
		err := json.Unmarshal([]byte(raw), &want)
		got, ok := unquote([]byte(raw))
		assert.Equal(t, err == nil, ok, "%q", raw)
		if ok {
			assert.Equal(t, want, got, "%q", raw)
		}
	})
}
