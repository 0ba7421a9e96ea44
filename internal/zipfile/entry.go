package zipfile

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// The methods that are read.
const (
	stored   = 0
	deflated = 8
)

// methods are the names of others.
var methods = map[uint16]string{
	1: "Shrink", 6: "Implode", 9: "Deflate64", 12: "BZIP2", 14: "LZMA", 93: "Zstandard", 95: "XZ", 98: "PPMd", 99: "AES",
}

const (
	encrypted = 1<<0 | 1<<6 | 1<<13
	streamed  = 1 << 3
	// harmless are the flags that are read: how well it is compressed, streamed, and
	// that the name is UTF-8.
	harmless = 1<<1 | 1<<2 | streamed | 1<<11
	// maxVersion is the version of the format that zip64 needs.
	maxVersion = 45
)

// Entry is one entry of a directory.
type Entry struct {
	Name   string // as it is written, which may be anything
	Size   int64  // unpacked, in bytes
	Packed int64  // in the file
	// Type is that of the file's mode where the writer set one: 0 for a regular file.
	Type fs.FileMode

	method, flags uint16
	crc           uint32
	offset, limit int64 // where its local header begins, and where the next thing does
}

// parseHeader reads the header with which b begins, and its length.
func parseHeader(b []byte) (e Entry, length int, err error) {
	if len(b) < headerSize || !bytes.HasPrefix(b, headerMagic) {
		return e, 0, errors.New("has no header")
	}
	name, extra := int(le.Uint16(b[28:])), int(le.Uint16(b[30:]))
	length = headerSize + name + extra + int(le.Uint16(b[32:]))
	if length > len(b) {
		return e, 0, errors.New("has a header that is cut")
	}
	e = Entry{
		Name: string(b[headerSize : headerSize+name]), Type: typeOf(le.Uint32(b[38:])),
		method: le.Uint16(b[10:]), flags: le.Uint16(b[8:]), crc: le.Uint32(b[16:]),
	}
	large := []uint64{uint64(le.Uint32(b[24:])), uint64(le.Uint32(b[20:])), uint64(le.Uint32(b[42:]))}
	if _, err := resolve(large, b[headerSize+name:][:extra]); err != nil {
		return e, 0, err
	}
	const most = 1 << 60 // so that sums don't overflow
	if slices.Max(large) > most {
		return e, 0, errors.New("has no possible size")
	}
	e.Size, e.Packed, e.offset = int64(large[0]), int64(large[1]), int64(large[2])
	method, known := methods[e.method]
	switch {
	case e.flags&encrypted != 0:
		err = errors.New("is encrypted")
	case e.flags&^uint16(harmless) != 0:
		err = fmt.Errorf("has flags %#x, which aren't read", e.flags)
	case le.Uint16(b[6:]) > maxVersion:
		err = fmt.Errorf("needs version %d of the format", le.Uint16(b[6:]))
	case le.Uint16(b[34:]) != 0:
		err = errors.New("is on another disk")
	case known:
		err = fmt.Errorf("is compressed by %s, which isn't read", method)
	case e.method != stored && e.method != deflated:
		err = fmt.Errorf("is compressed by the method %d, which isn't read", e.method)
	case e.method == stored && e.Size != e.Packed:
		err = errors.New("is stored with another size than its own")
	}
	return e, length, err
}

// typeOf is the type of a file by its external attributes. Its mode of Unix is there
// whatever the header says of the system: some writers name the wrong one.
func typeOf(attributes uint32) fs.FileMode {
	const dosFolder = 0x10
	switch attributes >> 28 {
	case 0x8, 0:
		if attributes&dosFolder == 0 {
			return 0
		}
		return fs.ModeDir
	case 0x4:
		return fs.ModeDir
	case 0xa:
		return fs.ModeSymlink
	}
	return fs.ModeIrregular
}

// The extra fields that mean something here.
const (
	largeExtra = 0x0001
	nameExtra  = 0x7075 // another name than the header's
)

// checkedExtras are those whose content an unzip checks, or takes in place of the
// header's: what they hold can't be compared with anything here.
var checkedExtras = map[uint16]bool{
	nameExtra: true, 0x0009: true /* OS/2 */, 0x000c: true /* VMS */, 0x334d: true /* Mac */, 0x4453: true, /* NT */
	0x4c41: true /* OS/2 ACL */, 0x6542: true /* BeOS */, 0x7441: true, /* AtheOS */
}

// resolve replaces each value that is only a marker by the one in the extra fields of
// the large format, which has them in turn. It reports whether there is such a field.
func resolve(values []uint64, extra []byte) (found bool, err error) {
	var large []byte
	for len(extra) >= extraHeadSize {
		id, length := le.Uint16(extra), int(le.Uint16(extra[2:]))
		extra = extra[extraHeadSize:]
		switch {
		case length > len(extra):
			return found, errors.New("has an extra field that is cut")
		case checkedExtras[id]:
			return found, fmt.Errorf("has an extra field %#04x, which isn't read", id)
		case id == largeExtra && found:
			return found, errors.New("has two sizes of the large format")
		case id == largeExtra:
			large, found = extra[:length], true
		}
		extra = extra[length:]
	}
	for i := range values {
		if values[i] != marker32 {
			continue
		}
		if len(large) < 8 {
			return found, errors.New("lacks a size of the large format")
		}
		values[i], large = le.Uint64(large), large[8:]
	}
	return found, nil
}

// place notes of each entry where the next thing in the file begins: another entry, or
// the directory.
func place(list []Entry, directory int64) error {
	order := make([]*Entry, len(list))
	for i := range list {
		order[i] = &list[i]
	}
	slices.SortFunc(order, func(a, b *Entry) int { return cmp.Compare(a.offset, b.offset) })
	for i, e := range order {
		e.limit = directory
		if i+1 < len(order) {
			e.limit = order[i+1].offset
		}
		if e.offset+localSize+int64(len(e.Name))+e.Packed > e.limit {
			return fmt.Errorf("its entry %.80q overlaps what follows it in the file", e.Name)
		}
	}
	return nil
}
