package archive_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/zips"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/zipfile"
)

// exports are true exports as archives may hold them: by several writers, with end
// records of both formats, and larger than a page.
func exports(t testing.TB) [][]byte {
	small, large := pack(export{platform: "ONNX", size: 300}), pack(export{platform: "ONNX", size: zipfile.TailSize + 5000, store: true})
	list := [][]byte{
		small, zips.Large(small, nil), large, zips.Large(large, nil),
		zips.Commented(large, zips.Noise(0xffff, 1)), pack(export{platform: "ONNX", place: "first", size: 300}),
	}
	files, err := filepath.Glob("testdata/writers/*.zip")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		list = append(list, data)
	}
	return list
}

func TestExportsOfAllWritersAreProven(t *testing.T) {
	t.Parallel()
	for i, data := range exports(t) {
		verdict, note, err := archive.Judge(t.Context(), data, key(t, "ONNX", ""))
		require.NoError(t, err)
		assert.Equal(t, archive.Proven, verdict, "%d: %s", i, note)
		assert.NoError(t, zips.Unzip(t.Context(), data))
	}
}

// FuzzVerdictAgainstUnzip changes exports. One that is still proven, a common unzip reads
// without a warning, and one that counts at least but for what is missing behind streamed entries; and whatever it is, it costs neither much memory nor much time.
func FuzzVerdictAgainstUnzip(f *testing.F) {
	exports := exports(f)
	for i, data := range exports {
		f.Add(uint8(i), []byte{})
		if i > 1 {
			continue
		}
		first := bytes.Index(data, []byte("PK\x01\x02"))
		for at := range zips.Local + 1 { // of the first local header
			f.Add(uint8(i), []byte{2, byte(at), 0, 1})
		}
		for at := range zips.Header + 1 { // of the first entry
			back := len(data) - 1 - first - at
			f.Add(uint8(i), []byte{3, byte(back), byte(back >> 8), 1})
		}
		for back := range zips.End + zips.Locator + zips.EndLong {
			f.Add(uint8(i), []byte{3, byte(back), 0, 1})
		}
	}
	k := key(f, "ONNX", "")
	f.Fuzz(func(t *testing.T, base uint8, edits []byte) {
		data := zips.Edited(exports[int(base)%len(exports)], edits)
		var verdict archive.Verdict
		var note string
		var err error
		zips.Cheap(t, func() { verdict, note, err = archive.Judge(t.Context(), data, k) })
		require.NoError(t, err)
		if verdict.Counts() {
			if err := zips.Unzip(t.Context(), data); verdict == archive.Proven || !zips.Overlaps(err) {
				require.NoError(t, err, note)
			}
		}
	})
}

// TestWhatCostsTooMuchIsRefusedBeforeItIsPaid isn't parallel: it measures memory.
func TestWhatCostsTooMuchIsRefusedBeforeItIsPaid(t *testing.T) {
	model := zips.Part{Name: "model.onnx", Data: heads["ONNX"]}
	for name, c := range map[string]struct {
		data []byte
		want archive.Verdict
		note string
	}{
		"a bomb of 4 MB":              {zips.Made([]zips.Part{zips.Bomb("zeros", 4000<<20)}, nil), archive.Damaged, "expands to more"},
		"a smaller bomb":              {zips.Made([]zips.Part{zips.Bomb("zeros", 400<<20)}, nil), archive.Damaged, "expands to more"},
		"one stream for many entries": {zips.Made(shared(5000), nil), archive.Damaged, "overlaps"},
		"entries within another":      {nested(), archive.Damaged, "overlaps"},
		"a manifest of empty blocks": {zips.Made([]zips.Part{model, {Name: "cvexport.manifest", Deflate: true, Packed: zips.Empty(20 << 20 / 5)}}, nil),
			archive.Unidentified, "read the manifest: it is larger"},
		"a model of empty blocks":     {zips.Made([]zips.Part{{Name: "model.onnx", Deflate: true, Packed: zips.Empty(20 << 20 / 5)}}, nil), archive.Damaged, "nothing in it"},
		"a million parts of a model":  {pack(export{platform: "TensorFlow", flavor: "TensorFlowJs", parts: map[string]string{"model.json": `{"weightsManifest":[{"weights":[` + strings.Repeat("{},", 1<<20) + `{}]}]}`}, manifest: named("model.zip")}), archive.Unidentified, "lists more than"},
		"a model.json of 9 MiB":       {pack(export{platform: "TensorFlow", flavor: "TensorFlowJs", parts: map[string]string{"model.json": `{"a":"` + strings.Repeat("x", 9<<20) + `"}`}, manifest: named("model.zip")}), archive.Unidentified, "more than 8388608 bytes"},
		"a directory of its own size": {zips.Made([]zips.Part{model}, func(r []byte) { copy(r[12:20], "\x00\x00\x00\x0b\x00\x00\x00\x00") }), archive.Damaged, "directory"},
	} {
		t.Run(name, func(t *testing.T) {
			platform, flavor := "ONNX", ""
			if strings.Contains(c.note, "list") || strings.Contains(c.note, "8388608") {
				platform, flavor = "TensorFlow", "TensorFlowJs"
			}
			zips.Cheap(t, func() {
				verdict, note, err := archive.Judge(t.Context(), c.data, key(t, platform, flavor))
				require.NoError(t, err)
				assert.Equal(t, c.want, verdict, note)
				assert.Contains(t, note, c.note)
			})
		})
	}
}

// shared are entries that all have the bytes of the first.
func shared(n int) []zips.Part {
	zeros := strings.Repeat("\x00", 1<<10)
	parts := []zips.Part{{Name: "a", Data: zeros, Deflate: true, Packed: zips.Deflate(zeros)}}
	for range n - 1 {
		p := parts[0]
		p.Shared = true
		parts = append(parts, p)
	}
	return parts
}

// nested is a zip whose second entry lies in the bytes of the first, which is stored.
func nested() []byte {
	inner := zips.Made([]zips.Part{{Name: "b", Data: "inner"}}, nil)
	return zips.Made([]zips.Part{
		{Name: "a", Data: string(inner)},
		{Name: "b", Data: "inner", Shared: true, Entry: func(h []byte) { h[42] = zips.Local + 1 }},
	}, nil)
}
