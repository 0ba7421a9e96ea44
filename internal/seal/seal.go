// Package seal writes JSON documents whose damage can be detected. A sealed
// document has two members: "body", and the SHA-256 of the body's compact form.
// That detects accidents, such as a flipped byte or a cut file. It is no defence
// against a person, who can compute a new hash. Start reading at Marshal.
//
// Most documents can be checked without this package, with jq 1.7 or newer. (jq
// writes a few rare characters and numbers in another form.)
//
//	jq -cj .body FILE | sha256sum
package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// ErrBroken is the error for a document that isn't what was sealed.
var ErrBroken = errors.New("the document is not what was once written")

type envelope struct {
	SHA256 string          `json:"sha256"` // lower-case hex
	Body   json.RawMessage `json:"body"`
}

// Marshal returns v as a sealed, indented JSON document that ends with a newline.
func Marshal(v any) ([]byte, error) {
	body, err := encode(v, "")
	if err != nil {
		return nil, err
	}
	body = bytes.TrimSuffix(body, []byte("\n"))
	return encode(envelope{SHA256: sum(body), Body: body}, "  ")
}

// Unmarshal checks a sealed document and decodes its body into v. If anything but
// white space between the tokens has changed, the error is ErrBroken and v is
// left alone.
func Unmarshal(data []byte, v any) error {
	var e envelope
	if err := json.Unmarshal(data, &e); err != nil {
		return fmt.Errorf("%w: %w", ErrBroken, err)
	}
	var body bytes.Buffer
	if err := json.Compact(&body, e.Body); err != nil {
		return fmt.Errorf("%w: it has no body", ErrBroken)
	}
	if sum(body.Bytes()) != e.SHA256 {
		return fmt.Errorf("%w: its hash differs", ErrBroken)
	}
	return json.Unmarshal(body.Bytes(), v)
}

// encode doesn't escape <, > and &, so that the compact form is the same as that
// of other programs.
func encode(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}
