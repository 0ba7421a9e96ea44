package redact

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestWriterHidesSecretsAndKeepsTheRest(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"nothing to hide":   {"copied 12 bytes\n", "copied 12 bytes\n"},
		"given secret":      {`{"key":"s3cr3t!"}`, `{"key":"[redacted]"}`},
		"signature":         {"GET /b?sv=1&sig=aB%2Fc%3D&se=2", "GET /b?sv=1&sig=[redacted]&se=2"},
		"escaped signature": {`"/b?sv=1\u0026sig=aB%2Fc"`, `"/b?sv=1\u0026sig=[redacted]"`},
		"connection string": {"AccountName=a;AccountKey=Zm9v;X=1", "AccountName=a;AccountKey=[redacted];X=1"},
		"token":             {"Authorization: Bearer ey.J.x", "Authorization: Bearer [redacted]"},
		"wrapped token":     {"a long line with Bearer\n    ey.J.x", "a long line with Bearer\n    [redacted]"},
		"wrapped secret":    {"a long line with two\n    words", "a long line with [redacted]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			n, err := io.WriteString(Writer(&out, "s3cr3t!", "", "two words"), c.in)
			assert.NoError(t, err)
			assert.Equal(t, len(c.in), n)
			assert.Equal(t, c.want, out.String())
		})
	}
}
