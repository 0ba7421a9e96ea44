package dotnet

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestWithoutComments(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"{} // end":                    "{}",
		"{ // a\n \"b\": 1 }":          "{\n\"b\":1}",
		"{/* a\n// b */\"c\":/**/1}":   "{\n\"c\":1}",
		`{"a":"// no","b":"/* no */"}`: `{"a":"//no","b":"/*no*/"}`,
		`{"a":"\"// still no"} // yes`: `{"a":"\"//stillno"}`,
		`{"a":"\\"} // "not a string`:  `{"a":"\\"}`,
		"\ufeff{}":                     "{}",
		`{"a":"never closed`:           `{"a":"neverclosed`,
		`{} /* never closed`:           "{}",
		"{} /":                         "{}/",
	} {
		got := WithoutComments([]byte(in))
		assert.Len(t, got, len(in), "positions stay: %s", in)
		assert.Equal(t, want, strings.ReplaceAll(string(got), " ", ""), in)
	}
}
