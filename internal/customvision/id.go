package customvision

import (
	"errors"
	"strings"
)

// Canonical returns the canonical form of an id of the service, which may write it in either
// letter case. What is no GUID stays as it is.
func Canonical(id string) string {
	if c, err := ParseID(id); err == nil {
		return c
	}
	return id
}

// ParseID returns the canonical form of a GUID: lower case with hyphens, as the
// service writes ids. It accepts any letter case, and hyphens and surrounding
// braces may be there or not. The error doesn't quote s.
func ParseID(s string) (string, error) {
	if isCanonical(s) {
		return s, nil // as most are
	}
	if len(s) == 38 && s[0] == '{' && s[37] == '}' || len(s) == 34 && s[0] == '{' && s[33] == '}' {
		s = s[1 : len(s)-1]
	}
	digits := s
	if len(s) == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' {
		digits = s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	}
	if len(digits) != 32 || strings.Trim(digits, "0123456789abcdefABCDEF") != "" {
		return "", errors.New("an id is not a GUID")
	}
	d := strings.ToLower(digits)
	return d[:8] + "-" + d[8:12] + "-" + d[12:16] + "-" + d[16:20] + "-" + d[20:], nil
}

// isCanonical reports whether s is a GUID as the service writes it.
func isCanonical(s string) bool {
	for i := range len(s) {
		c, isHyphen := s[i], i == 8 || i == 13 || i == 18 || i == 23
		if isHyphen != (c == '-') || !isHyphen && (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(s) == 36
}
