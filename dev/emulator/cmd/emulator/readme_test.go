package main

import (
	"flag"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestReadmeCommands runs the commands of the README. The first block starts the
// program, and those with curl run against it.
func TestReadmeCommands(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	var blocks []string
	for _, part := range strings.Split(string(text), "```sh\n")[1:] {
		block, _, _ := strings.Cut(part, "```")
		blocks = append(blocks, block)
	}
	_, args, ok := strings.Cut(strings.TrimSpace(blocks[0]), "go run ./dev/emulator/cmd/emulator ")
	require.True(t, ok)
	args = strings.Replace(args, "-key local", "", 1)
	_, address := program(t, build(t), append([]string{"-key", "local"}, strings.Fields(args)...)...)
	ran := 0
	for _, block := range blocks[1:] {
		if !strings.Contains(block, "curl") {
			continue
		}
		ran++
		cmd := exec.Command("bash", "-euo", "pipefail", "-c", strings.ReplaceAll(block, "http://127.0.0.1:5599", address))
		cmd.Dir = t.TempDir()
		output, err := cmd.CombinedOutput()
		assert.NoError(t, err, "%s\n%s", block, output)
	}
	assert.Equal(t, 3, ran)
}

func TestReadmeTellsEveryFlag(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	n := 0
	new(settings).flags().VisitAll(func(f *flag.Flag) {
		n++
		assert.Contains(t, string(text), "`-"+f.Name, f.Name)
	})
	assert.Greater(t, n, 10)
}
