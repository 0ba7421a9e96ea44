package overview

import (
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestASecretIsNeverShownWhateverTheEncoding(t *testing.T) {
	t.Parallel()
	plain := `{"modelUri":"https://example.com/m?sig=c2VjcmV0"}`
	for what, raw := range map[string]string{
		"text": plain, "Base64": base64.StdEncoding.EncodeToString([]byte(plain)), "no text": plain + "\xff\x00",
	} {
		text, isBase64 := Shown([]byte(raw))
		if isBase64 {
			decoded, err := base64.StdEncoding.DecodeString(text)
			require.NoError(t, err)
			text = string(decoded)
		}
		assert.Contains(t, text, "modelUri", what)
		assert.NotContains(t, text, "c2VjcmV0", what)
	}
}
