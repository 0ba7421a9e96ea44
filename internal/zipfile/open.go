package zipfile

import (
	"bufio"
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
)

// ErrChecksum says that an entry's bytes have another CRC-32 than the directory says.
var ErrChecksum = errors.New("its bytes don't have their checksum")

// Open reads an entry of the file r. Its local header must say what the directory
// says, and its bytes must be what that says: the last Read returns an error where they
// aren't. No Read reads more of the file than a few KiB, so a reader that fails ends it.
func (e Entry) Open(r io.ReaderAt) (io.Reader, error) {
	begin, _, err := e.checkLocal(r)
	if err != nil {
		return nil, err
	}
	packed := bufio.NewReader(io.NewSectionReader(r, begin, e.Packed))
	b := &body{Entry: e, packed: packed, unpacked: packed, sum: crc32.NewIEEE()}
	if e.method == deflated {
		b.unpacked = flate.NewReader(packed)
	}
	return b, nil
}

// checkLocal compares an entry's local header with the directory, and returns where
// its bytes begin, and whether the header has sizes of the large format. What a writer that streams says there of sizes and checksum doesn't
// count, nor what it repeats behind the bytes (see Followed).
func (e Entry) checkLocal(r io.ReaderAt) (begin int64, large bool, err error) {
	header := make([]byte, localSize+len(e.Name))
	if err = readFull(r, header, e.offset); err != nil {
		return 0, false, err
	}
	extra := make([]byte, le.Uint16(header[28:]))
	begin = e.offset + int64(len(header)+len(extra))
	switch {
	case !bytes.HasPrefix(header, localMagic):
		return 0, false, errors.New("there is no local header of it")
	case int(le.Uint16(header[26:])) != len(e.Name) || string(header[localSize:]) != e.Name:
		return 0, false, errors.New("its local header has another name")
	case le.Uint16(header[6:]) != e.flags:
		return 0, false, fmt.Errorf("its local header has flags %#x, the directory says %#x", le.Uint16(header[6:]), e.flags)
	case le.Uint16(header[8:]) != e.method:
		return 0, false, fmt.Errorf("its local header names the method %d, the directory %d", le.Uint16(header[8:]), e.method)
	case begin+e.Packed > e.limit:
		return 0, false, errors.New("it overlaps what follows it in the file")
	}
	if err = readFull(r, extra, e.offset+int64(len(header))); err != nil {
		return 0, false, err
	}
	sizes := []uint64{uint64(le.Uint32(header[22:])), uint64(le.Uint32(header[18:]))}
	if e.flags&streamed != 0 {
		sizes = nil
	}
	large, err = resolve(sizes, extra)
	if err != nil {
		return 0, false, fmt.Errorf("its local header %w", err)
	}
	if sizes != nil && (sizes[0] != uint64(e.Size) || sizes[1] != uint64(e.Packed) || le.Uint32(header[14:]) != e.crc) {
		return 0, false, errors.New("its local header has another size or checksum")
	}
	return begin, large, nil
}

// Followed reports whether there is room behind the bytes for what a writer that streams
// repeats there: a checksum and two sizes, and perhaps a mark before them. Where there is
// none, an unzip that skips them unseen takes the entry for one that overlaps the next.
func (e Entry) Followed(r io.ReaderAt) (bool, error) {
	begin, large, err := e.checkLocal(r)
	if err != nil || e.flags&streamed == 0 {
		return true, err
	}
	at, length := begin+e.Packed, int64(descriptorSize)
	if large {
		length = largeDescriptorSize
	}
	if at+length > e.limit {
		return false, nil
	}
	mark := make([]byte, len(descriptorMagic))
	if err := readFull(r, mark, at); err != nil {
		return false, err
	}
	if bytes.Equal(mark, descriptorMagic) {
		length += int64(len(mark))
	}
	return at+length <= e.limit, nil
}

// body reads an entry's bytes.
type body struct {
	Entry
	packed   *bufio.Reader
	unpacked io.Reader
	sum      hash.Hash32
	done     int64
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.unpacked.Read(p)
	b.sum.Write(p[:n])
	b.done += int64(n)
	switch {
	case b.done > b.Size:
		return n, errors.New("it is longer than the directory says")
	case err != io.EOF:
		return n, err
	case b.done < b.Size:
		return n, io.ErrUnexpectedEOF
	case b.sum.Sum32() != b.crc:
		return n, ErrChecksum
	}
	if _, err := b.packed.ReadByte(); err != io.EOF {
		if err == nil {
			err = errors.New("it ends before its bytes do")
		}
		return n, err
	}
	return n, io.EOF
}
