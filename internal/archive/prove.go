package archive

import (
	"context"
	"fmt"
)

// maxTries is how many copies Prove judges of one source.
const maxTries = 3

// Prove verifies a backup and writes its proof. Where the copy is damaged it is made
// again. Two damaged copies with the same bytes prove that this version of the source is
// itself damaged: the error is ErrDamaged. It is ErrSpoilt where each is damaged in
// another way. (As Verify and Copy)
func (a *Archive) Prove(ctx context.Context, b Backup, s Source, id Identity, facts Facts) (Backup, error) {
	seen := map[string]bool{} // SHA-256 of damaged copies
	for range maxTries {
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
			return b, errSameBytes(s, proof.Note)
		}
		seen[proof.SHA256] = true
		if b, err = a.Copy(ctx, b.Key, s, id); err != nil || b.Verdict != "" {
			return b, err
		}
	}
	return b, fmt.Errorf("copy %s: %w: %d copies of it are damaged, each in another way", s.Name, ErrSpoilt, maxTries)
}

// ProveCopy is Prove of a copy whose source isn't asked again: it may be gone. One that
// is damaged is returned as such.
func (a *Archive) ProveCopy(ctx context.Context, b Backup, facts Facts) (Backup, error) {
	proof, err := a.Verify(ctx, b, facts)
	if err != nil {
		return b, err
	}
	b.Verdict, b.Proof = proof.Verdict, proofPath(b.Blob, proof.Verdict)
	return b, nil
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
