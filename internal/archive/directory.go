package archive

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// directory is where a zip's central directory lies.
type directory struct{ start, end int64 }

const (
	maxDirectorySize = 4 << 20
	maxEntries       = 10_000

	// tailSize holds every end record: 22 bytes and a comment of up to 64 KiB.
	// archive/zip reads as far back, so a tail of this size spares it a request.
	tailSize = 65 << 10

	endRecordSize      = 22
	zip64LocatorSize   = 20
	zip64EndRecordSize = 56
)

var errNoDirectory = errors.New("it has no zip directory")

// zipMagic is how a zip with at least one entry begins.
var zipMagic = []byte("PK\x03\x04")

// findDirectory reads a zip's end record, of zip64 too (APPNOTE.TXT 4.3.14 to
// 4.3.16). The directory must begin at the offset that the record names, end
// where the record begins, and have a bounded size: archive/zip is less strict, and
// could be led to read something else.
func findDirectory(r io.ReaderAt, size int64) (directory, error) {
	tail := make([]byte, min(size, tailSize))
	if _, err := r.ReadAt(tail, size-int64(len(tail))); err != nil && err != io.EOF {
		return directory{}, err
	}
	at := bytes.LastIndex(tail, []byte("PK\x05\x06"))
	if at < 0 || len(tail)-at < endRecordSize {
		return directory{}, errNoDirectory
	}
	record := tail[at:]
	comment := int(binary.LittleEndian.Uint16(record[20:]))
	if endRecordSize+comment > len(record) {
		return directory{}, errNoDirectory
	}
	end := size - int64(len(record))
	length := uint64(binary.LittleEndian.Uint32(record[12:]))
	start := uint64(binary.LittleEndian.Uint32(record[16:]))

	if at >= zip64LocatorSize && bytes.HasPrefix(tail[at-zip64LocatorSize:], []byte("PK\x06\x07")) {
		offset := binary.LittleEndian.Uint64(tail[at-zip64LocatorSize+8:])
		if offset > uint64(size) || size-int64(offset) < zip64EndRecordSize {
			return directory{}, errNoDirectory
		}
		var record64 [zip64EndRecordSize]byte
		if _, err := r.ReadAt(record64[:], int64(offset)); err != nil {
			return directory{}, err
		}
		if bytes.HasPrefix(record64[:], []byte("PK\x06\x06")) {
			end = int64(offset)
			length = binary.LittleEndian.Uint64(record64[40:])
			start = binary.LittleEndian.Uint64(record64[48:])
		}
	}
	if length > maxDirectorySize || start > uint64(end) || start+length != uint64(end) {
		return directory{}, errNoDirectory
	}
	return directory{start: int64(start), end: end}, nil
}

// openZip reads a zip's directory, whose place findDirectory found.
func openZip(r io.ReaderAt, size int64) (*zip.Reader, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, err
	}
	if len(z.File) > maxEntries {
		return nil, fmt.Errorf("it has more than %d entries", maxEntries)
	}
	return z, nil
}

// contentIDLength is that of the shortened hash: 128 bits, in bytes.
const contentIDLength = 16

// contentID names a content: the SHA-256 of the size, a line feed, and the bytes
// from start on, shortened. From the directory on, these are all names, sizes
// and checksums; where there is no directory, start is 0 and they are all bytes.
func contentID(r io.ReaderAt, start, size int64) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%d\n", size)
	if _, err := io.Copy(h, io.NewSectionReader(r, start, size-start)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)[:contentIDLength]), nil
}
