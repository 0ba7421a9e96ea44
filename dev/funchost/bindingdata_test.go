package funchost

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestApplyBindingData(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"text", `{"a":"x"}`, `{"a":"\"x\""}`},
		{"white space around", " {\"a\":\"x\"}\n", `{"a":"\"x\""}`},
		{"integer", `{"a":12345678901234567890}`, `{"a":"\"12345678901234567890\""}`},
		{"fractions", `{"a":1.50,"b":1e15,"c":0.00001,"d":-0.25}`, `{"a":"\"1.5\"","b":"\"1E+15\"","c":"\"1E-05\"","d":"\"-0.25\""}`},
		{"booleans", `{"a":true,"b":false}`, `{"a":"\"True\"","b":"\"False\""}`},
		{"date in UTC", `{"a":"2026-08-27T10:11:12.5Z"}`, `{"a":"\"08/27/2026 10:11:12\""}`},
		{"date without zone", `{"a":"2026-08-27T10:11:12"}`, `{"a":"\"08/27/2026 10:11:12\""}`},
		{"a day is text", `{"a":"2026-08-27"}`, `{"a":"\"2026-08-27\""}`},
		{"object", `{"a":{ "b" : [1] }}`, `{"a":{"b":[1]}}`},
		{"last of equal names", `{"a":1,"a":2}`, `{"a":"\"2\""}`},
		{"spelling of the first", `{"a":1,"A":2}`, `{"a":"\"2\""}`},
		{"list and null are left out", `{"a":[1],"b":null}`, `{}`},
		{"not an object", `[1]`, `{}`},
		{"not JSON", `{"a":}`, `{}`},
		{"more behind it", `{"a":1}{"b":2}`, `{}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var metadata object
			applyBindingData(c.text, &metadata)
			assert.Equal(t, c.want, string(metadata.json()))
		})
	}
}
