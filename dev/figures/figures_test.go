package figures

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFiguresAreCollected(t *testing.T) {
	path := filepath.Join(t.TempDir(), "figures")
	t.Setenv("FIGURES", path)
	Print(t, "%d rows", 1)
	Print(t, "%d rows", 2)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "TestFiguresAreCollected: 1 rows\nTestFiguresAreCollected: 2 rows\n", string(text))
}
