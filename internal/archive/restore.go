package archive

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"visionkeeper/internal/storage"
)

// Restore writes a backup's package to w and checks it against its proof: every
// byte, and how many there are. On an error, w may have some of the bytes, so
// write to a temporary name and rename once it succeeds. The caller decides what the
// verdict is worth. Two requests: Get Blob of the proof and of the package.
func (a *Archive) Restore(ctx context.Context, b Backup, w io.Writer) (Proof, error) {
	p, err := a.Proof(ctx, b)
	if err != nil {
		return Proof{}, err
	}
	// Unpinned: what is there is compared with the proof, not with the listing.
	got, err := a.readBack(ctx, Backup{Blob: b.Blob, Proof: b.Proof}, w)
	if err != nil {
		return p, err
	}
	if got.size != p.Size || got.sha256 != p.SHA256 {
		return p, fmt.Errorf("%s: %w: it has %d bytes with SHA-256 %s, its proof says %d with %s",
			b.Blob, ErrDamaged, got.size, got.sha256, p.Size, p.SHA256)
	}
	return p, nil
}

// Present is nil if a backup's package is there with as many bytes as its proof says. It
// reads none of them. (Get Blob of the proof, Get Blob Properties)
func (a *Archive) Present(ctx context.Context, b Backup) error {
	p, err := a.Proof(ctx, b)
	if err != nil {
		return err
	}
	found, err := a.container.NewBlobClient(b.Blob).GetProperties(ctx, nil)
	if storage.Status(err) == http.StatusNotFound {
		return fmt.Errorf("%s: %w", b.Blob, ErrNotFound)
	}
	if err != nil {
		return storage.Explain("look at "+b.Blob, err)
	}
	if size := *found.ContentLength; size != p.Size {
		return fmt.Errorf("%s: %w: it has %d bytes, its proof says %d", b.Blob, ErrDamaged, size, p.Size)
	}
	return nil
}

// Reverify reads a backup and its proof again, years later perhaps, and compares
// them. The error is seal.ErrBroken if the proof changed, ErrDamaged if the package
// did, ErrNotFound if one is gone, ErrUnproven if there never was a proof. It writes
// nothing.
func (a *Archive) Reverify(ctx context.Context, b Backup) (Proof, error) {
	return a.Restore(ctx, b, io.Discard)
}
