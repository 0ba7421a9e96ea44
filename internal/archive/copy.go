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
// ErrDamaged where three copies of it were no good. (Copy Blob From URL; Get Block
// List, Put Block From URL, Put Block, Put Block List; Put Blob)
func (a *Archive) Copy(ctx context.Context, k Key, s Source, id Identity) (Backup, error) {
	if id.Size > a.options.MaxSize {
		return Backup{}, a.tooLarge(s.Name, id.Size)
	}
	var spent []string
	if s.URL == "" || id.Size > a.options.SyncCopyLimit { // costly, so first see whether it is needed
		var held Backup
		var err error
		if held, spent, err = a.existing(ctx, k, s, id); err != nil || held.Blob != "" {
			return held, err
		}
	}
	for n := 1; n <= maxCopies; n++ {
		name := packagePath(k, id, n)
		if slices.Contains(spent, stem(name)) {
			continue
		}
		b, err := a.put(ctx, name, s, id)
		if err == nil {
			b.Key, b.ContentID, b.Blob, b.Size = k, id.ContentID, name, id.Size
			return b, nil
		}
		if !refused(err) {
			return Backup{}, storage.Explain("copy "+s.Name+" into the archive", err)
		}
		// Either the name is taken or the source has changed: a service that
		// finds both may return either.
		var held Backup
		if held, spent, err = a.existing(ctx, k, s, id); err != nil || held.Blob != "" {
			return held, err
		}
		if !slices.Contains(spent, stem(name)) {
			return Backup{}, fmt.Errorf("copy %s: %w", s.Name, ErrChanged)
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
		unsure := b.Verdict == Unidentified && !b.Origin.certain() && Origin{Kind: s.Kind, Certainty: s.Certainty}.certain()
		if b.Verdict != Damaged && b.Verdict != Lost && !unsure {
			return b, spent, nil
		}
		spent = append(spent, stem(b.Blob), stem(b.Proof))
	}
	return Backup{}, spent, nil
}
