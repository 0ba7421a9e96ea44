// Package redact removes secrets from output. It is a second line of defence:
// errors and log lines already leave secrets out.
package redact

import (
	"bytes"
	"io"
	"regexp"
	"strings"
)

// mark replaces each secret.
const mark = "[redacted]"

// signature matches the secret after sig= in a shared access signature, after
// AccountKey= in a connection string, and in a bearer token. It also matches
// where JSON or URL escapes replace "=" or "&".
var signature = regexp.MustCompile(`(?i)(sig(?:=|%3d|\\u003d)|AccountKey=|SharedAccessSignature=|\bBearer )[^\s"'&;\\<>]+`)

// String returns s with signatures, account keys and bearer tokens replaced by
// mark.
func String(s string) string { return signature.ReplaceAllString(s, "${1}"+mark) }

// Writer returns a writer that passes everything on to w, with the given secrets
// and the secrets that String finds replaced by mark. Each Write must hold whole
// lines, as zerolog's do.
func Writer(w io.Writer, secrets ...string) io.Writer {
	var pairs []string
	for _, s := range secrets {
		if s != "" {
			pairs = append(pairs, s, mark)
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
