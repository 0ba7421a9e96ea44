package handler

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestRoot(t *testing.T) {
	t.Parallel()
	executable := filepath.Join("app", "visionkeeper")
	assert.Equal(t, "elsewhere", Root(env(envRoot, "elsewhere"), executable))
	assert.Equal(t, "app", Root(env(), executable))
}

func TestStripComments(t *testing.T) {
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
		got := stripComments([]byte(in))
		assert.Len(t, got, len(in), "positions stay: %s", in)
		assert.Equal(t, want, strings.ReplaceAll(string(got), " ", ""), in)
	}
}
