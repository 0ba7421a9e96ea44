package cli_test

import (
	"bytes"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/world"
)

var (
	inBackticks = regexp.MustCompile("`([^`]+)`")
	// azForm is a command of the Azure CLI; what a person has to fill in is in capitals.
	azForm = regexp.MustCompile(`^az( [a-z][a-z-]*)+( --[a-z-]+( [A-Z]+| [a-zA-Z0-9]+| %[sq])?)*$`)
)

// TestPrintedRemediesWorkAsPrinted runs every command of the program that it prints
// between backticks: those in its own texts, and those that the sessions show.
func TestPrintedRemediesWorkAsPrinted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := append(os.Environ(), "EVENTS_QUEUE=told")
	w := newScene(t, dir, func(name, value string) { env = append(env, name+"="+value) })
	program, err := exec.LookPath("visionkeeper")
	require.NoError(t, err)
	for _, name := range []string{"Demo kitchen", "New cellar", "Nina's rabbits", "Old garden", "Second kitchen", "Attic"} {
		_, err := w.Service.CreateProject(name, world.Compact, "", "")
		require.NoError(t, err)
	}
	shelf, err := w.Service.CreateProject("Old shelf", world.General, "", "")
	require.NoError(t, err)
	w.Train(shelf)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "policy.json"), []byte(`{"projects": [{"project": "*", "twin": {}}]}`), 0o644))
	letter, err := w.State.Bury(t.Context(), []byte("no message"), "not JSON", time.Now().UTC())
	require.NoError(t, err)
	ran := 0
	for _, command := range printedCommands(t) {
		switch name, _, _ := strings.Cut(command, " "); name {
		case "az":
			assert.Regexp(t, azForm, command)
		case "visionkeeper":
			ran++
			command = strings.Replace(command, "deadletters show %s", "deadletters show "+letter.ID, 1)
			assert.NotRegexp(t, ` [A-Z]{3,}\b`, command, "what has to be filled in doesn't work as printed")
			run := exec.CommandContext(t.Context(), "sh", "-c", command)
			run.Dir, run.Env = dir, append(env, "PATH="+filepath.Dir(program)+":"+os.Getenv("PATH"))
			var said bytes.Buffer
			run.Stdout, run.Stderr = &said, &said
			var exit *exec.ExitError
			if err := run.Run(); errors.As(err, &exit) {
				assert.Equal(t, 3, exit.ExitCode(), "%s:\n%s", command, said.String()) // it found what is wrong
			} else {
				require.NoError(t, err)
			}
		}
	}
	assert.Greater(t, ran, 10)
}

// printedCommands are the texts between backticks in the program's own strings and in
// the sessions.
func printedCommands(t *testing.T) []string {
	found := map[string]bool{}
	add := func(text string) {
		for _, m := range inBackticks.FindAllStringSubmatch(text, -1) {
			if m[1] != "%s" { // made elsewhere
				found[m[1]] = true
			}
		}
	}
	for _, root := range []string{"..", "../../functions", "../../handler"} {
		require.NoError(t, filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if e, ok := n.(ast.Expr); ok {
					if s, ok := textOf(e); ok {
						add(s)
						return false
					}
				}
				return true
			})
			return nil
		}))
	}
	for _, script := range scripts() {
		text, err := os.ReadFile(script)
		require.NoError(t, err)
		add(string(text))
	}
	return slices.Sorted(maps.Keys(found))
}

// textOf is the text of an expression: of several that are joined, what isn't known is the
// name of the policy's file.
func textOf(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, e.Kind == token.STRING && err == nil && e.Value[0] == '"'
	case *ast.BinaryExpr:
		left, l := textOf(e.X)
		right, r := textOf(e.Y)
		if !l {
			left = "policy.json"
		}
		if !r {
			right = "policy.json"
		}
		return left + right, e.Op == token.ADD && (l || r)
	}
	return "", false
}
