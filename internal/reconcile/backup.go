package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
	"visionkeeper/internal/telemetry"
)

// backup archives one finished export. Its proof is written once the facts for it
// are known.
func (v *visit) backup(ctx context.Context, a Action) error {
	look := v.seen.Looks[a.Iteration]
	key, err := v.key(a)
	if err != nil {
		return err
	}
	if done, err := v.finish(ctx, key, look); done || err != nil {
		return err
	}
	switch {
	case look.done(key):
	case len(look.doubtful(key)) > 0:
		return errDoubtful
	default:
		return faultf(state.NoLink, "the copy that the archive has of it is no good, and the service doesn't have it any more")
	}
	e := v.evidence(ctx, key, look)
	for { // each round takes a package, and of those that are to be had none twice
		take, err := v.choose(ctx, &e)
		if err != nil {
			return err
		}
		b, err := v.keep(ctx, key, *take)
		switch {
		case errors.Is(err, archive.ErrUnreadable) && take.source.Kind == archive.FromContainer:
			take.unfit = v.unread(take.source.Name, err)
		case errors.Is(err, archive.ErrDamaged), errors.Is(err, archive.ErrSpoilt), errors.Is(err, archive.ErrUnreadable):
			take.unfit = err
		case err != nil:
			return err
		default:
			look.keep(b)
			switch b.Verdict {
			case "":
				return errWaits
			case archive.Unidentified:
				take.unfit = errDoubtful
			case archive.Damaged:
				take.unfit = faultf(state.Damaged, "the copy that the archive has of it is damaged")
			default:
				if b.Verdict.Counts() && b.Origin.Kind == archive.FromContainer {
					v.archived(a.Iteration, b.Origin.Name, b.Origin.ETag)
				}
				return nil
			}
		}
		// Another way may give better bytes.
	}
}

// errWaits says that bytes are safe, and that their proof waits, a day at most.
var errWaits = fault{code: state.Copied, why: "its bytes are in the archive, and their proof waits until the service says what it records, a day at most"}

// errDoubtful says that bytes are safe and may be another's.
var errDoubtful = faultf(state.Ambiguous, "a copy is kept, but nothing shows that it is this export")

// unread is why a blob of the model container can't be read, and what to do.
func (v *visit) unread(blob string, err error) error {
	switch {
	case archive.Resting(err):
		return faultf(state.Resting, "the blob %q in the model container %q lies in the Archive tier, or is on its way back, and can't be read: %s", blob, v.Models.Name(), rehydrate(v.Models, blob))
	case archive.Withheld(err):
		return faultf(state.Unreadable, "the blob %q in the model container %q is there and can't be read: %s", blob, v.Models.Name(), err)
	}
	return err
}

// finish proves a copy of an export whose bytes were certain when it was made, though
// they may be gone since, or that is all there is. A platform's default, of which manifests
// may say nothing, must be no other one in the list. It reports whether there is one that
// is good.
func (v *visit) finish(ctx context.Context, key archive.Key, look *Look) (bool, error) {
	e := evidence{key: key, look: look}
	for _, b := range look.of(key) {
		another := key.Flavor == "" && !e.only(&found{id: archive.Identity{ContentID: b.ContentID}})
		if b.Verdict != "" || b.Origin.Certainty == "" && (look.done(key) || another) {
			continue
		}
		b, err := v.keep(ctx, key, found{kept: &b})
		if err != nil {
			return false, err
		}
		look.keep(b)
		switch {
		case b.Verdict == "":
			return false, errWaits
		case b.Verdict.Counts():
			return true, nil
		}
	}
	return false, nil
}

// keep sees a copy that the archive has now, in place of what it was before.
func (l *Look) keep(b archive.Backup) {
	l.Backups = append(slices.DeleteFunc(slices.Clone(l.Backups), func(o archive.Backup) bool { return o.Blob == b.Blob }), b)
}

// keep brings a package into the archive, and proves it if the facts for its proof
// are known. After a crash it is done again: names collide harmlessly.
func (v *visit) keep(ctx context.Context, key archive.Key, f found) (archive.Backup, error) {
	var b archive.Backup
	if f.kept != nil {
		b = *f.kept
		b.Verdict, b.Origin.Certainty = "", cmp.Or(f.source.Certainty, b.Origin.Certainty)
	} else {
		var err error
		if b, err = v.Archive.Copy(ctx, key, f.source, f.id); err != nil || b.Verdict != "" {
			return b, err
		}
	}
	if v.awaits(key, f.id.Manifest) {
		return b, nil // the bytes are safe, the proof waits
	}
	var err error
	if f.kept != nil {
		b, err = v.Archive.ProveCopy(ctx, b, v.facts(key.Iteration))
	} else {
		b, err = v.Archive.Prove(ctx, b, f.source, f.id, v.facts(key.Iteration))
	}
	if err == nil {
		verdict := telemetry.String("verdict", string(b.Verdict))
		telemetry.Count(ctx, telemetry.Backups, 1, verdict)
		telemetry.Count(ctx, telemetry.BackupBytes, float64(b.Size), verdict)
	}
	if archive.Resting(err) && !errors.Is(err, archive.ErrUnreadable) {
		err = faultf(state.Resting, "the copy %q in the archive container %q lies in the Archive tier, or is on its way back, and can't be read: %s", b.Blob, v.Archive.Name(), rehydrate(v.Archive, b.Blob))
	}
	return b, err
}

// rehydrate is how a person has a blob brought back from the Archive tier.
func rehydrate(container interface {
	Account() string
	Name() string
}, blob string) string {
	return fmt.Sprintf("rehydrate it with `az storage blob set-tier --auth-mode login --account-name %s --container-name %s --name %q --tier Hot`, which takes up to 15 hours", container.Account(), container.Name(), blob)
}

// collect archives a blob of the model container as what its manifest says it is,
// or, without one that fits, as one that its verdict then doubts. What a backup of a
// listed export holds already isn't copied again.
func (v *visit) collect(ctx context.Context, a Action) error {
	look := v.seen.Looks[a.Iteration]
	s := v.Models.Source(a.Blob)
	id, err := v.Archive.Identify(ctx, s)
	if errors.Is(err, archive.ErrNotFound) {
		return nil // it is gone since it was listed, as the next listing shows
	}
	if err != nil {
		return v.unread(a.Blob, err)
	}
	_, _, platform, err := customvision.ParseBlobName(a.Blob)
	if err != nil {
		return faultf(state.BadName, "%s", err)
	}
	for _, b := range look.Backups {
		if b.Verdict.Counts() && b.ContentID == id.ContentID && customvision.SamePlatform(b.Platform, platform) {
			v.archived(a.Iteration, a.Blob, a.ETag)
			return nil
		}
	}
	key, err := archive.NewKey(v.record.ID, a.Iteration, platform, flavorIn(look, id.Manifest, platform))
	if err != nil {
		return faultf(state.BadName, "%s", err)
	}
	b, err := v.keep(ctx, key, found{source: s, id: id})
	if errors.Is(err, archive.ErrDamaged) { // the scope names the version
		return fault{code: state.Damaged, why: err.Error(), on: state.Sight{Blobs: fingerprint(version(a.Blob, a.ETag))}}
	}
	if err != nil {
		return v.unread(a.Blob, err)
	}
	look.keep(b)
	export := state.Scope{Iteration: a.Iteration, Export: key.String()}
	if b.Verdict == "" { // the blob may be gone before the proof is written
		v.learn(func(p *state.Project) { note(p, export, false, errWaits, true, v.rules.Under, v.now()) })
		return errWaits
	}
	if c := v.seen.Project.Condition(export); c != nil && c.Code == state.Copied {
		v.learn(func(p *state.Project) { p.Clear(export) })
	}
	if b.Verdict == archive.Unidentified {
		return errDoubtful
	}
	v.archived(a.Iteration, a.Blob, a.ETag)
	return nil
}

// flavorIn is the flavor under which a blob of the platform is kept: what its
// manifest names, or, where that is silent and the service lists a flavor, that one,
// whose backup the manifest then doesn't prove.
func flavorIn(look *Look, m *archive.Manifest, platform string) string {
	if m == nil || !customvision.SamePlatform(m.Platform, platform) {
		return ""
	}
	if m.Flavor == "" {
		for _, e := range look.Exports {
			if customvision.SamePlatform(e.Platform, platform) && e.Key.Flavor != "" {
				return e.Key.Flavor
			}
		}
	}
	return m.Flavor
}

// key is the archive's name of an action's export.
func (v *visit) key(a Action) (archive.Key, error) {
	key, err := archive.NewKey(v.record.ID, a.Iteration, platformOf(a.Export), flavorOf(a.Export))
	if err != nil {
		return key, fmt.Errorf("export %q: %w", a.Export, err)
	}
	return key, nil
}
