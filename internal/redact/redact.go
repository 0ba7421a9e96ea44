// Package redact removes secrets from output. It is a second line of defence:
// errors and log lines already leave secrets out.
package redact

import (
	"bytes"
	"cmp"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// mark replaces each secret.
const mark = "[redacted]"

// signature matches the secret after sig= in a shared access signature, after
// AccountKey= in a connection string, and in a bearer token, in whatever way the
// text is escaped. It is large, so it is made when there is something to look at.
var signature = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)((?:sig|AccountKey|SharedAccessSignature)` + escaped('=') + `|Bearer` + escaped(' ') + `)` +
		`(?:[^\s"'&;\\<>]|` + escaped('+') + `|` + escaped('/') + `|` + escaped('=') + `|` + escaped('%') + `)+`)
})

// String returns s with signatures, account keys and bearer tokens replaced by
// mark.
func String(s string) string {
	lower := strings.ToLower(s)
	if !slices.ContainsFunc([]string{"sig", "accountkey", "bearer"}, func(name string) bool { return strings.Contains(lower, name) }) {
		return s // the names themselves are never escaped
	}
	return signature().ReplaceAllString(s, "${1}"+mark)
}

// Writer returns a writer that passes everything on to w, with the given secrets
// and the secrets that String finds replaced by mark. It finds a secret as it is
// and as JSON, URLs, HTML and each other's texts escape it. Each Write must hold
// whole lines, as zerolog's do.
func Writer(w io.Writer, secrets ...string) io.Writer { return &writer{w, Remover(secrets...)} }

// Remover returns what Writer does to a text.
func Remover(secrets ...string) func(string) string {
	secrets = slices.DeleteFunc(slices.Clone(secrets), func(s string) bool { return s == "" })
	if len(secrets) == 0 {
		return String
	}
	// The longest first: another may be its beginning.
	slices.SortFunc(secrets, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	var plain []string
	for _, s := range secrets {
		plain = append(plain, s, mark)
	}
	asTheyAre, escapes := strings.NewReplacer(plain...), escapesOf(secrets)
	escaped := sync.OnceValue(func() *regexp.Regexp { return everyFormOf(secrets) })
	return func(s string) string {
		s = String(s)
		if !strings.ContainsAny(s, escapes) { // most texts: the expression takes longer to make than all else at the start
			return asTheyAre.Replace(s)
		}
		return escaped().ReplaceAllLiteralString(s, mark)
	}
}

type writer struct {
	w      io.Writer
	remove func(string) string
}

func (w *writer) Write(p []byte) (int, error) {
	clean := w.remove(string(p))
	if !bytes.Equal(p, []byte(clean)) {
		if _, err := io.WriteString(w.w, clean); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	return w.w.Write(p)
}
