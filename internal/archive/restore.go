package archive

import (
	"context"
	"fmt"
	"io"
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

// Reverify reads a backup and its proof again, years later perhaps, and compares
// them. The error is seal.ErrBroken if the proof changed, ErrDamaged if the package
// did, ErrNotFound if one is gone, ErrUnproven if there never was a proof. It writes
// nothing.
func (a *Archive) Reverify(ctx context.Context, b Backup) (Proof, error) {
	return a.Restore(ctx, b, io.Discard)
}
