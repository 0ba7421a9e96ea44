package dataset

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"image"
	_ "image/gif"  // what the service takes
	_ "image/jpeg" //
	_ "image/png"  //
	"net/http"
)

// describe says what a picture's bytes are. Only the first bytes are looked into: a
// picture that can't be decoded is described as far as it can be.
func describe(data []byte) File {
	sum := sha256.Sum256(data)
	f := File{SHA256: hex.EncodeToString(sum[:]), Size: int64(len(data)), ContentType: http.DetectContentType(data)}
	if config, _, err := image.DecodeConfig(bytes.NewReader(data)); err == nil {
		f.Width, f.Height = config.Width, config.Height
	} else if f.ContentType == "image/bmp" && len(data) >= 26 { // BITMAPINFOHEADER; a height below zero is a picture from the top
		f.Width = abs(int32(binary.LittleEndian.Uint32(data[18:])))
		f.Height = abs(int32(binary.LittleEndian.Uint32(data[22:])))
	}
	if f.ContentType == "image/jpeg" {
		f.Orientation = orientation(data)
	}
	return f
}

func abs(n int32) int { return int(max(n, -n)) }

// orientation is EXIF's of a JPEG; 0 where there is none. (CIPA DC-008, tag 0x0112)
func orientation(data []byte) int {
	for at := 2; at+4 <= len(data) && data[at] == 0xff; {
		marker, size := data[at+1], int(binary.BigEndian.Uint16(data[at+2:]))
		if marker == 0xda || size < 2 || at+2+size > len(data) { // the picture itself begins
			return 0
		}
		if exif, ok := bytes.CutPrefix(data[at+4:at+2+size], []byte("Exif\x00\x00")); ok && marker == 0xe1 {
			return orientationOf(exif)
		}
		at += 2 + size
	}
	return 0
}

// orientationOf reads it from the first directory of a TIFF.
func orientationOf(tiff []byte) int {
	if len(tiff) < 8 {
		return 0
	}
	var order binary.ByteOrder = binary.LittleEndian
	if string(tiff[:2]) == "MM" {
		order = binary.BigEndian
	}
	at := int64(order.Uint32(tiff[4:]))
	if at+2 > int64(len(tiff)) {
		return 0
	}
	entries := int64(order.Uint16(tiff[at:]))
	for e := at + 2; entries > 0 && e+12 <= int64(len(tiff)); entries, e = entries-1, e+12 {
		if order.Uint16(tiff[e:]) == 0x0112 {
			if o := int(order.Uint16(tiff[e+8:])); 1 <= o && o <= 8 {
				return o
			}
			return 0
		}
	}
	return 0
}

// Turned reports whether the service may show the picture in another way than its bytes
// lie: EXIF turns it, or its shape isn't that of the width and height that the service
// has, but for what rounding does. The sizes are in pixels; unknown ones are no sign.
func (f File) Turned(width, height int) bool {
	if f.Orientation > 1 {
		return true
	}
	if f.Width == 0 || f.Height == 0 || width <= 0 || height <= 0 {
		return false
	}
	a, b := float64(f.Width)*float64(height), float64(f.Height)*float64(width)
	return a > b*1.02 || b > a*1.02
}
