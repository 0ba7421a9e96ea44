package handler

import (
	"bytes"
	"path/filepath"
)

// Root is the folder of the Functions app, the one with host.json: what the host
// says, else, where the program was started by hand, its executable's folder
// (see os.Executable).
func Root(getenv func(string) string, executable string) string {
	if root := getenv(envRoot); root != "" {
		return root
	}
	return filepath.Dir(executable)
}

// stripComments replaces the // and /* */ comments and the byte order mark that
// the host's JSON parser allows in host.json, by spaces, so that the positions
// in error messages stay true.
func stripComments(data []byte) []byte {
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
