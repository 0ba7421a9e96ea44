package zipfile

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"visionkeeper/dev/zips"
)

// bases are what the fuzz target edits. Some are larger than a page, and than all that
// Find reads of a file's end.
func bases() [][]byte {
	page := append(sound(), zips.Part{Name: "page", Data: zips.Noise(TailSize+5000, 4)})
	pages := append(many(900), page...)
	return [][]byte{
		zips.Made(sound(), nil), zips.Large(zips.Made(sound(), nil), nil), zips.Made(page, nil), zips.Large(zips.Made(page, nil), nil), zips.Made(pages, nil),
		zips.Commented(zips.Made(page, nil), zips.Noise(0xffff, 5)), zips.Made([]zips.Part{{Name: "words", Data: strings.Repeat("some words, ", 20_000), Deflate: true}}, nil),
	}
}

// FuzzReadsAsUnzip changes zips. What is read, a common unzip reads without a warning;
// and whatever it is, it costs neither much memory nor much time.
func FuzzReadsAsUnzip(f *testing.F) {
	bases := bases()
	for i, base := range bases {
		f.Add(uint8(i), []byte{})
		if i > 1 {
			continue
		}
		directory := bytes.Index(base, headerMagic)
		for _, at := range []int{6, 8, 14, 18, 22, 26, 28, 30} { // of the first local header
			f.Add(uint8(i), []byte{2, byte(at), 0, 1})
		}
		for _, at := range []int{4, 6, 8, 10, 16, 20, 24, 28, 30, 38, 42} { // of the first entry
			back := len(base) - 1 - directory - at
			f.Add(uint8(i), []byte{3, byte(back), byte(back >> 8), 1})
		}
		for _, back := range []int{0, 2, 6, 10, 12, 14, 22, 30, 42, 50, 58, 66, 74, 78} { // of the end records
			f.Add(uint8(i), []byte{3, byte(back), 0, 1})
		}
	}
	f.Fuzz(func(t *testing.T, base uint8, edits []byte) {
		data := zips.Edited(bases[int(base)%len(bases)], edits)
		var err error
		zips.Cheap(t, func() { _, err = read(data) })
		if err == nil {
			require.NoError(t, unzip(t, data))
		}
	})
}
