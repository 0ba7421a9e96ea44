package cli

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestForeignTextCannotSteerATerminal(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "a·[31mb\n·", printable("a\x1b[31mb\n\u009b"))
}
