// Package dotnet reads the text forms that .NET programs, such as the Functions
// host, take in their configuration: JSON with comments, and TimeSpan. It knows
// nothing of what is configured.
package dotnet

import "bytes"

// WithoutComments replaces the // and /* */ comments and the byte order mark that
// the host's JSON parser (Newtonsoft.Json) allows, by spaces, so that the positions
// in error messages stay true.
func WithoutComments(data []byte) []byte {
	out := bytes.Clone(data)
	blank := func(from, to int) {
		for i := from; i < to; i++ {
			if out[i] != '\n' {
				out[i] = ' '
			}
		}
	}
	i := 0
	if bytes.HasPrefix(data, []byte("\ufeff")) {
		i = len("\ufeff")
		blank(0, i)
	}
	for i < len(data) {
		length := 1
		switch rest := data[i:]; {
		case rest[0] == '"':
			length = stringLength(rest)
		case bytes.HasPrefix(rest, []byte("//")):
			length = lengthThrough(rest, "\n")
			blank(i, i+length)
		case bytes.HasPrefix(rest, []byte("/*")):
			length = 2 + lengthThrough(rest[2:], "*/")
			blank(i, i+length)
		}
		i += length
	}
	return out
}

// stringLength is the length of the JSON string that data begins with, quotes included.
func stringLength(data []byte) int {
	for i := 1; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(data)
}

// lengthThrough is the length of data up to and with end, or all of it.
func lengthThrough(data []byte, end string) int {
	if i := bytes.Index(data, []byte(end)); i >= 0 {
		return i + len(end)
	}
	return len(data)
}
