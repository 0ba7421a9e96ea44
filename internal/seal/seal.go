// Package seal writes JSON documents that prove they are whole: the document
// stands under "body" beside the SHA-256 of its compact form. It finds damage
// by accident, a flipped byte or a cut file; it doesn't keep out anyone who can
// compute a new hash. Start reading at Marshal.
//
// The hash can mostly be checked without this package, with jq 1.7 or newer,
// which writes all but a few rare characters and numbers as they stand here:
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

// ErrBroken says that a document isn't what was sealed.
var ErrBroken = errors.New("the document is not what was once written")

type envelope struct {
	SHA256 string          `json:"sha256"` // lower-case hex
	Body   json.RawMessage `json:"body"`
}

// Marshal is v as a sealed, indented JSON document that ends with a newline.
func Marshal(v any) ([]byte, error) {
	body, err := encode(v, "")
	if err != nil {
		return nil, err
	}
	body = bytes.TrimSuffix(body, []byte("\n"))
	return encode(envelope{SHA256: sum(body), Body: body}, "  ")
}

// Unmarshal checks a sealed document and decodes its body into v. The error is
// ErrBroken where anything but white space between the tokens has changed. The
// body is never decoded unless it is whole.
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

// encode leaves <, > and & as they are, so that other programs' compact form of
// the body is the same as ours.
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
