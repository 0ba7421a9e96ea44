package archive

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"visionkeeper/internal/ondisk"
	"visionkeeper/internal/zipfile"
)

// Identity is what is known of a source before it is copied.
type Identity struct {
	ContentID string
	Size      int64     // bytes
	ETag      string    // of the source, without quotes; empty where it has none
	Zip       bool      // it is a zip, though perhaps a broken one
	Manifest  *Manifest // nil where there is none that can be read

	md5 []byte // of all bytes, where they were read whole
}

// Identify reads as little of a source as shows which export it is: the first 64
// KiB, then the end, pinned to the same ETag. That is one request for a small
// package and two for most; a third where the manifest lies in the middle. Only
// what has no zip directory is read whole. The error is ErrNotFound, ErrChanged
// or ErrTooLarge where that is the case. (Get Blob)
func (a *Archive) Identify(ctx context.Context, s Source) (Identity, error) {
	if s.Open != nil {
		return a.identifyWhole(ctx, s, -1, "")
	}
	head, err := a.get(ctx, s, 0, headSize, "")
	if err != nil {
		return Identity{}, err
	}
	defer head.body.Close()
	if head.size > a.options.MaxSize {
		return Identity{}, a.tooLarge(s.Name, head.size)
	}
	if !head.ranged && (head.size < 0 || head.size > headSize) {
		return a.identifyWhole(ctx, s, head.size, head.etag)
	}
	r := &remote{size: head.size, fetch: func(offset, count int64) ([]byte, error) {
		return a.readRange(ctx, s, offset, count, head.etag)
	}}
	first := make([]byte, min(head.size, headSize))
	if _, err := io.ReadFull(head.body, first); err != nil {
		if first, err = a.readRange(ctx, s, 0, int64(len(first)), head.etag); err != nil {
			return Identity{}, err
		}
	}
	r.add(0, first)
	if err := r.prefetch(max(int64(len(first)), r.size-zipfile.TailSize)); err != nil {
		return Identity{}, err
	}
	id, err := identify(ctx, r, r.size)
	if errors.Is(err, zipfile.ErrNoDirectory) {
		if r.held(0, r.size) == nil {
			return a.identifyWhole(ctx, s, head.size, head.etag)
		}
		id, err = identifyBytes(ctx, r, r.size)
	}
	id.ETag = head.etag
	return id, err
}

// identifyWhole reads a source of this size, or of an unknown one, -1.
func (a *Archive) identifyWhole(ctx context.Context, s Source, expected int64, etag string) (Identity, error) {
	sum := md5.New()
	file, size, err := fill(a.options.TempDir, expected, func(w io.Writer) (int64, error) {
		return a.readWhole(ctx, s, etag, io.MultiWriter(w, sum))
	})
	if err != nil {
		return Identity{}, err
	}
	defer file.Close()
	id, err := identifyBytes(ctx, file, size)
	id.ETag, id.md5 = etag, sum.Sum(nil)
	return id, err
}

// identifyBytes identifies what is on this machine.
func identifyBytes(ctx context.Context, r io.ReaderAt, size int64) (Identity, error) {
	id, err := identify(ctx, r, size)
	if !errors.Is(err, zipfile.ErrNoDirectory) {
		return id, err
	}
	whole := &steady{ctx: ctx, from: r}
	first := make([]byte, 4)
	n, _ := whole.ReadAt(first, 0)
	id = Identity{Size: size, Zip: zipfile.IsZip(first[:n])}
	id.ContentID, err = contentID(size, io.NewSectionReader(whole, 0, size))
	return id, err
}

// identify needs a zip directory; without one the error is zipfile.ErrNoDirectory. All
// other errors are the reader's own.
func identify(ctx context.Context, from io.ReaderAt, size int64) (Identity, error) {
	r := &steady{ctx: ctx, from: from}
	d, err := zipfile.Find(r, size)
	if err != nil {
		return Identity{}, err
	}
	id := Identity{Size: size, Zip: true}
	if id.ContentID, err = contentID(size, bytes.NewReader(d.Bytes)); err != nil {
		return Identity{}, err
	}
	if list, err := d.Entries(); err == nil {
		if m, _, err := readManifest(r, list); err == nil {
			id.Manifest = &m
		}
	}
	if r.err != nil {
		return Identity{}, r.err
	}
	return id, nil
}

// contentIDLength is that of the shortened hash: 128 bits, in bytes.
const contentIDLength = 16

// contentID names a content of this size: the SHA-256 of the size, a line feed, and the
// bytes from the zip's directory on, shortened. These are all names, sizes and
// checksums; where there is no directory, they are all bytes.
func contentID(size int64, from io.Reader) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%d\n", size)
	if _, err := io.Copy(h, from); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)[:contentIDLength]), nil
}

var errNoManifest = errors.New("there is no cvexport.manifest in it")

// readManifest reads a package's manifest. Its folder has a slash at its end, or is
// empty for the root.
func readManifest(r io.ReaderAt, list []zipfile.Entry) (m Manifest, folder string, err error) {
	for _, name := range manifestNames {
		i := slices.IndexFunc(list, func(e zipfile.Entry) bool {
			to, err := ondisk.Path(e.Name)
			return err == nil && to == name
		})
		if i < 0 {
			continue
		}
		data, err := readSmall(r, list[i], maxManifestSize)
		if err != nil {
			return Manifest{}, "", fmt.Errorf("read the manifest: %w", err)
		}
		m, err := parseManifest(data)
		return m, name[:strings.LastIndexByte(name, '/')+1], err
	}
	return Manifest{}, "", errNoManifest
}
