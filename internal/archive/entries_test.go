package archive

import (
	"archive/zip"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestWhatIsJudgedSafeCanBeUnpacked holds judging against unpacking: a package
// counts exactly if it can be unpacked, and then its files are those of its entries.
func TestWhatIsJudgedSafeCanBeUnpacked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	part := rapid.SampledFrom([]string{"a", "A", "b", "labels.txt", "Labels.TXT", "cvexport", ".", "..", "...", " ", "C:", "é", "\n", "\x00", "", strings.Repeat("n", 200)})
	name := rapid.Custom(func(t *rapid.T) string {
		var s strings.Builder
		for range rapid.IntRange(0, 3).Draw(t, "folders") {
			s.WriteString(part.Draw(t, "folder") + rapid.SampledFrom([]string{"/", "/", `\`, "//", "/./"}).Draw(t, "separator"))
		}
		return s.String() + part.Draw(t, "file")
	})
	safe := 0
	ctx := t.Context()
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfN(name, 1, 4).Draw(t, "names")
		mode := rapid.SampledFrom([]fs.FileMode{0o644, 0o644, 0o644, 0o755, fs.ModeSymlink | 0o777, fs.ModeNamedPipe}).Draw(t, "mode of the last")
		data := zipOf(t, names, mode)
		f, err := judge(ctx, bytes.NewReader(data), int64(len(data)), Key{Platform: "ONNX"}, Origin{Kind: FromDownload}, 1<<20)
		require.NoError(t, err)

		parent, err := os.MkdirTemp(dir, "")
		require.NoError(t, err)
		to := filepath.Join(parent, "model")
		files, err := Unpack(t.Context(), bytes.NewReader(data), Proof{Blob: "x.zip", Size: int64(len(data))}, to)
		assert.Equal(t, f.verdict.Counts(), err == nil, "%q: %s, but unpacking says %v", names, f.note, err)
		inside, readErr := os.ReadDir(parent)
		require.NoError(t, readErr)
		if err != nil {
			assert.Empty(t, inside, "nothing stays")
			return
		}
		safe++
		var found []string
		require.NoError(t, filepath.WalkDir(to, func(path string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() {
				assert.True(t, e.Type().IsRegular())
				found = append(found, filepath.ToSlash(strings.TrimPrefix(path, to+string(filepath.Separator))))
			}
			return err
		}))
		assert.ElementsMatch(t, files, found)
	})
	assert.NotZero(t, safe)
}

// zipOf is a zip with a model and these entries. Each other file has its number as
// content.
func zipOf(t require.TestingT, names []string, mode fs.FileMode) []byte {
	var data bytes.Buffer
	z := zip.NewWriter(&data)
	w, err := z.Create("model.onnx")
	require.NoError(t, err)
	_, err = w.Write([]byte("\x08\x07\x12\x00"))
	require.NoError(t, err)
	for i, name := range names {
		h := &zip.FileHeader{Name: name, Method: zip.Deflate}
		if i == len(names)-1 {
			h.SetMode(mode)
		}
		w, err := z.CreateHeader(h)
		require.NoError(t, err)
		if !strings.HasSuffix(name, "/") {
			_, err = w.Write([]byte{byte(i)})
			require.NoError(t, err)
		}
	}
	require.NoError(t, z.Close())
	return data.Bytes()
}
