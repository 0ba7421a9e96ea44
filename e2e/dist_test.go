package e2e

import (
	"archive/zip"
	"bytes"
	"context"
	"debug/elf"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite"
	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/dev/funchost"
)

// pack zips a folder as `func azure functionapp publish` does: without what
// .funcignore names, and with the executable bit only where an entry's name is
// literally host.json's defaultExecutablePath
// (Azure/azure-functions-core-tools, src/Cli/func/Helpers/ZipHelper.cs).
func pack(t *testing.T, root string) []byte {
	t.Helper()
	ignored := []string{".git", ".vscode", ".funcignore", ".gitignore", "local.settings.json", "project.lock.json"}
	patterns, err := os.ReadFile(filepath.Join(root, ".funcignore"))
	require.NoError(t, err)
	ignored = append(ignored, strings.Fields(string(patterns))...)
	executable := hostJSON(t, root).CustomHandler.Description.DefaultExecutablePath

	var out bytes.Buffer
	z := zip.NewWriter(&out)
	require.NoError(t, fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		if slices.ContainsFunc(ignored, func(p string) bool { ok, _ := path.Match(p, path.Base(name)); return ok }) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			return nil
		}
		header := &zip.FileHeader{Name: name, Method: zip.Deflate}
		header.SetMode(0o666)
		if name == executable {
			header.SetMode(0o777)
		}
		w, err := z.CreateHeader(header)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	}))
	require.NoError(t, z.Close())
	return out.Bytes()
}

// unpack lays a package out as the platform does, modes included.
func unpack(t *testing.T, packed []byte) string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	require.NoError(t, err)
	root := t.TempDir()
	for _, f := range z.File {
		target := filepath.Join(root, f.Name)
		require.NoError(t, os.MkdirAll(filepath.Dir(target), 0o755))
		r, err := f.Open()
		require.NoError(t, err)
		data, err := io.ReadAll(r)
		require.NoError(t, err)
		withoutForks(func() { err = os.WriteFile(target, data, 0o600) })
		require.NoError(t, err)
		require.NoError(t, os.Chmod(target, f.Mode().Perm()))
	}
	return root
}

type host struct {
	Version       string
	CustomHandler struct {
		Description struct{ DefaultExecutablePath string }
	}
	Extensions struct {
		Queues struct {
			MessageEncoding string
			MaxDequeueCount int
		}
	}
}

func hostJSON(t *testing.T, root string) host {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "host.json"))
	require.NoError(t, err)
	var h host
	require.NoError(t, json.Unmarshal(data, &h))
	return h
}

func TestWhatIsPublishedHoldsTheAppAndNothingElse(t *testing.T) {
	t.Parallel()
	root := unpack(t, pack(t, laidOut))
	var files []string
	require.NoError(t, fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		if !d.IsDir() {
			files = append(files, name)
		}
		return err
	}))
	assert.Equal(t, []string{"host.json", "notifications/function.json", "policy.json", "sweep/function.json", "visionkeeper"}, files)

	assert.Equal(t, "2.0", hostJSON(t, root).Version)
	functionName := regexp.MustCompile(`(?i)^[a-z][a-z0-9_\-]{0,127}$`)
	bindingName := regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9]{0,127}$`)
	for _, name := range []string{"notifications", "sweep"} {
		assert.Regexp(t, functionName, name)
		var f struct {
			Bindings []struct{ Type, Name, DataType string }
		}
		data, err := os.ReadFile(filepath.Join(root, name, "function.json"))
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(data, &f))
		require.Len(t, f.Bindings, 1)
		assert.Regexp(t, bindingName, f.Bindings[0].Name)
		if f.Bindings[0].Type == "queueTrigger" {
			assert.Equal(t, "binary", f.Bindings[0].DataType, "the exact bytes arrive")
			assert.Equal(t, "none", hostJSON(t, root).Extensions.Queues.MessageEncoding)
		}
	}
}

func TestWhatIsPublishedRuns(t *testing.T) {
	t.Parallel()
	root := unpack(t, pack(t, laidOut))
	info, err := os.Stat(filepath.Join(root, "visionkeeper"))
	require.NoError(t, err)
	assert.NotZero(t, info.Mode()&0o100, "the executable bit survives")

	server := azuritetest.Start(t)
	var printed buffer
	h, err := funchost.Start(context.Background(), funchost.Options{Root: root, Output: &printed, Env: []string{
		"CustomVisionStorage=" + server.ConnectionString(azurite.Customer), "AzureWebJobsStorage=" + server.ConnectionString(azurite.Archive),
		"NOTIFICATION_QUEUE=" + azuritetest.Name("notifications"), "SWEEP_SCHEDULE=0 0 0 1 1 *",
	}})
	require.NoError(t, err)
	t.Cleanup(func() { h.Close() })
	a := &app{t: t}
	a.eventually("the host finds both functions and the handler answers", func() bool {
		p := printed.String()
		return strings.Contains(p, "Function notifications") && strings.Contains(p, "Function sweep") && strings.Contains(p, "listening for the Functions host")
	})
}

func TestDistBuildsForLinuxAndTheArchitectureAskedFor(t *testing.T) {
	t.Parallel()
	for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		dir := filepath.Join(t.TempDir(), arch)
		out, err := exec.Command("make", "-s", "dist", "DIST="+dir, "GOARCH="+arch).CombinedOutput()
		require.NoError(t, err, string(out))
		binary, err := elf.Open(filepath.Join(dir, "visionkeeper"))
		require.NoError(t, err)
		assert.Equal(t, machine, binary.Machine)
		assert.Nil(t, binary.Section(".interp"), "it needs no C library")
		binary.Close()
	}
}
