package archive

import (
	"context"
	"fmt"
)

// Prove verifies a backup and writes its proof. Where the copy is damaged it is made
// again: two damaged copies with the same bytes prove that the source itself is
// damaged, and so do three. The error is ErrDamaged then. (As Verify and Copy)
func (a *Archive) Prove(ctx context.Context, b Backup, s Source, id Identity, facts Facts) (Backup, error) {
	seen := map[string]bool{} // SHA-256 of damaged copies
	for {
		proof, err := a.Verify(ctx, b, facts)
		if err != nil {
			return b, err
		}
		b.Verdict, b.Proof = proof.Verdict, proofPath(b.Blob, proof.Verdict)
		if b.Verdict != Damaged {
			return b, nil
		}
		if len(seen) == 0 {
			if err := a.damagedBefore(ctx, b, seen); err != nil {
				return b, err
			}
		}
		if seen[proof.SHA256] {
			return b, fmt.Errorf("copy %s: %w: two copies have the same bytes, and %s", s.Name, ErrDamaged, proof.Note)
		}
		seen[proof.SHA256] = true
		if b, err = a.Copy(ctx, b.Key, s, id); err != nil || b.Verdict != "" {
			return b, err
		}
	}
}

// damagedBefore gathers the hashes of earlier damaged copies of the same content.
func (a *Archive) damagedBefore(ctx context.Context, b Backup, seen map[string]bool) error {
	list, err := a.list(ctx, b.Key.dir()+b.ContentID)
	if err != nil {
		return err
	}
	for _, before := range list {
		if before.Verdict != Damaged || before.Blob == b.Blob {
			continue
		}
		if proof, err := a.Proof(ctx, before); err == nil { // one that can't be read proves nothing
			seen[proof.SHA256] = true
		}
	}
	return nil
}
