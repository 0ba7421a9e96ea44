package archive_test

import (
	"archive/zip"
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/internal/archive"
)

type zipEntry struct {
	name string
	mode fs.FileMode
	body string
}

// zipped is a file with a zip of these entries, and its proof as far as Unpack reads it.
func zipped(t *testing.T, entries []zipEntry) (*os.File, archive.Proof) {
	t.Helper()
	var data bytes.Buffer
	z := zip.NewWriter(&data)
	for _, e := range entries {
		header := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		if e.mode != 0 {
			header.SetMode(e.mode)
		}
		w, err := z.CreateHeader(header)
		require.NoError(t, err)
		_, err = w.Write([]byte(e.body))
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	path := filepath.Join(t.TempDir(), "package")
	require.NoError(t, os.WriteFile(path, data.Bytes(), 0o600))
	file, err := os.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { file.Close() })
	return file, archive.Proof{Blob: "p/i/ONNX/x.zip", Size: int64(data.Len())}
}

func TestAPackageIsUnpacked(t *testing.T) {
	t.Parallel()
	file, proof := zipped(t, []zipEntry{{name: "empty/"}, {name: "model.onnx", body: "m"}, {name: "./labels.txt", body: "l"}, {name: `python\predict.py`, body: "p"}, {name: "run.sh", mode: 0o755, body: "r"}})
	to := filepath.Join(t.TempDir(), "model")
	files, err := archive.Unpack(t.Context(), file, proof, to)
	require.NoError(t, err)
	assert.Equal(t, []string{"model.onnx", "labels.txt", "python/predict.py", "run.sh"}, files)
	body, err := os.ReadFile(filepath.Join(to, "python", "predict.py"))
	require.NoError(t, err)
	assert.Equal(t, "p", string(body))
	info, err := os.Stat(filepath.Join(to, "run.sh"))
	require.NoError(t, err)
	assert.Zero(t, info.Mode().Perm()&0o111, "nothing is made executable")
	assert.DirExists(t, filepath.Join(to, "empty"))
}

func TestABareModelIsPutIntoTheFolder(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "package")
	require.NoError(t, os.WriteFile(path, []byte("core ml"), 0o600))
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	to := filepath.Join(t.TempDir(), "model")
	files, err := archive.Unpack(t.Context(), file, archive.Proof{Blob: "p/i/CoreML/x.mlmodel", Size: 7}, to)
	require.NoError(t, err)
	assert.Equal(t, []string{"model.mlmodel"}, files)
	assert.FileExists(t, filepath.Join(to, "model.mlmodel"))
}

func TestAPackageCannotReachOutOfItsFolder(t *testing.T) {
	t.Parallel()
	for what, entries := range map[string][]zipEntry{
		"above":            {{name: "../evil", body: "x"}},
		"above, later":     {{name: "a/../../evil", body: "x"}},
		"backslashes":      {{name: `..\evil`, body: "x"}},
		"absolute":         {{name: "/tmp/evil", body: "x"}},
		"a drive":          {{name: "C:evil", body: "x"}},
		"a link":           {{name: "link", mode: fs.ModeSymlink | 0o777, body: "/etc"}},
		"through a link":   {{name: "link", mode: fs.ModeSymlink | 0o777, body: "/tmp"}, {name: "link/evil", body: "x"}},
		"a device":         {{name: "null", mode: fs.ModeDevice | 0o666}},
		"twice":            {{name: "model.onnx", body: "a"}, {name: "model.onnx", body: "b"}},
		"a file as folder": {{name: "a", body: "x"}, {name: "a/b", body: "x"}},
		"a folder above":   {{name: "../evil/"}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			file, proof := zipped(t, entries)
			parent := t.TempDir()
			_, err := archive.Unpack(t.Context(), file, proof, filepath.Join(parent, "model"))
			require.Error(t, err)
			left, err := os.ReadDir(parent)
			require.NoError(t, err)
			assert.Empty(t, left, "nothing stays")
		})
	}
}

func TestAnInterruptedUnpackLeavesNothing(t *testing.T) {
	t.Parallel()
	file, proof := zipped(t, []zipEntry{{name: "model.onnx", body: "m"}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	parent := t.TempDir()
	_, err := archive.Unpack(ctx, file, proof, filepath.Join(parent, "model"))
	require.ErrorIs(t, err, context.Canceled)
	left, err := os.ReadDir(parent)
	require.NoError(t, err)
	assert.Empty(t, left)
}
