package dotnet

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf16"

	"visionkeeper/internal/pattern"
)

// JSON returns data, which Newtonsoft.Json takes, as standard JSON. It spells out
// what the host's parser allows besides: // and /* */ comments, commas before a
// closing bracket, single quotes, and names without quotes. A byte order mark is taken
// away, and UTF-16, which Windows PowerShell writes, becomes UTF-8. Where no quotes are
// changed, lines and columns stay the same. What is no JSON to either stays wrong.
func JSON(data []byte) []byte {
	data = utf8Text(data)
	out := make([]byte, 0, len(data))
	comma, last := -1, byte('[') // where the last token is a comma after a value, in out; how that token begins
	token := func(text []byte) {
		switch c := text[0]; {
		case c == ',' && strings.IndexByte("[{,", last) < 0:
			comma = len(out)
		case (c == '}' || c == ']') && comma >= 0:
			out[comma] = ' '
			fallthrough
		default:
			comma = -1
		}
		last = text[0]
		out = append(out, text...)
	}
	blank := func(text []byte) {
		for _, c := range string(text) { // so that columns stay
			if c != '\n' {
				c = ' '
			}
			out = append(out, byte(c))
		}
	}
	for rest := data; len(rest) > 0; {
		length := 1
		switch c := rest[0]; {
		case bytes.HasPrefix(rest, []byte("//")):
			length = lengthThrough(rest, "\n")
			blank(rest[:length])
		case bytes.HasPrefix(rest, []byte("/*")):
			length = 2 + lengthThrough(rest[2:], "*/")
			blank(rest[:length])
		case c == ' ', c == '\t', c == '\r', c == '\n':
			out = append(out, c)
		case c == '"':
			length = stringLength(rest)
			token(rest[:length])
		case c == '\'':
			length = stringLength(rest)
			token(doubleQuoted(rest[:length]))
		default:
			if name := bareName().FindSubmatch(rest); name != nil {
				length = len(name[1])
				token([]byte(`"` + string(name[1]) + `"`))
			} else {
				token(rest[:1])
			}
		}
		rest = rest[length:]
	}
	return out
}

// bareName is a name without quotes, up to its colon.
var bareName = pattern.Of(`^([A-Za-z_$][A-Za-z0-9_$]*)\s*:`)

// doubleQuoted returns a string in single quotes as one in double quotes.
func doubleQuoted(text []byte) []byte {
	out := []byte{'"'}
	inner := text[1:]
	if len(inner) > 0 && inner[len(inner)-1] == '\'' {
		inner = inner[:len(inner)-1]
	} else {
		return text // never closed
	}
	for i := 0; i < len(inner); i++ {
		switch {
		case inner[i] == '"':
			out = append(out, '\\', '"')
		case inner[i] == '\\' && i+1 < len(inner):
			if i++; inner[i] != '\'' {
				out = append(out, '\\')
			}
			out = append(out, inner[i])
		default:
			out = append(out, inner[i])
		}
	}
	return append(out, '"')
}

// utf8Text is data in UTF-8 without its byte order mark.
func utf8Text(data []byte) []byte {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		order = binary.LittleEndian
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		order = binary.BigEndian
	default:
		return bytes.TrimPrefix(data, []byte("\ufeff"))
	}
	var units []uint16
	for rest := data[2:]; len(rest) >= 2; rest = rest[2:] {
		units = append(units, order.Uint16(rest))
	}
	return []byte(string(utf16.Decode(units)))
}

// stringLength returns the length of the string at the beginning of data, with its
// quotes, which are single or double.
func stringLength(data []byte) int {
	for i := 1; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case data[0]:
			return i + 1
		}
	}
	return len(data)
}

// lengthThrough returns the length of data up to and including end, or the length
// of data if it doesn't contain end.
func lengthThrough(data []byte, end string) int {
	if i := bytes.Index(data, []byte(end)); i >= 0 {
		return i + len(end)
	}
	return len(data)
}
