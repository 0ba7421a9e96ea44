package emulator

import (
	"regexp"
	"strings"
)

// comparison matches one comparison of a metadata filter: key eq 'value' or key
// ne 'value'.
var comparison = regexp.MustCompile(`(?i)^\s*([\w.-]+)\s+(eq|ne)\s+'([^']*)'\s*$`)

// The words that join comparisons. "and" binds more tightly than "or".
var (
	orWord  = regexp.MustCompile(`(?i)\s+or\s+`)
	andWord = regexp.MustCompile(`(?i)\s+and\s+`)
)

// parseFilter reads the $filter of GetImages. The contract shows it as
// metadata=key1 eq 'value1' and key2 ne 'value2'. An empty filter matches
// everything.
func parseFilter(text string) (func(map[string]string) bool, error) {
	text = strings.TrimPrefix(strings.TrimSpace(text), "metadata=")
	if text == "" {
		return func(map[string]string) bool { return true }, nil
	}
	type test struct {
		key, value string
		equal      bool
	}
	var any [][]test
	for _, part := range orWord.Split(text, -1) {
		var all []test
		for _, piece := range andWord.Split(part, -1) {
			m := comparison.FindStringSubmatch(piece)
			if m == nil {
				return nil, badRequest("BadRequestInvalid", "The filter is not valid at: %s", piece)
			}
			all = append(all, test{m[1], m[3], strings.EqualFold(m[2], "eq")})
		}
		any = append(any, all)
	}
	return func(metadata map[string]string) bool {
		for _, all := range any {
			holds := true
			for _, t := range all {
				value, ok := metadata[t.key]
				holds = holds && (ok && value == t.value) == t.equal
			}
			if holds {
				return true
			}
		}
		return false
	}, nil
}
