package funchost

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSplitArguments(t *testing.T) {
	t.Parallel()
	for line, want := range map[string][]string{
		"":                   nil,
		"  a   b\t":          {"a", "b"},
		`"a b" c`:            {"a b", "c"},
		`a"b c"d`:            {"ab cd"},
		`"" x`:               {"", "x"},
		`\"a\" "say \"hi\""`: {`"a"`, `say "hi"`},
		`C:\dir\x`:           {`C:\dir\x`},
	} {
		assert.Equal(t, want, splitArguments(line), line)
	}
}

func TestCommandResolution(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(root, "bin"), 0o700))
	for _, name := range []string{"handler", "bin/tool", "bin/script"} {
		require.NoError(t, os.WriteFile(filepath.Join(root, name), nil, 0o700))
	}
	for _, c := range []struct {
		name string
		set  configuration
		want command
	}{
		{"below the root", configuration{"defaultexecutablepath": "handler"}, command{path: filepath.Join(root, "handler"), dir: root}},
		{"missing is left to PATH", configuration{"defaultexecutablepath": "node"}, command{path: "node", dir: root}},
		{"absolute", configuration{"defaultexecutablepath": "/usr/bin/env"}, command{path: "/usr/bin/env", dir: root}},
		{"setting", configuration{"defaultexecutablepath": "%EXE%"}, command{path: filepath.Join(root, "handler"), dir: root}},
		{"worker directory", configuration{"defaultexecutablepath": "tool", "workerdirectory": "bin", "workingdirectory": "bin", "defaultworkerpath": "script"},
			command{path: filepath.Join(root, "bin/tool"), dir: filepath.Join(root, "bin"), args: []string{filepath.Join(root, "bin/script")}}},
		{"arguments fall apart at spaces", configuration{"defaultexecutablepath": "handler", "arguments:0": "-a b", "arguments:1": "%EXE%%NOT_SET%", "workerarguments:0": "last"},
			command{path: filepath.Join(root, "handler"), dir: root, args: []string{"-a", "b", "handler", "last"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			app, err := readSettings("", []string{"EXE=handler"}, nil)
			require.NoError(t, err)
			config := configuration{}
			for key, value := range c.set {
				config["customhandler:description:"+key] = value
			}
			got, err := readCommand(root, config, app)
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
		})
	}
}

func TestExecutableIsRequired(t *testing.T) {
	t.Parallel()
	_, err := readCommand(t.TempDir(), configuration{}, &settings{})

	assert.ErrorContains(t, err, "customHandler.description.defaultExecutablePath is missing")
}
