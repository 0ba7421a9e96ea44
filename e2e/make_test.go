package e2e

import (
	"archive/zip"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// workshop has the project's copies, one after another.
var workshop sync.Mutex

// project copies the project into a folder whose name the shell would take apart. It is the
// same folder each time: Go compiles what a debugger reads anew for each path.
func project(t *testing.T) string {
	t.Helper()
	workshop.Lock()
	t.Cleanup(workshop.Unlock)
	parent := filepath.Join(os.TempDir(), fmt.Sprintf("visionkeeper-%d", os.Getpid()))
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(parent)) })
	dir := filepath.Join(parent, `it's "my" $HOME & project`)
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
	out, err := makeIn(dir, []string{"GOOS=darwin", "GOARCH=arm64"}, "package")
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

	packed, err := zip.OpenReader(filepath.Join(dir, "build", "visionkeeper.zip"))
	require.NoError(t, err)
	defer packed.Close()
	var names []string
	for _, f := range packed.File {
		names = append(names, f.Name)
		want := os.FileMode(0o644)
		if f.Name == hostJSON(t, dir).CustomHandler.Description.DefaultExecutablePath {
			want = 0o755
		}
		assert.Equal(t, want, f.Mode(), f.Name)
	}
	assert.Equal(t, published, names)
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

// stub puts a program of this name before all others.
func stub(t *testing.T, bin, name, script string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script), 0o755))
}

func TestMakeFollowsNoLinkOutOfTheProject(t *testing.T) {
	t.Parallel()
	dir, outside, bin := project(t), t.TempDir(), t.TempDir()
	// What these two do to files when the targets call them.
	stub(t, bin, "go", `test "$1" != test || echo 1 >>"$FIGURES"`)
	stub(t, bin, "npm", `while [ "$1" != --prefix ]; do shift; done
rm -rf "$2"/node_modules/*
mkdir -p "$2/node_modules"`)
	env := []string{"PATH=" + bin + ":" + os.Getenv("PATH")}
	links := map[string]string{"build": "figures", "dev/tools/node_modules": "azurite", "dev/emulator/jstest/node_modules": "uuid"}
	for name, holds := range links {
		elsewhere := filepath.Join(outside, name)
		require.NoError(t, os.MkdirAll(elsewhere, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(elsewhere, holds), []byte("kept"), 0o644))
		require.NoError(t, os.Symlink(elsewhere, filepath.Join(dir, name)))
	}

	out, err := makeIn(dir, env, "test")
	require.NoError(t, err, out)
	for name, holds := range links {
		kept, err := os.ReadFile(filepath.Join(outside, name, holds))
		if assert.NoError(t, err) {
			assert.Equal(t, "kept", string(kept), name)
		}
	}
	figures, err := os.ReadFile(filepath.Join(dir, "build", "figures"))
	require.NoError(t, err)
	assert.NotEmpty(t, figures)

	require.NoError(t, os.RemoveAll(filepath.Join(dir, "build")))
	require.NoError(t, os.Symlink(filepath.Join(outside, "build"), filepath.Join(dir, "build")))
	out, err = makeIn(dir, env, "build", "clean")
	require.NoError(t, err, out)
	assert.Equal(t, []string{"figures"}, filesBelow(t, filepath.Join(outside, "build")))
}

func TestMakeTakesNothingToRunFromItsVariables(t *testing.T) {
	t.Parallel()
	dir, bin := project(t), t.TempDir()
	stub(t, bin, "go", `echo "go $*"; test -z "$FIGURES" || touch "$FIGURES"`)
	stub(t, bin, "npm", `while [ "$1" != --prefix ]; do shift; done; mkdir -p "$2/node_modules"`)
	stub(t, bin, "func", `echo "func $*"`)
	hostile := `x'; touch pwned; ' "; touch pwned; " $(touch pwned)`
	env := []string{"PATH=" + bin + ":" + os.Getenv("PATH")}
	for _, name := range []string{"APP", "HOST", "VERSION", "DIST", "N", "FUZZTIME", "RAPID_SEED", "RAPID_CHECKS", "LDFLAGS", "AZURITE", "NODE_MODULES", "STATICCHECK", "ACTIONLINT", "own-build"} {
		env = append(env, name+"="+hostile+" $(shell touch pwned)")
	}
	for _, args := range [][]string{{"build"}, {"build", "VERSION=" + hostile}, {"test"}, {"test-long"}, {"fuzz"}, {"lint"}, {"clean"}} {
		out, err := makeIn(dir, env, args...)
		require.NoError(t, err, "%s: %s", args, out)
		if args[0] == "build" && len(args) == 1 {
			assert.NotContains(t, out, "pwned", "the environment has no say in the version")
		}
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "visionkeeper"), nil, 0o755))
	out, err := makeIn(dir, env, "publish", "APP="+strings.ReplaceAll(hostile, "$", "$$")) // as make reads its arguments
	require.NoError(t, err, out)
	assert.Contains(t, out, "func azure functionapp publish "+hostile+" --no-build", "as one name")
	assert.NoFileExists(t, filepath.Join(dir, "pwned"))

	for _, flags := range []string{"e", "-e", "ke", "--environment-overrides"} {
		out, err := makeIn(dir, append(env, "MAKEFLAGS="+flags), "help")
		assert.Error(t, err, flags)
		assert.Contains(t, out, "Run make without -e")
	}
}

func TestContinuousIntegrationStaysInTheProject(t *testing.T) {
	t.Parallel()
	dir, elsewhere, bin := project(t), t.TempDir(), t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(elsewhere, ".ci"), 0o755))
	for _, name := range []string{"git", "unzip", "curl", "jq", "chromium"} {
		stub(t, bin, name, "")
	}
	stub(t, bin, "make", "pwd")
	cmd := exec.Command("bash", ".ci/run")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "CDPATH="+elsewhere)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	here, err := filepath.EvalSymlinks(dir)
	require.NoError(t, err)
	assert.Contains(t, string(out), here+"\n")
	assert.NotContains(t, string(out), elsewhere)
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
