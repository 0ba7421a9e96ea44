package archive_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
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
		"twice, by case":   {{name: "Straße", body: "a"}, {name: "\u017ftraße", body: "b"}},
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

func TestWhatMakesTooManyFoldersIsRefused(t *testing.T) {
	t.Parallel()
	var folders, deep []zipEntry
	for i := range 700 {
		name := fmt.Sprint(i)
		folders = append(folders, zipEntry{name: strings.Repeat(name+"/", 20)})
	}
	deep = append(deep, zipEntry{name: strings.Repeat("a/", 40) + "b", body: "x"})
	for what, entries := range map[string][]zipEntry{
		"many": folders, "deep": deep,
		"escape codes": {{name: "\x1b[2J", body: "x"}}, "an escape of one byte": {{name: "a\u009b2J", body: "x"}},
		"right to left": {{name: "\u202egnp.exe", body: "x"}}, "no UTF-8": {{name: "a\x9b2J", body: "x"}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			file, proof := zipped(t, entries)
			parent := t.TempDir()
			_, err := archive.Unpack(t.Context(), file, proof, filepath.Join(parent, "model"))
			require.ErrorContains(t, err, "can't be unpacked safely")
			assert.NotContains(t, err.Error(), "\x1b")
			assert.NotContains(t, err.Error(), "\u009b")
			left, err := os.ReadDir(parent)
			require.NoError(t, err)
			assert.Empty(t, left, "nothing stays")
		})
	}
}

// TestUnpackingEndsBetweenEntries interrupts it at each of its reads.
func TestUnpackingEndsBetweenEntries(t *testing.T) {
	t.Parallel()
	entries := []zipEntry{{name: "empty/"}, {name: "model.onnx", body: strings.Repeat("m", 100_000)}}
	for i := range 50 {
		entries = append(entries, zipEntry{name: fmt.Sprintf("folder %d/", i)})
	}
	entries = append(entries, zipEntry{name: "last", body: "x"})
	file, proof := zipped(t, entries)
	parent := t.TempDir()
	for after := 1; ; after++ {
		ctx, cancel := context.WithCancel(t.Context())
		r := &ending{from: file, cancel: cancel, after: after}
		_, err := archive.Unpack(ctx, r, proof, filepath.Join(parent, "model"))
		cancel()
		left, readErr := os.ReadDir(parent)
		require.NoError(t, readErr)
		if err == nil {
			require.Len(t, left, 1)
			require.Greater(t, after, 6)
			break
		}
		require.ErrorIs(t, err, context.Canceled)
		require.Empty(t, left, "nothing stays")
	}
}

// TestADamagedPackageLeavesNothing has bytes that turn out wrong after some files.
func TestADamagedPackageLeavesNothing(t *testing.T) {
	t.Parallel()
	file, proof := zipped(t, []zipEntry{{name: "a/b/c", body: "first"}, {name: "model.onnx", body: strings.Repeat("m", 1000)}})
	data := make([]byte, proof.Size)
	_, err := file.ReadAt(data, 0)
	require.NoError(t, err)
	at := bytes.LastIndex(data, []byte("PK\x07\x08"))
	parent := t.TempDir()
	_, err = archive.Unpack(t.Context(), bytes.NewReader(flip(data, at-3)), proof, filepath.Join(parent, "model"))
	require.Error(t, err)
	left, err := os.ReadDir(parent)
	require.NoError(t, err)
	assert.Empty(t, left)
}
