// Package zips makes zips byte by byte, among them such as no honest writer makes, and
// asks the common unzip what it makes of one. It is for tests. Start reading at Made.
package zips

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"slices"
)

// The lengths of headers and end records, without names and other things of any length.
const (
	Local   = 30 // of an entry at its bytes
	Header  = 46 // of an entry in the directory
	End     = 22
	Locator = 20 // of the large format
	EndLong = 56 // of the large format
)

// Streamed is the flag that says that sizes and checksum stand behind the bytes.
const Streamed = 1 << 3

// Part is an entry. What Local and Entry change of its two headers is done last.
type Part struct {
	Name, Data   string
	Deflate      bool
	Streamed     bool
	Packed       []byte // in place of the data as it is packed
	Extra        []byte // of both headers
	Local, Entry func(header []byte)
	// Shared reports whether it has no bytes of its own: the directory says that it is
	// where the part before it is.
	Shared bool
}

var le = binary.LittleEndian

// Made is a zip of parts. end may change its end record, and may be nil.
func Made(parts []Part, end func(record []byte)) []byte {
	var data, directory []byte
	at := 0
	for _, p := range parts {
		if !p.Shared {
			at = len(data)
			data = append(data, p.bytes()...)
		}
		header := p.header(append([]byte("PK\x01\x02"), 20, 3), false)
		header = append(header, make([]byte, 10)...)
		header = append(append(le.AppendUint32(header, uint32(at)), p.Name...), p.Extra...)
		if p.Entry != nil {
			p.Entry(header)
		}
		directory = append(directory, header...)
	}
	record := append([]byte("PK\x05\x06"), 0, 0, 0, 0)
	record = le.AppendUint16(le.AppendUint16(record, uint16(len(parts))), uint16(len(parts)))
	record = le.AppendUint32(le.AppendUint32(record, uint32(len(directory))), uint32(len(data)))
	record = le.AppendUint16(record, 0)
	if end != nil {
		end(record)
	}
	return slices.Concat(data, directory, record)
}

// bytes are the local header, the packed data, and the descriptor of what is streamed.
func (p Part) bytes() []byte {
	header := p.header([]byte("PK\x03\x04"), p.Streamed)
	header = append(append(header, p.Name...), p.Extra...)
	if p.Local != nil {
		p.Local(header)
	}
	packed, _ := p.packed()
	if !p.Streamed {
		return append(header, packed...)
	}
	return p.sizes(slices.Concat(header, packed, []byte("PK\x07\x08")))
}

// header goes on with what both headers have in common; bare ones have no sizes.
func (p Part) header(b []byte, bare bool) []byte {
	_, method := p.packed()
	flags := uint16(0)
	if p.Streamed {
		flags = Streamed
	}
	b = le.AppendUint16(le.AppendUint16(le.AppendUint16(b, 20), flags), method)
	b = le.AppendUint32(b, 0x5a21_0000)
	if bare {
		b = append(b, make([]byte, 12)...)
	} else {
		b = p.sizes(b)
	}
	return le.AppendUint16(le.AppendUint16(b, uint16(len(p.Name))), uint16(len(p.Extra)))
}

func (p Part) sizes(b []byte) []byte {
	packed, _ := p.packed()
	return le.AppendUint32(le.AppendUint32(le.AppendUint32(b, crc32.ChecksumIEEE([]byte(p.Data))), uint32(len(packed))), uint32(len(p.Data)))
}

func (p Part) packed() (data []byte, method uint16) {
	data = []byte(p.Data)
	if p.Deflate {
		data, method = Deflate(p.Data), 8
	}
	if p.Packed != nil {
		data = p.Packed
	}
	return data, method
}

// Large gives a zip the end records of the large format, as writers do that don't know
// a package's size before they begin; change may alter them, and may be nil.
func Large(data []byte, change func(record, locator []byte)) []byte {
	at := len(data) - End
	end := bytes.Clone(data[at:])
	record := append([]byte("PK\x06\x06"), 44, 0, 0, 0, 0, 0, 0, 0, 45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	count := uint64(le.Uint16(end[10:]))
	for _, v := range []uint64{count, count, uint64(le.Uint32(end[12:])), uint64(le.Uint32(end[16:]))} {
		record = le.AppendUint64(record, v)
	}
	locator := le.AppendUint64(append([]byte("PK\x06\x07"), 0, 0, 0, 0), uint64(at))
	locator = le.AppendUint32(locator, 1)
	if change != nil {
		change(record, locator)
	}
	for i := 8; i < 20; i++ {
		end[i] = 0xff
	}
	return slices.Concat(data[:at], record, locator, end)
}

// Commented is a zip with a comment at its end.
func Commented(data []byte, comment string) []byte {
	data = append(bytes.Clone(data), comment...)
	le.PutUint16(data[len(data)-len(comment)-2:], uint16(len(comment)))
	return data
}

// Edited is a zip with edits of four bytes each: from which end to count and what to
// do, how far to count, and a value. That reaches 64 KiB from both ends.
func Edited(zip, edits []byte) []byte {
	data := bytes.Clone(zip)
	for e := range slices.Chunk(edits, 4) {
		if len(e) < 4 || len(data) == 0 {
			break
		}
		at := int(le.Uint16(e[1:])) % len(data)
		if e[0]&1 != 0 {
			at = len(data) - 1 - at
		}
		switch e[0] >> 1 & 3 {
		case 0:
			data[at] = e[3]
		case 1:
			data[at] ^= e[3]
		case 2:
			data = slices.Insert(data, at, e[3])
		case 3:
			data = slices.Delete(data, at, at+1)
		}
	}
	return data
}

// Deflate is data as it is packed.
func Deflate(data string) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		panic(err)
	}
	io.WriteString(w, data)
	w.Close()
	return b.Bytes()
}

// Empty is a stream of deflate with n blocks that hold nothing.
func Empty(n int) []byte {
	return append(bytes.Repeat([]byte{0, 0, 0, 0xff, 0xff}, n), 3, 0)
}

// Noise is bytes that don't compress, the same for the same seed.
func Noise(n int, seed byte) string {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return string(b)
}

// Bomb is an entry of so many zeros, up to 4 GiB, of which a thousandth lies in the zip.
// Its checksum is wrong.
func Bomb(name string, size int64) Part {
	const block = 1 << 20
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		panic(err)
	}
	w.Write(make([]byte, block))
	w.Flush()
	packed := append(bytes.Repeat(b.Bytes(), int(size/block)), 3, 0)
	sized := func(at int) func([]byte) {
		return func(header []byte) { le.PutUint32(header[at:], uint32(size/block*block)) }
	}
	return Part{Name: name, Deflate: true, Packed: packed, Local: sized(22), Entry: sized(24)}
}
