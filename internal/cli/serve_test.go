package cli_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestTheHostIsServedWhateverFlagsItStartsTheProgramWith: host.json may name arguments
// (customHandler.description.arguments). Without settings, serving ends with an error.
func TestTheHostIsServedWhateverFlagsItStartsTheProgramWith(t *testing.T) {
	t.Parallel()
	for _, flags := range [][]string{nil, {"--verbose"}, {"--json"}} {
		p := start(t, t.TempDir(), map[string]string{"FUNCTIONS_CUSTOMHANDLER_PORT": "0"}, nil, flags...)
		assert.Equal(t, 1, p.code(), "%q: the host doesn't start a program again that ends with 0", flags)
		assert.Contains(t, p.stderr.String(), "the program ends", "%q", flags)
		assert.Empty(t, p.stdout.String(), "%q: no help", flags)
	}
}
