package handler

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"unicode/utf8"

	"visionkeeper/internal/remedy"
)

// setBinary is what to do about a binding whose value is no Base64.
const setBinary = `set "dataType": "binary" on it in function.json`

// The encodings below are those of
// ScriptInvocationContextExtensions.GetHttpScriptInvocationContextValue in the
// host's source. The encoding is not guessed: the caller chooses the method that
// fits the dataType in function.json.

// Bytes returns the exact bytes of a binding that has "dataType": "binary" in its
// function.json. The host sends them as Base64.
//
// Without that dataType, a JSON object, or a string that holds another JSON
// string, can't be Base64: Bytes returns the bytes of its text. Any other value
// is an error.
func (inv *Invocation) Bytes(binding string) ([]byte, error) {
	raw, err := inv.value(binding)
	if err != nil {
		return nil, err
	}
	s, ok := unquote(raw)
	if !ok {
		if raw[0] == '{' {
			return raw, nil
		}
		return nil, remedy.New(setBinary, "binding %q is neither Base64 nor text", binding)
	}
	if text, ok := unquote([]byte(s)); ok {
		return []byte(text), nil
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, remedy.New(setBinary, "binding %q is not Base64: %w", binding, err)
	}
	return b, nil
}

// Text returns the text of a binding without dataType. The host encodes text
// twice, as a string that holds a JSON string: Text decodes both. Any other
// string is returned as it is, and any other JSON value as its JSON.
func (inv *Invocation) Text(binding string) (string, error) {
	raw, err := inv.value(binding)
	if err != nil {
		return "", err
	}
	s, ok := unquote(raw)
	if !ok {
		return string(raw), nil
	}
	if text, ok := unquote([]byte(s)); ok {
		return text, nil
	}
	return s, nil
}

// JSON decodes a binding without dataType into v. The binding's value is JSON, or
// text that holds JSON.
func (inv *Invocation) JSON(binding string, v any) error {
	text, err := inv.Text(binding)
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(text), v); err != nil {
		return fmt.Errorf("cannot read binding %q as JSON: %w", binding, err)
	}
	return nil
}

// value returns the JSON of a binding. A binding that is missing or null is an
// error.
func (inv *Invocation) value(binding string) (json.RawMessage, error) {
	raw := inv.Data[binding]
	if len(raw) == 0 || string(raw) == "null" {
		return nil, remedy.New(`use the "name" of a binding in function.json`, "the invocation has no value for binding %q", binding)
	}
	return raw, nil
}

// unquote decodes raw if it is one JSON string. (strconv.Unquote is for Go's
// strings: it refuses \/ and breaks surrogate pairs.)
func unquote(raw []byte) (string, bool) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	if n := len(raw) - 1; n > 0 && raw[n] == '"' && !slices.ContainsFunc(raw[1:n], special) {
		return string(raw[1:n]), true // the decoder would have the function's new stack copied as it grows
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", false
	}
	return s, true
}

// special reports whether a byte within a string's quotes stands for something else, or may
// not stand there.
func special(b byte) bool { return b < ' ' || b >= utf8.RuneSelf || b == '"' || b == '\\' }
