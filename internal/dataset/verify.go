package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"

	"golang.org/x/sync/errgroup"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/storage"
)

// readers is how many pictures are read at a time.
const readers = 8

// Checked are pictures that were read again, by their names in the archive: one that
// several snapshots name is read once. The zero value is ready to use.
type Checked struct {
	mu   sync.Mutex
	seen map[string]error
}

// Reverify reads a snapshot and every picture that it names again, and compares them with
// the proof. The error is archive.ErrUnproven, seal.ErrBroken, archive.ErrNotFound where
// something is gone, and archive.ErrDamaged where bytes aren't what they were; anything
// else says that something couldn't be read. (Get Blob for the proof, the lines, and each
// picture)
func (s *Store) Reverify(ctx context.Context, of Snapshot, checked *Checked) (Proof, error) {
	p, err := s.Proof(ctx, of)
	if err != nil {
		return p, err
	}
	found, err := s.ReadBack(ctx, of.Name)
	switch {
	case storage.Status(err) == 0 && err != nil && !errors.Is(err, archive.ErrNotFound) && ctx.Err() == nil:
		return p, fmt.Errorf("%s: %w: %w", of.Blob(), archive.ErrDamaged, err)
	case err != nil:
		return p, err
	case found.SHA256 != p.SHA256 || found.Size != p.Size:
		return p, fmt.Errorf("%s: %w", of.Blob(), archive.ErrDamaged)
	}
	return p, s.checkPictures(ctx, of.Name, checked)
}

// checkPictures reads every picture that a snapshot names.
func (s *Store) checkPictures(ctx context.Context, of Name, checked *Checked) error {
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	body, err := s.Lines(ctx, of)
	if err != nil {
		return err
	}
	defer body.Close()
	for l, err := range Read(body) {
		if err != nil {
			return errors.Join(err, group.Wait())
		}
		if groupCtx.Err() != nil {
			break
		}
		for _, f := range []*File{l.Original, l.Resized} {
			if f != nil {
				group.Go(func() error { return s.checkPicture(groupCtx, of.Project, *f, checked) })
			}
		}
	}
	return group.Wait()
}

func (s *Store) checkPicture(ctx context.Context, project string, f File, checked *Checked) error {
	name := ImageBlob(project, f.SHA256)
	checked.mu.Lock()
	err, known := checked.seen[name]
	checked.mu.Unlock()
	if known {
		return err
	}
	err = s.CopyImage(ctx, project, f, io.Discard)
	if ctx.Err() == nil {
		checked.mu.Lock()
		defer checked.mu.Unlock()
		if checked.seen == nil {
			checked.seen = map[string]error{}
		}
		checked.seen[name] = err
	}
	return err
}

// CopyImage writes a picture's bytes to w and compares them with its hash: the error is
// archive.ErrDamaged where they are others, after they were written. (Get Blob)
func (s *Store) CopyImage(ctx context.Context, project string, f File, w io.Writer) error {
	body, err := s.Image(ctx, project, f.SHA256)
	if err != nil {
		return err
	}
	defer body.Close()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, sum), io.LimitReader(body, f.Size+1))
	if err != nil {
		return storage.Explain("read the picture "+f.SHA256, err)
	}
	if n != f.Size || hex.EncodeToString(sum.Sum(nil)) != f.SHA256 {
		return fmt.Errorf("the picture %s: %w", f.SHA256, archive.ErrDamaged)
	}
	return nil
}
