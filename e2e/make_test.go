package e2e

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// project copies the project into a folder whose name has a space.
func project(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "my project")
	for _, name := range sources(t) {
		copyFile(t, name, filepath.Join(dir, name))
	}
	return dir
}

// makeIn runs make in a folder, with these variables in the environment.
func makeIn(dir string, env []string, args ...string) (string, error) {
	cmd := exec.Command("make", args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestMakeBuildsForAzureWhateverTheEnvironmentSays(t *testing.T) {
	t.Parallel()
	dir := project(t)
	out, err := makeIn(dir, []string{"GOOS=darwin", "GOARCH=arm64"}, "build")
	require.NoError(t, err, out)
	binary, err := elf.Open(filepath.Join(dir, "visionkeeper"))
	require.NoError(t, err)
	defer binary.Close()
	assert.Equal(t, elf.EM_X86_64, binary.Machine)
	assert.Nil(t, binary.Section(".interp"), "it needs no C library")
	assert.NoError(t, exec.Command(filepath.Join(dir, "build", "visionkeeper"), "version").Run(), "the other one is for this machine")
	example, err := os.ReadFile(filepath.Join(dir, "local.settings.json.example"))
	require.NoError(t, err)
	assert.Contains(t, string(example), `__defaultExecutablePath": "build/visionkeeper"`, "func start runs that one")
}

func TestMakePublish(t *testing.T) {
	t.Parallel()
	dir, bin := project(t), t.TempDir()
	calls := filepath.Join(bin, "calls")
	require.NoError(t, os.WriteFile(filepath.Join(bin, "func"), []byte("#!/bin/sh\necho \"$PWD: func $*\" >>'"+calls+"'\n"), 0o755))
	env := []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "APP=of-another-project"}

	out, err := makeIn(dir, env, "publish")
	assert.Error(t, err)
	assert.Contains(t, out, "make publish APP=name")
	assert.NoFileExists(t, calls, "an app is never taken from the environment")

	changed := filepath.Join(dir, "internal", "cli", "cli.go")
	later := time.Now().Add(time.Hour)
	require.NoError(t, os.Chtimes(changed, later, later))
	out, err = makeIn(dir, env, "publish", "APP=my-app")
	assert.Error(t, err)
	assert.Contains(t, out, "visionkeeper is older than ./internal/cli/cli.go")
	assert.NoFileExists(t, calls)

	earlier := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(changed, earlier, earlier))
	out, err = makeIn(dir, env, "publish", "APP=my-app")
	require.NoError(t, err, out)
	called, err := os.ReadFile(calls)
	require.NoError(t, err)
	here, err := filepath.EvalSymlinks(dir)
	require.NoError(t, err)
	assert.Equal(t, here+": func azure functionapp publish my-app --no-build\n", string(called))
}

func TestMakeRemovesNothingOutsideOfTheProject(t *testing.T) {
	t.Parallel()
	dir, outside := project(t), t.TempDir()
	kept := []string{filepath.Join(outside, "dist", "kept"), filepath.Join(outside, "build", "kept")}
	for _, name := range kept {
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, nil, 0o644))
	}
	require.NoError(t, os.Symlink(filepath.Join(outside, "dist"), filepath.Join(dir, "dist")))

	out, err := makeIn(dir, []string{"DIST=" + outside}, "dist", "DIST="+outside)
	require.NoError(t, err, out)
	assert.FileExists(t, filepath.Join(dir, "dist", "host.json"))
	out, err = makeIn(dir, []string{"DIST=" + outside}, "clean")
	require.NoError(t, err, out)
	for _, name := range []string{"dist", "build", "visionkeeper"} {
		assert.NoFileExists(t, filepath.Join(dir, name))
		assert.NoDirExists(t, filepath.Join(dir, name))
	}
	out, err = makeIn(outside, nil, "-f", filepath.Join(dir, "Makefile"), "clean")
	assert.Error(t, err)
	assert.Contains(t, out, "Run make in the folder of Visionkeeper")
	for _, name := range kept {
		assert.FileExists(t, name)
	}
}
