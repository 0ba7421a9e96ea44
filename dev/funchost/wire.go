package funchost

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// object is a JSON object whose properties have an order. Names are compared in
// any letter case, as in the host's binding data.
type object []property

type property struct {
	name  string
	value []byte // JSON
}

func (o *object) set(name string, value []byte) {
	for i := range *o {
		if strings.EqualFold((*o)[i].name, name) {
			(*o)[i].value = value
			return
		}
	}
	*o = append(*o, property{name, value})
}

func (o *object) remove(name string) {
	*o = slices.DeleteFunc(*o, func(p property) bool { return strings.EqualFold(p.name, name) })
}

func (o object) has(name string) bool {
	return slices.ContainsFunc(o, func(p property) bool { return strings.EqualFold(p.name, name) })
}

func (o object) json() []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, p := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(quote(p.name))
		b.WriteByte(':')
		b.Write(p.value)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// envelope returns the body of an invocation.
func envelope(data, metadata object) []byte {
	return object{{"Data", data.json()}, {"Metadata", metadata.json()}}.json()
}

// quote writes a JSON string as Newtonsoft.Json does: without HTML escapes, with
// lower-case \u escapes for control characters, U+0085, U+2028 and U+2029.
func quote(s string) []byte {
	out := make([]byte, 0, len(s)+2)
	out = append(out, '"')
	for _, r := range s {
		switch {
		case r == '"', r == '\\':
			out = append(out, '\\', byte(r))
		case r == '\n':
			out = append(out, `\n`...)
		case r == '\r':
			out = append(out, `\r`...)
		case r == '\t':
			out = append(out, `\t`...)
		case r == '\b':
			out = append(out, `\b`...)
		case r == '\f':
			out = append(out, `\f`...)
		case r < 0x20, r == 0x85, r == 0x2028, r == 0x2029:
			out = fmt.Appendf(out, `\u%04x`, r)
		default:
			out = utf8.AppendRune(out, r)
		}
	}
	return append(out, '"')
}

// doubled returns the wire form of a string, number or Guid: a JSON string that
// holds the value's JSON (ScriptInvocationContextExtensions.cs).
func doubled(json []byte) []byte { return quote(string(json)) }

func doubledText(s string) []byte { return doubled(quote(s)) }

// date returns the wire form of a DateTime, in whole seconds.
func date(t time.Time) []byte { return quote(t.UTC().Format("2006-01-02T15:04:05-07:00")) }

// system returns the Metadata that every invocation has (SystemBindingData.cs).
func system(f *function, now time.Time) []byte {
	return object{
		{"MethodName", quote(f.name)},
		{"UtcNow", quote(now.UTC().Format("2006-01-02T15:04:05.9999999Z"))},
		{"RandGuid", quote(newGUID())},
	}.json()
}

// newGUID returns a random GUID, lower case with hyphens.
func newGUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// compact removes the white space between the tokens of raw JSON.
func compact(raw json.RawMessage) []byte {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return []byte("null")
	}
	return b.Bytes()
}
