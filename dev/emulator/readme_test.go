package emulator

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func code(words []string) string { return "`" + strings.Join(words, "`, `") + "`" }

func TestReadmeTellsQuestionsAndControls(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	readme := string(text)
	for _, k := range Questions() {
		assert.Contains(t, readme, fmt.Sprintf("| `%s` | %s |", k.Question, code(k.Answers)))
	}
	for _, c := range controls {
		if c.name == "" {
			continue
		}
		_, row, ok := strings.Cut(readme, fmt.Sprintf("| `%s %s%s` |", c.method, controlPrefix, c.name))
		require.True(t, ok, c.name)
		row, _, _ = strings.Cut(row, "\n")
		for _, argument := range c.arguments {
			assert.Contains(t, row, "`"+argument+"`", c.name)
		}
	}
	for _, fault := range notificationFaults {
		assert.Contains(t, readme, "`"+string(fault)+"`")
	}
}
