package settings

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWhereTheSettingsAreLookedFor(t *testing.T) {
	t.Parallel()
	const host = "host.json"
	for what, c := range map[string]struct {
		files         []string
		root, working string
		file, app     string
	}{
		"the host's root comes first":               {[]string{"root/" + FileName, "work/" + FileName, "bin/" + FileName}, "root", "work", "root/" + FileName, "root"},
		"the host's root has none":                  {[]string{"work/" + FileName, "work/" + host}, "root", "work", "work/" + FileName, "root"},
		"the working folder":                        {[]string{"work/" + FileName, "bin/" + FileName}, "", "work", "work/" + FileName, "work"},
		"a parent with host.json":                   {[]string{"work/" + FileName, "work/" + host, "bin/" + FileName}, "", "work/a/b", "work/" + FileName, "work"},
		"nearer than host.json":                     {[]string{"work/a/" + FileName, "work/" + FileName, "work/" + host}, "", "work/a/b", "work/a/" + FileName, "work"},
		"not above host.json":                       {[]string{FileName, "work/" + host, "bin/" + FileName}, "", "work/a", "bin/" + FileName, "bin"},
		"not in a parent where host.json is absent": {[]string{FileName, "work/" + FileName, "bin/" + FileName}, "", "work/a", "bin/" + FileName, "bin"},
		"beside the program":                        {[]string{"bin/" + FileName}, "", "work", "bin/" + FileName, "bin"},
		"none, but an app":                          {[]string{"work/" + host}, "", "work/a", "", "work"},
		"none, and no app":                          {nil, "", "work", "", "bin"},
		"none, but the host's root":                 {[]string{"work/" + host}, "root", "work", "", "root"},
	} {
		top := t.TempDir()
		at := func(path string) string {
			if path == "" {
				return ""
			}
			return filepath.Join(top, filepath.FromSlash(path))
		}
		for _, folder := range []string{"root", "work/a/b", "bin"} {
			require.NoError(t, os.MkdirAll(at(folder), 0o755))
		}
		for _, name := range c.files {
			require.NoError(t, os.WriteFile(at(name), []byte("{}"), 0o600))
		}
		file, app := Find(at(c.root), at(c.working), at("bin"))
		assert.Equal(t, at(c.file), file, what)
		assert.Equal(t, at(c.app), app, what)
	}
}

func TestTheFoldersThatAreLookedInto(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	below, bin := filepath.Join(top, "app", "a", "b"), filepath.Join(top, "bin")
	require.NoError(t, os.MkdirAll(below, 0o755))
	assert.Equal(t, []string{below, bin}, Folders("", below, bin))
	require.NoError(t, os.WriteFile(filepath.Join(top, "app", "host.json"), []byte("{}"), 0o600))
	assert.Equal(t, []string{bin, below, filepath.Dir(below), filepath.Join(top, "app")}, Folders(bin, below, bin))
}
