package archive

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"visionkeeper/internal/zipfile"
)

// Unpack puts what a restored package holds into the new folder to, and lists the
// files. It makes regular files and folders only, none outside of that folder, none
// twice, as the umask allows: every package whose verdict counts can be unpacked. A bare
// Core ML model goes in as it is. Where it fails or ctx ends, nothing stays; the error
// is os.ErrExist where something stands at to.
func Unpack(ctx context.Context, file io.ReaderAt, proof Proof, to string) ([]string, error) {
	// Beside its final place, so that the move is one step.
	dir := filepath.Join(filepath.Dir(to), ".visionkeeper-"+rand.Text())
	if err := os.Mkdir(dir, 0o777); err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	r := &steady{ctx: ctx, from: file}
	var files []string
	if extension := path.Ext(proof.Blob); extension != ".zip" {
		files = []string{"model" + extension}
		err = writeFile(root, files[0], io.NewSectionReader(r, 0, proof.Size), proof.Size)
	} else {
		files, err = unzip(ctx, root, r, proof.Size)
	}
	if err != nil {
		return nil, err
	}
	if _, err := os.Lstat(to); err == nil {
		return nil, &os.PathError{Op: "unpack", Path: to, Err: os.ErrExist}
	}
	return files, os.Rename(dir, to)
}

// unzip writes every entry into root.
func unzip(ctx context.Context, root *os.Root, r io.ReaderAt, size int64) ([]string, error) {
	d, err := zipfile.Find(r, size)
	if err != nil {
		return nil, err
	}
	all, err := d.Entries()
	if err != nil {
		return nil, err
	}
	list, err := entries(all)
	if err != nil {
		return nil, err
	}
	if err := expands(all, maxExpanded(size, defaultMaxSize)); err != nil {
		return nil, err
	}
	var files []string
	for _, e := range list {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		folder := e.path
		if !e.folder {
			folder = path.Dir(e.path)
		}
		if err := root.MkdirAll(folder, 0o777); err != nil {
			return nil, err
		}
		if e.folder {
			continue
		}
		body, err := e.Open(r)
		if err != nil {
			return nil, fmt.Errorf("its entry %q cannot be read: %w", e.path, err)
		}
		if err := writeFile(root, e.path, body, e.Size); err != nil {
			return nil, err
		}
		files = append(files, e.path)
	}
	return files, nil
}

// writeFile makes one new file of exactly size bytes.
func writeFile(root *os.Root, name string, body io.Reader, size int64) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, body)
	if err == nil && n != size {
		err = fmt.Errorf("%s has not the %d bytes that were announced", name, size)
	}
	return errors.Join(err, f.Close())
}
