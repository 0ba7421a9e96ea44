package funchost

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const aTimer = `{"bindings":[{"type":"timerTrigger","name":"timer","schedule":"0 0 * * * *"}]}`

func TestReadFunctionRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"1st", aTimer, "not a valid function name"},
		{"Host", aTimer, "not a valid function name"},
		{"with space", aTimer, "not a valid function name"},
		{"f", `{"bindings":[]}`, "no trigger binding"},
		{"f", `{"bindings":[`, "read function.json"},
		{"f", `{"bindings":[{"type":"http","direction":"out","name":"res"}]}`, "no trigger binding"},
		{"f", `{"bindings":[{"type":"timerTrigger","name":"a"},{"type":"queueTrigger","name":"b"}]}`, "multiple trigger bindings"},
		{"f", `{"bindings":[{"type":"timerTrigger","name":"a_b"}]}`, "the binding name 'a_b' is invalid"},
		{"f", `{"bindings":[{"type":"timerTrigger"}]}`, "the binding name '' is invalid"},
		{"f", `{"bindings":[{"type":"timerTrigger","name":"a"},{"type":"http","name":"A","direction":"out"}]}`, "must be unique"},
		{"f", `{"bindings":[{"type":"blobTrigger","name":"a"}]}`, "'blobTrigger' is not known"},
	} {
		_, err := readFunction(c.name, []byte(c.text))
		assert.ErrorContains(t, err, c.want)
	}
}

func TestOnlyOneInOneOutHTTPFunctionsAreForwarded(t *testing.T) {
	t.Parallel()
	const in, out = `{"type":"httpTrigger","direction":"in","name":"req"}`, `{"type":"http","direction":"out","name":"res"}`
	for _, c := range []struct {
		bindings string
		want     bool
	}{
		{in + "," + out, true},
		{in, false},
		{in + "," + out + `,{"type":"queue","direction":"out","name":"q"}`, false},
		{in + "," + out + `,{"type":"blob","direction":"in","name":"b"}`, false},
		{`{"type":"httpTrigger","direction":"in","name":"req"},{"type":"http","direction":"out","name":"$return"}`, true},
	} {
		f, err := readFunction("f", []byte(`{"bindings":[`+c.bindings+`]}`))
		require.NoError(t, err)
		assert.Equal(t, c.want, f.httpInAndOut(), c.bindings)
	}
}

// find runs discovery over these files, given as path and content.
func find(t *testing.T, hostText string, env []string, files map[string]string) (names []string, out string) {
	t.Helper()
	root := t.TempDir()
	files["host.json"] = hostText
	for path, text := range files {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, path)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(root, path), []byte(text), 0o600))
	}
	var log lockedBuffer
	app, err := readSettings("", env, nil)
	require.NoError(t, err)
	c, err := readHostJSON(root, app)
	require.NoError(t, err)
	functions, err := findFunctions(root, c, app, func(name string, err error) { fmt.Fprintf(&log, "%s: %v\n", name, err) })
	require.NoError(t, err)
	for _, f := range functions {
		name := f.name
		if f.disabled {
			name += " (disabled)"
		}
		names = append(names, name)
	}
	return names, log.String()
}

func TestOnlyFirstLevelFoldersAreFunctions(t *testing.T) {
	t.Parallel()
	names, _ := find(t, `{"version":"2.0"}`, nil, map[string]string{
		"sweep/function.json": "\xef\xbb\xbf" + aTimer, "deep/er/function.json": aTimer, "empty/readme": "", "function.json": aTimer,
	})

	assert.Equal(t, []string{"sweep"}, names)
}

func TestABrokenFunctionLeavesTheOthers(t *testing.T) {
	t.Parallel()
	names, out := find(t, `{"version":"2.0"}`, nil, map[string]string{"bad/function.json": "{", "good/function.json": aTimer})

	assert.Equal(t, []string{"good"}, names)
	assert.Contains(t, out, "bad: ")
}

func TestFunctionsAreDisabledBySettingsOnly(t *testing.T) {
	t.Parallel()
	disabledInFile, err := json.Marshal(map[string]any{"disabled": true, "bindings": []any{map[string]any{"type": "timerTrigger", "name": "t"}}})
	require.NoError(t, err)
	names, _ := find(t, `{"version":"2.0"}`, []string{"AzureWebJobs.one.Disabled=true", "AzureWebJobs_two_Disabled=1", "AzureWebJobs.three.Disabled=yes"},
		map[string]string{"one/function.json": aTimer, "two/function.json": aTimer, "three/function.json": aTimer, "four/function.json": string(disabledInFile)})

	assert.Equal(t, []string{"four", "one (disabled)", "three", "two (disabled)"}, names)
}

func TestFunctionsListIsAnAllowList(t *testing.T) {
	t.Parallel()
	names, _ := find(t, `{"version":"2.0","functions":["ONE"]}`, nil, map[string]string{"one/function.json": aTimer, "two/function.json": aTimer})

	assert.Equal(t, []string{"one"}, names)
}

func TestQueueTriggerNeedsAnExtensionBundle(t *testing.T) {
	t.Parallel()
	files := map[string]string{"q/function.json": `{"bindings":[{"type":"queueTrigger","name":"msg","queueName":"x"}]}`}

	names, out := find(t, `{"version":"2.0"}`, nil, files)
	assert.Empty(t, names)
	assert.Contains(t, out, "host.json needs an extensionBundle")

	files["bin/extensions.json"] = "{}"
	names, _ = find(t, `{"version":"2.0"}`, nil, files)
	assert.Equal(t, []string{"q"}, names)
}
