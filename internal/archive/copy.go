package archive

import (
	"cmp"
	"context"
	"fmt"

	"visionkeeper/internal/storage"
)

// maxCopies is how many copies of one content there may be: names have one digit. Only
// bytes that no damaged copy has make another one.
const maxCopies = 9

// Copy copies an identified source into the archive. The storage service copies it,
// in one request or, above Options.SyncCopyLimit, in blocks; what the service can't
// fetch goes through this process. There is no lock: two copies of the same content
// have the same name, and the first one stays. If the archive already has the
// content, that backup is returned, with its verdict; else the new one, unproven. One
// that is unidentified is returned as unproven: more may be known of it now.
// The error is ErrChanged where the source is no longer what was identified, ErrDamaged
// where damaged copies show that this version of it is no good itself, and ErrUnreadable
// where it isn't given. (Copy Blob From URL; Get Block List, Put Block From URL, Put Block,
// Put Block List; Put Blob)
func (a *Archive) Copy(ctx context.Context, k Key, s Source, id Identity) (Backup, error) {
	if id.Size > a.options.MaxSize {
		return Backup{}, a.tooLarge(s.Name, id.Size)
	}
	through := s.Open != nil
	var spent copies
	if through || id.Size > a.options.SyncCopyLimit { // costly, so first see whether it is needed
		var held Backup
		var err error
		if held, spent, err = a.existing(ctx, k, s, id); err != nil || held.Blob != "" {
			return held, err
		}
	}
	for n := 1; n <= maxCopies; {
		name := packagePath(k, id, n)
		if spent.names[stem(name)] {
			n++
			continue
		}
		// Two copies were damaged: this process reads what a third would be.
		b, err := a.put(ctx, name, s, id, through || len(spent.damaged) > 1, spent.damaged)
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
		case spent.names[stem(name)]:
		case through:
			return Backup{}, fmt.Errorf("copy %s: %w", s.Name, ErrChanged)
		default:
			through = true // once: that says whether the source has changed
		}
	}
	return Backup{}, fmt.Errorf("copy %s: %w: the archive has %d copies of it, none of them good", s.Name, ErrSpoilt, maxCopies)
}

// copies are those of a content that are no good.
type copies struct {
	names   map[string]bool   // stems that no new copy may have
	damaged map[string]string // by SHA-256, what is wrong with the bytes
}

// existing finds a copy of the content that can be used, and those that can't: damaged
// and lost ones. Two copies of this version of a source that have the same bytes prove
// that it is itself damaged: the error is ErrDamaged then.
func (a *Archive) existing(ctx context.Context, k Key, s Source, id Identity) (held Backup, spent copies, err error) {
	list, err := a.list(ctx, k.dir()+id.ContentID)
	if err != nil {
		return Backup{}, copies{}, err
	}
	spent = copies{names: map[string]bool{}, damaged: map[string]string{}}
	for _, b := range list {
		switch b.Verdict {
		case Damaged, Lost:
			spent.names[stem(b.Blob)], spent.names[stem(b.Proof)] = true, true
		case Unidentified:
			b.Verdict, b.Origin.Certainty = "", cmp.Or(s.origin(id).why(), b.Origin.Certainty)
			return b, copies{}, nil
		default:
			return b, copies{}, nil
		}
	}
	from, same := s.origin(id), map[string]bool{}
	for _, b := range list {
		if b.Verdict != Damaged {
			continue
		}
		proof, err := a.Proof(ctx, b)
		switch {
		case ctx.Err() != nil:
			return Backup{}, copies{}, ctx.Err()
		case err != nil: // one that can't be read proves nothing
			continue
		}
		spent.damaged[proof.SHA256] = proof.Note
		if from.ETag == "" || b.Origin.Kind != from.Kind || b.Origin.Name != from.Name || b.Origin.ETag != from.ETag {
			continue
		}
		if same[proof.SHA256] {
			return Backup{}, spent, errSameBytes(s, proof.Note)
		}
		same[proof.SHA256] = true
	}
	return Backup{}, spent, nil
}

// errSameBytes says that the bytes of a source are those of a damaged copy.
func errSameBytes(s Source, note string) error {
	return fmt.Errorf("copy %s: %w: two copies have the same bytes, and %s", s.Name, ErrDamaged, note)
}
