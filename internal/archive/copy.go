package archive

import (
	"context"
	"fmt"
	"slices"

	"visionkeeper/internal/storage"
)

// maxCopies is how often one content is copied. If so many copies are damaged, so
// is the source.
const maxCopies = 3

// Copy copies an identified source into the archive. The storage service copies it,
// in one request or, above Options.SyncCopyLimit, in blocks; what the service can't
// fetch goes through this process. There is no lock: two copies of the same content
// have the same name, and the first one stays. If the archive already has the
// content, that backup is returned, with its verdict; else the new one, unproven.
// The error is ErrChanged where the source is no longer what was identified, and
// ErrDamaged where copies of it show that it is no good itself. (Copy Blob From URL; Get Block
// List, Put Block From URL, Put Block, Put Block List; Put Blob)
func (a *Archive) Copy(ctx context.Context, k Key, s Source, id Identity) (Backup, error) {
	if id.Size > a.options.MaxSize {
		return Backup{}, a.tooLarge(s.Name, id.Size)
	}
	through := s.Open != nil
	var spent []string
	if through || id.Size > a.options.SyncCopyLimit { // costly, so first see whether it is needed
		var held Backup
		var err error
		if held, spent, err = a.existing(ctx, k, s, id); err != nil || held.Blob != "" {
			return held, err
		}
	}
	for n := 1; n <= maxCopies; {
		name := packagePath(k, id, n)
		if slices.Contains(spent, stem(name)) {
			n++
			continue
		}
		b, err := a.put(ctx, name, s, id, through)
		if err == nil {
			b.Key, b.ContentID, b.Blob, b.Size = k, id.ContentID, name, id.Size
			return b, nil
		}
		if !refused(err) {
			return Backup{}, storage.Explain("copy "+s.Name+" into the archive", err)
		}
		// Either the name is taken or the source has changed, a service that finds both
		// may return either; or the copy was refused for another reason.
		var held Backup
		held, spent, err = a.existing(ctx, k, s, id)
		switch {
		case err != nil || held.Blob != "":
			return held, err
		case slices.Contains(spent, stem(name)):
		case through:
			return Backup{}, fmt.Errorf("copy %s: %w", s.Name, ErrChanged)
		default:
			through = true // once: that says whether the source has changed
		}
	}
	return Backup{}, fmt.Errorf("copy %s: %w: the archive has %d copies of it, none of them good, so neither is the source", s.Name, ErrDamaged, maxCopies)
}

// existing finds a copy of the content that can be used, and the stems that no new
// copy may have: those of damaged and lost copies, and, if the source is an export's
// own address, those of unidentified copies from elsewhere.
func (a *Archive) existing(ctx context.Context, k Key, s Source, id Identity) (held Backup, spent []string, err error) {
	list, err := a.list(ctx, k.dir()+id.ContentID)
	if err != nil {
		return Backup{}, nil, err
	}
	for _, b := range list {
		unsure := b.Verdict == Unidentified && !b.Origin.certain() && s.origin(id).certain()
		if b.Verdict != Damaged && b.Verdict != Lost && !unsure {
			return b, spent, nil
		}
		spent = append(spent, stem(b.Blob), stem(b.Proof))
	}
	return Backup{}, spent, a.provenDamaged(ctx, list, s.origin(id))
}

// provenDamaged is ErrDamaged if two copies from this version of a source are damaged
// and have the same bytes: then so has the source, and a third would be no better.
func (a *Archive) provenDamaged(ctx context.Context, copies []Backup, from Origin) error {
	seen := map[string]bool{} // SHA-256
	for _, b := range copies {
		if b.Verdict != Damaged || from.ETag == "" || b.Origin.Kind != from.Kind || b.Origin.Name != from.Name || b.Origin.ETag != from.ETag {
			continue
		}
		proof, err := a.Proof(ctx, b)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil: // one that can't be read proves nothing
		case seen[proof.SHA256]:
			return fmt.Errorf("copy %s: %w: two copies have the same bytes, and %s", from.Name, ErrDamaged, proof.Note)
		default:
			seen[proof.SHA256] = true
		}
	}
	return nil
}
