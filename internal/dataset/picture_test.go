package dataset

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// exif is a JPEG whose EXIF has an orientation, after another segment.
func exif(t *testing.T, order binary.ByteOrder, orientation uint16) []byte {
	t.Helper()
	var plain, tiff bytes.Buffer
	require.NoError(t, jpeg.Encode(&plain, image.NewGray(image.Rect(0, 0, 6, 4)), nil))
	mark := "II*\x00"
	if order == binary.BigEndian {
		mark = "MM\x00*"
	}
	tiff.WriteString("Exif\x00\x00" + mark)
	for _, v := range []any{uint32(8), uint16(2), // two entries at 8
		uint16(0x010f), uint16(2), uint32(1), uint32(0),
		uint16(0x0112), uint16(3), uint32(1), orientation, uint16(0), uint32(0)} {
		require.NoError(t, binary.Write(&tiff, order, v))
	}
	segment := func(marker byte, body []byte) []byte {
		return append([]byte{0xff, marker, byte((len(body) + 2) >> 8), byte(len(body) + 2)}, body...)
	}
	data := append([]byte{0xff, 0xd8}, segment(0xe0, []byte("JFIF\x00"))...)
	data = append(data, segment(0xe1, tiff.Bytes())...)
	return append(data, plain.Bytes()[2:]...)
}

func TestPicturesAreDescribedByTheirBytes(t *testing.T) {
	var p, g, j bytes.Buffer
	require.NoError(t, png.Encode(&p, image.NewGray(image.Rect(0, 0, 5, 7))))
	require.NoError(t, gif.Encode(&g, image.NewGray(image.Rect(0, 0, 5, 7)), nil))
	require.NoError(t, jpeg.Encode(&j, image.NewGray(image.Rect(0, 0, 5, 7)), nil))
	bmp := make([]byte, 54)
	copy(bmp, "BM")
	binary.LittleEndian.PutUint32(bmp[18:], 5)
	binary.LittleEndian.PutUint32(bmp[22:], ^uint32(7)+1) // from the top
	for contentType, data := range map[string][]byte{"image/png": p.Bytes(), "image/gif": g.Bytes(), "image/jpeg": j.Bytes(), "image/bmp": bmp} {
		f := describe(data)
		assert.Equal(t, File{SHA256: f.SHA256, Size: int64(len(data)), ContentType: contentType, Width: 5, Height: 7}, f)
	}
	assert.Equal(t, [3]int{0, 0, 0}, [3]int{describe([]byte("no picture")).Width, 0, 0})
}

func TestOrientationIsReadFromExif(t *testing.T) {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		for o := range uint16(10) {
			want := int(o)
			if o > 8 {
				want = 0
			}
			data := exif(t, order, o)
			f := describe(data)
			assert.Equal(t, [3]int{6, 4, want}, [3]int{f.Width, f.Height, f.Orientation})
			for cut := range len(data) {
				describe(data[:cut]) // no panic
			}
		}
	}
}

func TestTurned(t *testing.T) {
	f := File{Width: 4000, Height: 3000}
	assert.False(t, f.Turned(4000, 3000))
	assert.False(t, f.Turned(1024, 768))
	assert.False(t, f.Turned(0, 0))
	assert.False(t, File{}.Turned(3, 4))
	assert.True(t, f.Turned(3000, 4000))
	assert.True(t, f.Turned(1000, 1000))
	assert.True(t, File{Width: 4, Height: 3, Orientation: 6}.Turned(4, 3))
	assert.False(t, File{Width: 4, Height: 3, Orientation: 1}.Turned(4, 3))
}
