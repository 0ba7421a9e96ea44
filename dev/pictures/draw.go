package pictures

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
)

// draw makes the bytes of the n-th picture: JPEGs of all orientations, PNGs, GIFs and BMPs
// in turn.
func draw(random *rand.Rand, n, width, height int) (data []byte, extension string, orientation int) {
	picture := image.NewPaletted(image.Rect(0, 0, width, height), color.Palette{color.Black, color.White, color.RGBA{255, 0, 0, 255}, color.RGBA{0, 0, 255, 255}})
	for i := range picture.Pix {
		picture.Pix[i] = byte(random.UintN(4))
	}
	var b bytes.Buffer
	var err error
	switch n % 12 {
	case 1:
		err = png.Encode(&b, picture)
		extension = ".png"
	case 2:
		err = gif.Encode(&b, picture, nil)
		extension = ".gif"
	case 3:
		return bmp(picture), ".bmp", 0
	default:
		orientation = (n % 12) - 3 // 1 to 8
		if n%12 == 0 {
			orientation = 0
		}
		if err = jpeg.Encode(&b, picture, nil); err == nil && orientation > 0 {
			return turned(b.Bytes(), orientation, n%24 < 12), ".jpg", orientation
		}
		extension = ".jpg"
	}
	if err != nil {
		panic(err)
	}
	return b.Bytes(), extension, orientation
}

// turned puts an orientation into a JPEG, as a camera does, in either order of bytes.
func turned(data []byte, orientation int, big bool) []byte {
	var order binary.AppendByteOrder = binary.LittleEndian
	exif := []byte("Exif\x00\x00II")
	if big {
		order, exif = binary.BigEndian, []byte("Exif\x00\x00MM")
	}
	exif = order.AppendUint32(order.AppendUint16(exif, 42), 8)                  // where the first directory is
	exif = order.AppendUint16(order.AppendUint16(exif, 1), 0x0112)              // one entry: the orientation
	exif = order.AppendUint32(order.AppendUint16(exif, 3), 1)                   // one short
	exif = order.AppendUint16(order.AppendUint16(exif, uint16(orientation)), 0) // in the upper half of its four bytes
	exif = order.AppendUint32(exif, 0)                                          // no other directory
	out := binary.BigEndian.AppendUint16([]byte{0xff, 0xd8, 0xff, 0xe1}, uint16(len(exif)+2))
	return append(append(out, exif...), data[2:]...)
}

// bmp is a picture as BMP with 24 bits a pixel, its lines from the bottom up.
func bmp(picture image.Image) []byte {
	width, height := picture.Bounds().Dx(), picture.Bounds().Dy()
	line := (width*3 + 3) / 4 * 4
	out := []byte("BM")
	le := binary.LittleEndian
	for _, v := range []uint32{uint32(54 + line*height), 0, 54, 40, uint32(width), uint32(height), 1 | 24<<16, 0, uint32(line * height), 2835, 2835, 0, 0} {
		out = le.AppendUint32(out, v)
	}
	for y := height - 1; y >= 0; y-- {
		for x := range line {
			if x >= width*3 {
				out = append(out, 0)
				continue
			}
			r, g, b, _ := picture.At(x/3, y).RGBA()
			out = append(out, byte([]uint32{b, g, r}[x%3]>>8))
		}
	}
	return out
}
