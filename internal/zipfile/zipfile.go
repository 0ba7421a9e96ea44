// Package zipfile reads zips that anybody may have written. It is the only reader of
// their directories in the program: what it refuses, nothing else sees. It checks what
// reading will cost before it is paid, and takes only what has one meaning, so that a
// common unzip reads the same. It doesn't write, decrypt or repair, and doesn't judge
// names.
//
// The format is that of https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT.
// Start reading at Find, then Directory.Entries, then Entry.Open.
package zipfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	// MaxDirectory bounds a directory, in bytes.
	MaxDirectory = 4 << 20
	// MaxEntries bounds how many entries a directory has.
	MaxEntries = 10_000
	// TailSize is as much of a file's end as holds every end record: those of both
	// formats, and a comment of up to 64 KiB.
	TailSize = 65 << 10
)

// ErrNoDirectory says that a file has no directory within the bounds.
var ErrNoDirectory = errors.New("it has no zip directory")

const (
	endSize       = 22
	locatorSize   = 20
	end64Size     = 56
	headerSize    = 46 // of an entry in the directory
	localSize     = 30 // of an entry at its bytes
	marker16      = 0xffff
	marker32      = 0xffffffff
	extraHeadSize = 4

	descriptorSize      = 12 // behind a streamed entry, without its mark
	largeDescriptorSize = 20 // where its local header has sizes of the large format
)

var (
	endMagic     = []byte("PK\x05\x06")
	locatorMagic = []byte("PK\x06\x07")
	end64Magic   = []byte("PK\x06\x06")
	headerMagic  = []byte("PK\x01\x02")
	localMagic   = []byte("PK\x03\x04")

	descriptorMagic = []byte("PK\x07\x08")
)

var le = binary.LittleEndian

// Directory is a zip's directory as it lies in the file.
type Directory struct {
	// Bytes are all from the directory's first byte to the end of the file.
	Bytes []byte

	start  int64
	length int // of the entries' headers, with which Bytes begins
	count  int
}

// IsZip reports whether a file begins as a zip with at least one entry.
func IsZip(head []byte) bool { return bytes.HasPrefix(head, localMagic) }

// end is what an end record says.
type end struct{ count, length, start uint64 }

// Find finds the directory of a file of this size: it reads the last TailSize bytes,
// and then the directory. The last end record counts, and must say the same as that of
// the large format, if there is one; the directory must end where they begin. The error
// is ErrNoDirectory where that isn't so, or the reader's own.
func Find(r io.ReaderAt, size int64) (Directory, error) {
	tail := make([]byte, min(size, TailSize))
	if err := readFull(r, tail, size-int64(len(tail))); err != nil {
		return Directory{}, err
	}
	at := bytes.LastIndex(tail, endMagic)
	if at < 0 || len(tail)-at < endSize {
		return Directory{}, ErrNoDirectory
	}
	e, records, ok := parseEnds(tail, at, size)
	ends := size - int64(len(tail)-records)
	if !ok || e.length > MaxDirectory || e.start > uint64(ends) || e.start+e.length != uint64(ends) {
		return Directory{}, ErrNoDirectory
	}
	d := Directory{start: int64(e.start), length: int(e.length), count: int(min(e.count, MaxEntries+1))}
	d.Bytes = make([]byte, size-d.start)
	return d, readFull(r, d.Bytes, d.start)
}

// parseEnds reads the end records in the tail of a file of this size, the last of
// which begins at at. It returns where the first begins, and whether they have a
// meaning, and only one.
func parseEnds(tail []byte, at int, size int64) (e end, begins int, ok bool) {
	record := tail[at:]
	if endSize+int(le.Uint16(record[20:])) > len(record) || le.Uint32(record[4:]) != 0 && le.Uint32(record[4:]) != marker32 {
		return end{}, 0, false // cut, or of several disks
	}
	e = end{uint64(le.Uint16(record[10:])), uint64(le.Uint32(record[12:])), uint64(le.Uint32(record[16:]))}
	if le.Uint16(record[8:]) != le.Uint16(record[10:]) {
		return end{}, 0, false
	}
	if at < locatorSize || !bytes.HasPrefix(tail[at-locatorSize:], locatorMagic) {
		return e, at, le.Uint32(record[4:]) == 0
	}
	locator, begins := tail[at-locatorSize:at], at-locatorSize-end64Size
	if begins < 0 || le.Uint32(locator[4:]) != 0 || le.Uint32(locator[16:]) != 1 ||
		le.Uint64(locator[8:]) != uint64(size-int64(len(tail)-begins)) {
		return end{}, 0, false
	}
	record64 := tail[begins : at-locatorSize]
	if !bytes.HasPrefix(record64, end64Magic) || le.Uint64(record64[4:]) != end64Size-12 || le.Uint64(record64[16:]) != 0 {
		return end{}, 0, false
	}
	e64 := end{le.Uint64(record64[32:]), le.Uint64(record64[40:]), le.Uint64(record64[48:])}
	same := le.Uint64(record64[24:]) == e64.count &&
		(e.count == marker16 || e.count == e64.count) &&
		(e.length == marker32 || e.length == e64.length) &&
		(e.start == marker32 || e.start == e64.start)
	return e64, begins, same
}

// Entries are those of the directory, in its order. Their places in the file lie before
// the directory, and no two overlap. The error says what is wrong with which entry.
func (d Directory) Entries() ([]Entry, error) {
	if d.count > MaxEntries {
		return nil, fmt.Errorf("it has more than %d entries", MaxEntries)
	}
	list := make([]Entry, 0, d.count)
	for rest := d.Bytes[:d.length]; len(rest) > 0; {
		if len(list) == d.count {
			return nil, fmt.Errorf("it has more than the %d entries that it names", d.count)
		}
		e, length, err := parseHeader(rest)
		if err != nil {
			return nil, fmt.Errorf("its entry %d %w", len(list)+1, err)
		}
		list, rest = append(list, e), rest[length:]
	}
	if len(list) != d.count {
		return nil, fmt.Errorf("it has %d entries, and names %d", len(list), d.count)
	}
	return list, place(list, d.start)
}

// readFull fills b from offset on.
func readFull(r io.ReaderAt, b []byte, offset int64) error {
	n, err := r.ReadAt(b, offset)
	switch {
	case n == len(b):
		return nil
	case err == io.EOF:
		return io.ErrUnexpectedEOF
	}
	return err
}
