package archive

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
)

// maxUnpacked bounds what a package may take on disk, in bytes: as judging does.
const maxUnpacked = maxExpansion * defaultMaxSize

// Unpack puts what a restored package holds into the new folder to, and lists the
// files. It makes regular files and folders only, none outside of that folder, none
// twice: every package whose verdict counts can be unpacked. A bare Core ML model
// goes in as it is. Where it fails, nothing stays.
func Unpack(ctx context.Context, file io.ReaderAt, proof Proof, to string) ([]string, error) {
	// Beside its final place, so that the move is one step.
	dir, err := os.MkdirTemp(filepath.Dir(to), ".visionkeeper-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	var files []string
	if extension := path.Ext(proof.Blob); extension != ".zip" {
		files = []string{"model" + extension}
		err = writeFile(ctx, root, files[0], io.NewSectionReader(file, 0, proof.Size), proof.Size)
	} else {
		files, err = unzip(ctx, root, file, proof.Size)
	}
	if err != nil {
		return nil, err
	}
	return files, errors.Join(os.Chmod(dir, 0o755), os.Rename(dir, to))
}

// unzip writes every entry into root.
func unzip(ctx context.Context, root *os.Root, file io.ReaderAt, size int64) ([]string, error) {
	z, err := zip.NewReader(file, size)
	if err != nil {
		return nil, err
	}
	list, err := entries(z)
	if err != nil {
		return nil, err
	}
	var files []string
	var total uint64
	for _, e := range list {
		if e.folder {
			if err := root.MkdirAll(e.path, 0o755); err != nil {
				return nil, err
			}
			continue
		}
		if total += e.UncompressedSize64; e.UncompressedSize64 > maxUnpacked || total > maxUnpacked {
			return nil, fmt.Errorf("it unpacks to more than %d bytes", int64(maxUnpacked))
		}
		if err := unzipFile(ctx, root, e); err != nil {
			return nil, err
		}
		files = append(files, e.path)
	}
	return files, nil
}

func unzipFile(ctx context.Context, root *os.Root, e unpacked) error {
	if err := root.MkdirAll(path.Dir(e.path), 0o755); err != nil {
		return err
	}
	body, err := openEntry(e.File)
	if err != nil {
		return err
	}
	defer body.Close()
	return writeFile(ctx, root, e.path, body, int64(e.UncompressedSize64))
}

// writeFile makes one new file of exactly size bytes.
func writeFile(ctx context.Context, root *os.Root, name string, body io.Reader, size int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, io.LimitReader(body, size+1))
	if err == nil && n != size {
		err = fmt.Errorf("%s has not the %d bytes that were announced", name, size)
	}
	return errors.Join(err, f.Close())
}
