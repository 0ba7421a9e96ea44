package archive

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"

	"visionkeeper/internal/ondisk"
	"visionkeeper/internal/zipfile"
)

// steady reads for as long as ctx stands. It keeps its first error: who reads a zip
// takes one for a fault of the bytes.
type steady struct {
	ctx  context.Context
	from io.ReaderAt
	err  error
}

func (s *steady) ReadAt(b []byte, offset int64) (int, error) {
	if s.err == nil {
		s.err = s.ctx.Err()
	}
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.from.ReadAt(b, offset)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// readEntries checks that each entry is what the directory says, and hashes the one at
// main.
func (f *judgement) readEntries(r io.ReaderAt, list []zipfile.Entry, main string, maxExpanded int64) (map[string]packed, error) {
	if err := expands(list, maxExpanded); err != nil {
		return nil, err
	}
	files := map[string]packed{}
	for _, e := range list {
		f.uncompressed += e.Size
		digest, head := sha1.New(), &beginning{}
		w := io.Writer(head)
		to, err := ondisk.Path(e.Name)
		isMain := err == nil && to == main
		if isMain {
			w = io.MultiWriter(head, digest)
		}
		if err := readEntry(r, e, w); err != nil {
			return nil, fmt.Errorf("its entry %q cannot be read: %w", shorten(e.Name), err)
		}
		if followed, err := e.Followed(r); err == nil && !followed { // an error is kept by r
			f.bare = true
		}
		if err == nil && !isFolder(e.Name) {
			files[to] = packed{entry: e, from: r, head: head.bytes}
		}
		if isMain {
			f.model = &ModelFile{Name: e.Name, Size: e.Size, SHA1: hex.EncodeToString(digest.Sum(nil))}
		}
	}
	return files, nil
}

// expands is nil if entries have at most so many bytes unpacked.
func expands(list []zipfile.Entry, most int64) error {
	var total int64
	for _, e := range list {
		if e.Size > most-total {
			return fmt.Errorf("it expands to more than %d bytes", most)
		}
		total += e.Size
	}
	return nil
}

// beginning keeps the first bytes of what is written to it.
type beginning struct{ bytes []byte }

func (b *beginning) Write(p []byte) (int, error) {
	b.bytes = append(b.bytes, p[:min(len(p), headLength-len(b.bytes))]...)
	return len(p), nil
}

func readEntry(r io.ReaderAt, e zipfile.Entry, w io.Writer) error {
	body, err := e.Open(r)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, body)
	return err
}

// readSmall reads an entry of at most so many bytes. In the file it may have as many
// more as the worst packing takes.
func readSmall(r io.ReaderAt, e zipfile.Entry, most int64) ([]byte, error) {
	if e.Size > most || e.Packed > 2*most {
		return nil, fmt.Errorf("it is larger than %d bytes", most)
	}
	body, err := e.Open(r)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(body)
}
