package archive

import (
	"archive/zip"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
)

// readEntries checks each entry's length and CRC-32 by the directory, and hashes the
// one at main.
func (f *judgement) readEntries(z *zip.Reader, main string, maxExpanded int64) (map[string]packed, error) {
	var total uint64
	for _, e := range z.File {
		total += e.UncompressedSize64
		if e.UncompressedSize64 > uint64(maxExpanded) || total > uint64(maxExpanded) {
			return nil, fmt.Errorf("it expands to more than %d bytes", maxExpanded)
		}
	}
	f.uncompressed = int64(total)
	files := map[string]packed{}
	for _, e := range z.File {
		sum, digest := crc32.NewIEEE(), sha1.New()
		head := &beginning{}
		w := io.MultiWriter(sum, head)
		to, err := entryPath(e.Name)
		isMain := err == nil && to == main
		if isMain {
			w = io.MultiWriter(sum, head, digest)
		}
		if err := readEntry(e, w); err != nil {
			return nil, fmt.Errorf("its entry %q cannot be read: %w", shorten(e.Name), err)
		}
		if sum.Sum32() != e.CRC32 { // archive/zip takes 0 as unknown
			return nil, fmt.Errorf("its entry %q cannot be read: %w", shorten(e.Name), zip.ErrChecksum)
		}
		if err == nil && !strings.HasSuffix(e.Name, "/") && !strings.HasSuffix(e.Name, `\`) {
			files[to] = packed{entry: e, size: int64(e.UncompressedSize64), head: head.bytes}
		}
		if isMain {
			f.model = &ModelFile{Name: e.Name, Size: int64(e.UncompressedSize64), SHA1: hex.EncodeToString(digest.Sum(nil))}
		}
	}
	return files, nil
}

// beginning keeps the first bytes of what is written to it.
type beginning struct{ bytes []byte }

func (b *beginning) Write(p []byte) (int, error) {
	b.bytes = append(b.bytes, p[:min(len(p), headLength-len(b.bytes))]...)
	return len(p), nil
}

func readEntry(e *zip.File, w io.Writer) error {
	body, err := openEntry(e)
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.Copy(w, body)
	return err
}

// openEntry reads an entry by what the directory says of it. Writers that stream
// repeat that after the entry's bytes, or should: archive/zip refuses an entry that
// lacks it, though its bytes have the directory's length and CRC-32.
func openEntry(e *zip.File) (io.ReadCloser, error) {
	const streamed = 0x8
	direct := *e
	direct.Flags &^= streamed
	return direct.Open()
}
