package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sync/errgroup"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/seal"
	"visionkeeper/internal/storage"
)

// The names in a restored folder.
const (
	restoredLines  = "snapshot.jsonl"
	restoredProof  = "proof.json"
	restoredImages = "images"
)

// extensions of the pictures that Custom Vision takes.
var extensions = map[string]string{"image/jpeg": ".jpg", "image/png": ".png", "image/gif": ".gif", "image/bmp": ".bmp"}

// Restore writes a snapshot into a folder that is empty: its lines, its proof, and every
// picture by its SHA-256. All of it is compared with the proof; after an error the folder
// may have some of it. The number is that of pictures. (Get Blob for the proof, the lines,
// and each picture)
func (s *Store) Restore(ctx context.Context, of Snapshot, root *os.Root) (Proof, int, error) {
	p, err := s.Proof(ctx, of)
	if err != nil {
		return p, 0, err
	}
	data, err := seal.Marshal(p)
	if err != nil {
		return p, 0, err
	}
	if err := root.WriteFile(restoredProof, data, 0o666); err != nil {
		return p, 0, err
	}
	if err := s.restoreLines(ctx, of.Name, p, root); err != nil {
		return p, 0, err
	}
	if err := root.Mkdir(restoredImages, 0o777); err != nil {
		return p, 0, err
	}
	n, err := s.restorePictures(ctx, of.Project, root)
	return p, n, err
}

func (s *Store) restoreLines(ctx context.Context, of Name, p Proof, root *os.Root) error {
	body, err := s.Lines(ctx, of)
	if err != nil {
		return err
	}
	defer body.Close()
	file, err := root.Create(restoredLines)
	if err != nil {
		return err
	}
	defer file.Close()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(file, sum), body)
	if err != nil {
		return storage.Explain("read "+of.Blob(), err)
	}
	if n != p.Size || hex.EncodeToString(sum.Sum(nil)) != p.SHA256 {
		return fmt.Errorf("%s: %w", of.Blob(), archive.ErrDamaged)
	}
	return file.Close()
}

// restorePictures writes the pictures that the restored lines name, each once.
func (s *Store) restorePictures(ctx context.Context, project string, root *os.Root) (int, error) {
	lines, err := root.Open(restoredLines)
	if err != nil {
		return 0, err
	}
	defer lines.Close()
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	begun := map[string]bool{}
	for l, err := range Read(lines) {
		if err != nil {
			return 0, errors.Join(err, group.Wait())
		}
		if groupCtx.Err() != nil {
			break
		}
		for _, f := range []*File{l.Original, l.Resized} {
			if f == nil {
				continue
			}
			if !begun[f.SHA256] {
				begun[f.SHA256] = true
				group.Go(func() error { return s.restorePicture(groupCtx, project, *f, root) })
			}
		}
	}
	return len(begun), group.Wait()
}

func (s *Store) restorePicture(ctx context.Context, project string, f File, root *os.Root) error {
	if !sha256Name().MatchString(f.SHA256) {
		return fmt.Errorf("%w: %q is no SHA-256", archive.ErrDamaged, f.SHA256)
	}
	file, err := root.Create(restoredImages + "/" + f.SHA256 + extensions[f.ContentType])
	if err != nil {
		return err
	}
	defer file.Close()
	if err := s.CopyImage(ctx, project, f, file); err != nil {
		return err
	}
	return file.Close()
}
