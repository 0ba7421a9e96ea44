package dotnet

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestJSONWithoutCommentsAndLastCommas(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"{} // end":                       "{}",
		"{ // a\n \"b\": 1 }":             "{\n\"b\":1}",
		"{/* a\n// b */\"c\":/**/1}":      "{\n\"c\":1}",
		`{"a":"// no","b":"/* no */"}`:    `{"a":"//no","b":"/*no*/"}`,
		`{"a":"\"// still no"} // yes`:    `{"a":"\"//stillno"}`,
		`{"a":"\\"} // "not a string`:     `{"a":"\\"}`,
		`{"a":"never closed`:              `{"a":"neverclosed`,
		`{} /* never closed`:              "{}",
		"{} /":                            "{}/",
		`{"a":[1,2,],"b":{"c":1,},}`:      `{"a":[1,2],"b":{"c":1}}`,
		"[1, // one\n ] ":                 "[1\n]",
		`{"a":",}","b":"x,]" , /*c*/ }`:   `{"a":",}","b":"x,]"}`,
		`{"a":1,"b":[1,[2,],],"c":"\",]"`: `{"a":1,"b":[1,[2]],"c":"\",]"`,
	} {
		got := JSON([]byte(in))
		assert.Len(t, got, len(in), "positions stay: %s", in)
		assert.Equal(t, want, strings.ReplaceAll(string(got), " ", ""), in)
	}
}

func TestTheByteOrderMarkIsTakenAway(t *testing.T) {
	t.Parallel()
	for what, in := range map[string]string{
		"UTF-8":                 "\xef\xbb\xbf{\"a\":\"é\"}",
		"UTF-16":                "\xff\xfe{\x00\"\x00a\x00\"\x00:\x00\"\x00\xe9\x00\"\x00}\x00",
		"UTF-16, big end first": "\xfe\xff\x00{\x00\"\x00a\x00\"\x00:\x00\"\x00\xe9\x00\"\x00}",
		"none":                  "{\"a\":\"é\"}",
	} {
		assert.Equal(t, `{"a":"é"}`, string(JSON([]byte(in))), what)
	}
}

func TestJSONWithOtherQuotes(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{'a':'b'}`:                     `{"a":"b"}`,
		`{'a"b':'it\'s "x"\n\\', }`:     `{"a\"b":"it's \"x\"\n\\"  }`,
		`{a:1,_b$2 : true, $c:[null,]}`: `{"a":1,"_b$2" : true, "$c":[null ]}`,
		`{"a":"it's","b":"x: y"}`:       `{"a":"it's","b":"x: y"}`,
		`{'a':'// no'} // yes`:          `{"a":"// no"}       `,
		`{"a":true,"b":false,"c":null}`: `{"a":true,"b":false,"c":null}`,
		`['']`:                          `[""]`,
	} {
		got := JSON([]byte(in))
		assert.Equal(t, want, string(got), in)
		require.True(t, json.Valid(got), in)
	}
}

func TestWhatIsNoJSONStaysWrong(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"", "{", "{,}", "[,]", "[1,,]", `{"a":1,,}`, `{'a`, `{'`, `{'a\'`, "{a}", "{a b:1}", `{"a" 1}`, "x", "'a':1", "{} {}"} {
		var value any
		assert.Error(t, json.Unmarshal(JSON([]byte(in)), &value), in)
	}
}

func FuzzJSON(f *testing.F) {
	for _, text := range []string{"\ufeff{}", `{"a":[1,],}`, "{'a':\"'\"} // x", "{a:1} /*", `'\`, `"\`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := JSON([]byte(text))
		if json.Valid([]byte(text)) && string(got) != text {
			t.Fatalf("%q was JSON and became %q", text, got)
		}
	})
}
