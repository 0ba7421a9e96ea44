package cli

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"visionkeeper/internal/archive"
)

// maxUnpacked bounds what a package may take on disk, in bytes: four times the
// largest one the archive takes.
const maxUnpacked = 4 << 30

// unpack puts what a restored package holds into a new folder. It makes regular
// files and folders only, none outside of that folder, none twice. A bare Core
// ML model goes in as it is. Where it fails, nothing stays.
func unpack(ctx context.Context, file *os.File, proof archive.Proof, to string) (files []string, err error) {
	fail := func(err error) ([]string, error) {
		return nil, problem{What: "Could not unpack the package to " + to, Why: cause(err), Do: "Restore it without --unzip and look into it with care"}
	}
	// Beside its final place, so that the move is one step.
	dir, err := os.MkdirTemp(filepath.Dir(to), ".visionkeeper-*")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fail(err)
	}
	defer root.Close()
	if path.Ext(proof.Blob) != ".zip" {
		name := "model" + path.Ext(proof.Blob)
		files, err = []string{name}, write(ctx, root, name, io.NewSectionReader(file, 0, proof.Size), proof.Size)
	} else {
		files, err = unzip(ctx, root, file, proof.Size)
	}
	if err == nil {
		err = errors.Join(os.Chmod(dir, 0o755), os.Rename(dir, to))
	}
	if isInterruption(err) {
		return nil, err
	}
	if err != nil {
		return fail(err)
	}
	return files, nil
}

// unzip writes every entry into root.
func unzip(ctx context.Context, root *os.Root, file io.ReaderAt, size int64) ([]string, error) {
	z, err := zip.NewReader(file, size)
	if err != nil {
		return nil, err
	}
	var files []string
	left := int64(maxUnpacked)
	for _, entry := range z.File {
		name := strings.ReplaceAll(entry.Name, `\`, "/") // old .NET programs wrote these
		plain := strings.TrimSuffix(name, "/")
		if !filepath.IsLocal(plain) || path.Clean(plain) != plain || strings.Contains(plain, ":") {
			return nil, fmt.Errorf("its entry %q leads out of the folder", entry.Name)
		}
		if plain != name {
			if err := root.MkdirAll(plain, 0o755); err != nil {
				return nil, err
			}
			continue
		}
		if !entry.Mode().IsRegular() {
			return nil, fmt.Errorf("its entry %q is no regular file", entry.Name)
		}
		if left -= int64(entry.UncompressedSize64); left < 0 || entry.UncompressedSize64 > maxUnpacked {
			return nil, fmt.Errorf("it unpacks to more than %d bytes", int64(maxUnpacked))
		}
		if err := root.MkdirAll(path.Dir(plain), 0o755); err != nil {
			return nil, err
		}
		body, err := entry.Open()
		if err != nil {
			return nil, err
		}
		err = write(ctx, root, plain, body, int64(entry.UncompressedSize64))
		body.Close()
		if err != nil {
			return nil, err
		}
		files = append(files, plain)
	}
	return files, nil
}

// write makes one new file of exactly size bytes.
func write(ctx context.Context, root *os.Root, name string, body io.Reader, size int64) error {
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
