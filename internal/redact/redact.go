// Package redact keeps secrets out of what is printed: a last net below the care
// that errors and log lines already take.
package redact

import (
	"bytes"
	"io"
	"regexp"
	"strings"
)

// Mark stands where a secret stood.
const Mark = "[redacted]"

// signature matches what follows sig= in a shared access signature, AccountKey=
// in a connection string, and a bearer token, also where JSON or URL escaping
// wrote "=" or "&" otherwise.
var signature = regexp.MustCompile(`(?i)(sig(?:=|%3d|\\u003d)|AccountKey=|SharedAccessSignature=|\bBearer )[^\s"'&;\\<>]+`)

// String replaces signatures, account keys and bearer tokens in s.
func String(s string) string { return signature.ReplaceAllString(s, "${1}"+Mark) }

// Writer passes on what is written to w, with the given secrets, and whatever
// String knows, replaced. Each Write must hold whole lines, as zerolog's do.
func Writer(w io.Writer, secrets ...string) io.Writer {
	var pairs []string
	for _, s := range secrets {
		if s != "" {
			pairs = append(pairs, s, Mark)
		}
	}
	return &writer{w, strings.NewReplacer(pairs...)}
}

type writer struct {
	w       io.Writer
	secrets *strings.Replacer
}

func (w *writer) Write(p []byte) (int, error) {
	clean := w.secrets.Replace(String(string(p)))
	if !bytes.Equal(p, []byte(clean)) {
		if _, err := io.WriteString(w.w, clean); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	return w.w.Write(p)
}
