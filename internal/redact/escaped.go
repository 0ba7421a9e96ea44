package redact

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// What escapes begin or end with, itself escaped as often as it may be.
const (
	percent   = `%(?:25)*`
	backslash = `(?:\\|` + percent + `5c)`
	ampersand = `(?:&|` + percent + `26|` + backslash + `+u0026)(?:amp` + semicolon + `)*`
	number    = `(?:#|` + percent + `23)`
	semicolon = `(?:;|` + percent + `3b)`
)

// entities are the names that XML has for characters.
var entities = map[rune]string{'"': "quot", '\'': "apos", '<': "lt", '>': "gt"}

// escapesOf are the characters of which one is in a text that has a secret escaped.
func escapesOf(secrets []string) string {
	if strings.Contains(strings.Join(secrets, ""), " ") {
		return `\%&` + "+\n"
	}
	return `\%&`
}

// everyFormOf returns a regular expression for texts in which each character may be
// escaped.
func everyFormOf(secrets []string) *regexp.Regexp {
	var forms []string
	for _, s := range secrets {
		forms = append(forms, everyForm(s))
	}
	return regexp.MustCompile(strings.Join(forms, "|"))
}

// everyForm returns a regular expression for a text in which each character may be
// escaped.
func everyForm(text string) string {
	var form strings.Builder
	for _, c := range text {
		form.WriteString(escaped(c))
	}
	return form.String()
}

// escaped returns a regular expression for a character as it is, and as JSON
// (\u002b), URLs (%2B), HTML (&#43;) and Go (\x2b) write it, also one in another
// (%5Cu002b), and more than once (%252B).
func escaped(c rune) string {
	var inURL, inJSON string
	for _, b := range []byte(string(c)) {
		inURL += percent + fmt.Sprintf("%02x", b)
	}
	for _, unit := range utf16.Encode([]rune{c}) {
		inJSON += backslash + fmt.Sprintf("+u%04x", unit)
	}
	inHTML := ampersand + `(?:` + number + fmt.Sprintf("(?:0*%d|x0*%x)", c, c)
	if name, ok := entities[c]; ok {
		inHTML += `|` + name
	}
	inHTML += `)` + semicolon
	inGo := backslash + fmt.Sprintf("+(?:x%02x|U%08x)", c, c)
	before, forms := ``, []string{inHTML, inJSON, inGo, inURL} // the longer first, where one begins like another
	if c < utf8.RuneSelf && (unicode.IsLetter(c) || unicode.IsDigit(c)) {
		forms = []string{inJSON, inURL} // more would be slow, and who escapes these escapes all of them so
	}
	switch c {
	case '\\':
		forms = []string{inHTML, inJSON, inGo, backslash + `+`}
	case '&':
		forms = []string{inHTML, ampersand, inGo}
	case ' ': // so URLs' queries write it, and lines that are wrapped for a terminal
		forms = append(forms, escaped('+'), `\n *`)
	case '"', '\'', '/': // so JSON and JavaScript write them
		before = backslash + `*`
	}
	return `(?i:` + before + `(?:` + strings.Join(forms, `|`) + `|(?-i:` + regexp.QuoteMeta(string(c)) + `)))`
}
