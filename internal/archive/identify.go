package archive

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Identity is what is known of a source before it is copied.
type Identity struct {
	ContentID string
	Size      int64     // bytes
	ETag      string    // of the source, without quotes; empty where it has none
	Zip       bool      // it is a zip, though perhaps a broken one
	Manifest  *Manifest // nil where there is none that can be read
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
	if err := r.prefetch(max(int64(len(first)), r.size-tailSize)); err != nil {
		return Identity{}, err
	}
	id, err := identify(r, r.size)
	if errors.Is(err, errNoDirectory) {
		if r.held(0, r.size) == nil {
			return a.identifyWhole(ctx, s, head.size, head.etag)
		}
		id, err = identifyBytes(r, r.size)
	}
	id.ETag = head.etag
	return id, err
}

// identifyWhole reads a source of this size, or of an unknown one, -1.
func (a *Archive) identifyWhole(ctx context.Context, s Source, expected int64, etag string) (Identity, error) {
	file, size, err := fill(a.options.TempDir, expected, func(w io.Writer) (int64, error) { return a.readWhole(ctx, s, etag, w) })
	if err != nil {
		return Identity{}, err
	}
	defer file.Close()
	id, err := identifyBytes(file, size)
	id.ETag = etag
	return id, err
}

// identifyBytes identifies what is on this machine.
func identifyBytes(r io.ReaderAt, size int64) (Identity, error) {
	id, err := identify(r, size)
	if !errors.Is(err, errNoDirectory) {
		return id, err
	}
	id = Identity{Size: size, Zip: beginsAsZip(r)}
	id.ContentID, err = contentID(r, 0, size)
	return id, err
}

// identify needs a zip directory; without one the error is errNoDirectory. All other
// errors are the reader's own.
func identify(r io.ReaderAt, size int64) (Identity, error) {
	d, err := findDirectory(r, size)
	if err != nil {
		return Identity{}, err
	}
	if p, ok := r.(*remote); ok {
		if err := p.prefetch(d.start); err != nil {
			return Identity{}, err
		}
	}
	id := Identity{Size: size, Zip: true}
	if id.ContentID, err = contentID(r, d.start, size); err != nil {
		return Identity{}, err
	}
	if z, err := openZip(r, size); err == nil {
		if m, _, err := readManifest(z); err == nil {
			id.Manifest = &m
		}
	}
	if p, ok := r.(*remote); ok && p.err != nil {
		return Identity{}, p.err
	}
	return id, nil
}

func beginsAsZip(r io.ReaderAt) bool {
	var first [4]byte
	n, _ := r.ReadAt(first[:], 0)
	return bytes.HasPrefix(first[:n], zipMagic)
}

var errNoManifest = errors.New("there is no cvexport.manifest in it")

// readManifest reads a package's manifest. Its folder has a slash at its end, or is
// empty for the root.
func readManifest(z *zip.Reader) (m Manifest, folder string, err error) {
	for _, name := range manifestNames {
		i := slices.IndexFunc(z.File, func(f *zip.File) bool {
			to, err := entryPath(f.Name)
			return err == nil && to == name
		})
		if i < 0 {
			continue
		}
		body, err := openEntry(z.File[i])
		if err != nil {
			return Manifest{}, "", fmt.Errorf("read the manifest: %w", err)
		}
		defer body.Close()
		data, err := io.ReadAll(io.LimitReader(body, maxManifestSize+1))
		if err != nil {
			return Manifest{}, "", fmt.Errorf("read the manifest: %w", err)
		}
		m, err := parseManifest(data)
		return m, name[:strings.LastIndexByte(name, '/')+1], err
	}
	return Manifest{}, "", errNoManifest
}
