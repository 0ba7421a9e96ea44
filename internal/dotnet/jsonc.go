// Package dotnet reads two text forms of .NET configuration files, such as those
// of the Functions host: JSON with comments, and TimeSpan. It knows nothing of
// the settings in such a file.
package dotnet

import "bytes"

// WithoutComments returns data with spaces in place of the byte order mark and of
// // and /* */ comments, which the host's JSON parser (Newtonsoft.Json) allows.
// Positions in error messages stay the same.
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

// stringLength returns the length of the JSON string at the beginning of data,
// quotes included.
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

// lengthThrough returns the length of data up to and including end, or the length
// of data if it doesn't contain end.
func lengthThrough(data []byte, end string) int {
	if i := bytes.Index(data, []byte(end)); i >= 0 {
		return i + len(end)
	}
	return len(data)
}
