package redact

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// escapers are ways in which a text is written inside another.
var escapers = map[string]func(string) string{
	"JSON":        func(s string) string { b, _ := json.Marshal(s); return inner(string(b)) },
	"plain JSON":  plainJSON,
	"JSON of PHP": func(s string) string { return strings.ReplaceAll(plainJSON(s), "/", `\/`) },
	"JSON of .NET": func(s string) string {
		var b strings.Builder
		for _, c := range s {
			if strings.ContainsRune(`"&'+<>`+"`", c) || c > 126 {
				b.WriteString(inner(strconv.QuoteToASCII(string(c))))
			} else {
				b.WriteString(plainJSON(string(c)))
			}
		}
		return strings.NewReplacer(`\"`, `\u0022`, `&`, `\u0026`, `'`, `\u0027`, `+`, `\u002B`, `<`, `\u003C`, `>`, `\u003E`).Replace(b.String())
	},
	"all of it in JSON": func(s string) string {
		var b strings.Builder
		for _, c := range s {
			if c < 0x10000 {
				fmt.Fprintf(&b, `\u%04x`, c)
			} else {
				b.WriteRune(c)
			}
		}
		return b.String()
	},
	"Go":         func(s string) string { return inner(strconv.QuoteToASCII(s)) },
	"URL query":  url.QueryEscape,
	"URL path":   url.PathEscape,
	"lower case": func(s string) string { return lower(url.QueryEscape(s)) },
	"all of it in a URL": func(s string) string {
		var b strings.Builder
		for _, c := range []byte(s) {
			fmt.Fprintf(&b, "%%%02X", c)
		}
		return b.String()
	},
	"HTML": html.EscapeString,
	"XML":  func(s string) string { var b bytes.Buffer; _ = xml.EscapeText(&b, []byte(s)); return b.String() },
	"HTML of .NET": func(s string) string {
		return strings.NewReplacer("&", "&amp;", "+", "&#x2B;", "=", "&#x3D;", "'", "&#x27;", `"`, "&quot;", "<", "&lt;", ">", "&gt;").Replace(s)
	},
}

func inner(quoted string) string { return quoted[1 : len(quoted)-1] }

func plainJSON(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s)
	return inner(strings.TrimSuffix(b.String(), "\n"))
}

// lower returns a URL's text with its escapes in lower case.
func lower(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' {
			b.WriteString(strings.ToLower(s[i : i+3]))
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func TestASecretIsFoundInEveryForm(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{
		"Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
		"a+b/c==", `with "quotes" & <signs> 'and' a \ backslash`, "zażółć 🐈",
	} {
		var out bytes.Buffer
		w := Writer(&out, secret)
		for name, first := range escapers {
			for deeper, second := range escapers {
				if strings.HasPrefix(deeper, "all") {
					second = func(s string) string { return s } // nobody escapes what an escape is made of
				}
				out.Reset()
				_, err := io.WriteString(w, "<"+second(first(secret))+">")
				require.NoError(t, err)
				assert.Equal(t, "<[redacted]>", out.String(), "%s, %s in %s", secret, name, deeper)
			}
		}
	}
}

func TestAnySecretIsFoundHoweverOftenItIsEscaped(t *testing.T) {
	t.Parallel()
	var names []string
	for name := range escapers {
		if !strings.HasPrefix(name, "all") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.StringMatching(`[ -~ą🐈]{1,20}`).Draw(t, "secret")
		text := secret
		for _, name := range rapid.SliceOfN(rapid.SampledFrom(names), 0, 4).Draw(t, "escaped") {
			text = escapers[name](text)
		}
		var out bytes.Buffer
		_, err := io.WriteString(Writer(&out, secret), "<"+text+">")
		require.NoError(t, err)
		assert.Regexp(t, `^<?(\[redacted\])+>?$`, out.String(), text)
	})
}

func TestASignatureIsFoundInEveryForm(t *testing.T) {
	t.Parallel()
	const key = "aB+c/dE=="
	for before, after := range map[string]string{
		"https://a.example/b?sv=1&sig=": "&se=2", "AccountName=a;AccountKey=": ";EndpointSuffix=x", "Authorization: Bearer ": " x",
	} {
		for name, escape := range escapers {
			for deeper, again := range escapers {
				if strings.HasPrefix(name+deeper, "all") || strings.HasPrefix(deeper, "all") {
					continue // nobody writes letters so; a secret that isn't known isn't found then
				}
				for _, written := range []string{key, url.QueryEscape(key)} {
					text := again(escape(before + written + after))
					clean := String(text)
					for _, part := range []string{again(escape(written)), "aB", "dE"} {
						assert.NotContains(t, clean, part, "%s in %s: %s", name, deeper, text)
					}
				}
			}
		}
	}
}

func TestTheLongerSecretGoesFirst(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	_, err := io.WriteString(Writer(&out, "key", "key-of-all"), "key-of-all key")
	require.NoError(t, err)
	assert.Equal(t, "[redacted] [redacted]", out.String())
}

// A text without what escapes begin with is searched for the secrets as they are: that
// finds what the expression of all forms finds.
func TestTextsWithoutEscapesAreSearchedAsThoroughly(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		letters := rapid.StringMatching(`[aA+ ;#\\%&/"=\n]{1,3}`)
		secrets := rapid.SliceOfN(letters, 1, 3).Draw(t, "secrets")
		slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
		text := rapid.StringMatching(`[aA+ ;#\\%&/"=\n]{0,12}`).Draw(t, "text")
		assert.Equal(t, everyFormOf(secrets).ReplaceAllLiteralString(text, mark), Remover(secrets...)(text))
	})
}

func BenchmarkWriter(b *testing.B) {
	key := strings.Repeat("Eby8vdM02xNOcqFlqUwJPLlm+tlCDXJ1OUzFT50uSRZ", 2) + "=="
	for b.Loop() {
		Writer(io.Discard, key, strings.ToLower(key), "0123456789abcdef0123456789abcdef")
	}
}

func BenchmarkLine(b *testing.B) {
	key := strings.Repeat("Eby8vdM02xNOcqFlqUwJPLlm+tlCDXJ1OUzFT50uSRZ", 2) + "=="
	w := Writer(io.Discard, key, strings.ToLower(key), "0123456789abcdef0123456789abcdef")
	line := []byte(`{"level":"info","time":"2026-11-25T12:00:00Z","message":"` + strings.Repeat(`copied 12 bytes \u0026 more `, 20) + `"}` + "\n")
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		_, _ = w.Write(line)
	}
}
