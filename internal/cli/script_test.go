package cli_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write what the sessions show into the scripts")

// TestScripts runs the terminal sessions in testdata, each in a world of its own.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:         "testdata",
		WorkdirRoot: t.TempDir(), // removed even where -run leaves scripts out
		Setup: func(env *testscript.Env) error {
			w := newScene(env.T().(testing.TB), env.WorkDir, env.Setenv)
			env.Values[sceneKey{}] = w
			return nil
		},
		Cmds:                sceneCommands,
		RequireUniqueNames:  true,
		ContinueOnError:     false,
		RequireExplicitExec: true,
	})
}

// session is the script command `session FILE…`: it types every line of a file
// that begins with "$ " into a shell and compares what a terminal would show.
func session(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		want := ts.ReadFile(name)
		var got strings.Builder
		code := 0
		for _, command := range typed(want) {
			got.WriteString("$ " + strings.ReplaceAll(command, "\\\n", "\\\n> ") + "\n")
			if command == "echo $?" {
				fmt.Fprintln(&got, code)
				continue
			}
			err := ts.Exec("sh", "-c", "{ "+command+"\n} 2>&1")
			var exit *exec.ExitError
			if code = 0; errors.As(err, &exit) {
				code = exit.ExitCode()
			} else {
				ts.Check(err)
			}
			got.WriteString(readable(strings.ReplaceAll(ts.ReadFile("stdout"), ts.Getenv("WORK"), "$WORK")))
		}
		switch {
		case comparable(got.String()) == comparable(want):
		case *update:
			for _, script := range scripts() {
				if filepath.Base(script) == ts.Name()+".txtar" {
					ts.Check(rewrite(script, name, got.String()))
				}
			}
		default:
			ts.Fatalf("session %s shows\n%s\nnot\n%s", name, got.String(), want)
		}
	}
}

// typed are the commands of a session. A line may go on after a backslash, in a
// line that begins with "> ".
func typed(text string) []string {
	var commands []string
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			commands = append(commands, command)
		} else if more, ok := strings.CutPrefix(line, "> "); ok {
			commands[len(commands)-1] += "\n" + more
		}
	}
	return commands
}

var (
	programs = regexp.MustCompile(`/\S*/testscript-main\d+/bin\b`) // where testscript puts the program
	ownNames = regexp.MustCompile(`\b(notifications|models|archive|state)-[0-9a-f]{8}\b`)
	// changing is what differs from run to run.
	changing = []struct {
		is *regexp.Regexp
		as string
	}{
		{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "<id>"},
		{regexp.MustCompile(`<id> [A-Z2-7]{8}\)`), "<id> <token>)"}, // a twin's name
		{regexp.MustCompile(`"token": "[A-Z2-7]{8}"|\d{8}T\d{6}Z-[a-z2-7]{8}`), "<token>"},
		{regexp.MustCompile(`(General(?: \(compact\))?)(?: +0\.\d{3}){3}`), "$1 <figures>"},
		{regexp.MustCompile(`[0-9a-f]{12,}`), "<hash>"},
		{regexp.MustCompile(`\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?Z?`), "<time>"},
		{regexp.MustCompile(`\b\d+ days\b`), "<days>"},
		{regexp.MustCompile(`127\.0\.0\.1:\d+`), "<host>"},
		{regexp.MustCompile(`\b[\d.]+ [kM]?B\b`), "<size>"},
		{regexp.MustCompile(`"(size|bytes|days|retirementDays)": \d+`), `"$1": <n>`},
		{regexp.MustCompile(`"(precision|recall|averagePrecision)": [\d.]+`), `"$1": <n>`}, // of an iteration's id
		{regexp.MustCompile(`\bgo1[\d.]+`), "<go>"},
		{regexp.MustCompile(`[ \t]+`), " "},
	}
)

// readable is output with the names that people know.
func readable(s string) string {
	return programs.ReplaceAllString(ownNames.ReplaceAllString(s, "$1"), "$$PROGRAM")
}

// comparable is output without what differs from run to run.
func comparable(s string) string {
	for _, c := range changing {
		s = c.is.ReplaceAllString(s, c.as)
	}
	return s
}

func scripts() []string {
	here, _ := filepath.Glob("testdata/*.txtar")
	below, _ := filepath.Glob("testdata/*/*.txtar")
	return append(here, below...)
}

var rewriting sync.Mutex

// rewrite puts new text into a section of a script.
func rewrite(script, section, text string) error {
	rewriting.Lock()
	defer rewriting.Unlock()
	archive, err := txtar.ParseFile(script)
	if err != nil {
		return err
	}
	for i := range archive.Files {
		if archive.Files[i].Name == section {
			archive.Files[i].Data = []byte(text)
		}
	}
	return os.WriteFile(script, txtar.Format(archive), 0o644)
}

// TestDocsShowTheScripts finds every terminal example of the documents in a script.
func TestDocsShowTheScripts(t *testing.T) {
	t.Parallel()
	sections := map[string]bool{}
	for _, script := range scripts() {
		archive, err := txtar.ParseFile(script)
		require.NoError(t, err)
		for _, f := range archive.Files {
			sections[string(bytes.TrimSpace(f.Data))] = true
		}
	}
	for _, name := range []string{"../../README.md", "../../docs/commands.md", "../../docs/set-up.md"} {
		doc, err := os.ReadFile(name)
		require.NoError(t, err)
		examples := regexp.MustCompile("(?s)```console\n(.*?)\n```").FindAllSubmatch(doc, -1)
		require.NotEmpty(t, examples, name)
		for _, example := range examples {
			if !sections[string(bytes.TrimSpace(example[1]))] {
				t.Errorf("%s shows what no script does:\n%s", name, example[1])
			}
		}
	}
}
