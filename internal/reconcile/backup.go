package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/rs/zerolog"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/models"
	"visionkeeper/internal/state"
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
// they may be gone since. It reports whether there is one that is good, or that waits for
// the facts of its proof.
func (v *visit) finish(ctx context.Context, key archive.Key, look *Look) (bool, error) {
	for _, b := range look.of(key) {
		if b.Verdict != "" || b.Origin.Certainty == "" {
			continue
		}
		b, err := v.keep(ctx, key, found{kept: &b})
		if err != nil {
			return false, err
		}
		look.keep(b)
		if b.Verdict == "" || b.Verdict.Counts() {
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

// evidence gathers what is known of where the bytes of an export may be, but for what
// links give.
func (v *visit) evidence(ctx context.Context, key archive.Key, look *Look) evidence {
	e := evidence{key: key, look: look}
	e.entry, e.link, e.linkErr = v.linkOf(look, *look.export(key))
	v.readBlobs(ctx, &e)
	return e
}

// choose finds the bytes that are certainly the export.
func (v *visit) choose(ctx context.Context, e *evidence) (*found, error) {
	for ctx.Err() == nil {
		c := choose(*e)
		switch c.need {
		case nothing:
			if c.take != nil {
				c.take.source.Certainty = c.certainty
			}
			if c.final {
				c.err = v.final(c.err, e)
			}
			return c.take, c.err
		case ownLink:
			own, err := v.follow(ctx, e.key, e.entry)
			if err != nil {
				e.linkErr = linkFault(err)
				continue
			}
			e.own = &own
		case rivalLink:
			e.rivalKnown = true
			if entry, kind, err := v.linkOf(e.look, *c.rival); kind == linkOwn && err == nil {
				switch rival, err := v.follow(ctx, e.key, entry); {
				case err == nil:
					e.rival = &rival
				case !errors.Is(err, archive.ErrNotFound) && !errors.Is(err, archive.ErrUnreadable):
					return nil, err
				}
			}
		case keptCopies:
			e.keptKnown = true
			v.readKept(ctx, e)
		}
	}
	return nil, ctx.Err()
}

// final makes an error stand for as long as the same is seen.
func (v *visit) final(err error, e *evidence) error {
	f := faultOf(err)
	blobs := v.seen.held(e.key.Iteration, e.entry.Platform)
	if v.seen.Held == nil {
		for _, b := range e.blobs {
			blobs = append(blobs, version(b.source.Name, b.id.ETag))
		}
	}
	f.on = sight(blobs, e.look.export(e.key).Export)
	return f
}

// readBlobs identifies what lies under the names that the export's blob may have,
// until one is certainly the export. A blob that can't be read is no end: the export's
// link may give the same bytes. Where it leads to the blob itself, it may be read by that.
func (v *visit) readBlobs(ctx context.Context, e *evidence) {
	linked := v.linkedBlob(e)
	var names []string
	if v.seen.Project.Container {
		names = models.Names(e.key, e.entry.Platform)
	}
	if linked != nil && !slices.Contains(names, linked.Name) {
		names = append(names, linked.Name)
	}
	for _, name := range names {
		if e.link == linkOwn && e.linkErr == nil && v.lacks(name) {
			continue
		}
		s := v.Models.Source(name)
		id, err := v.Archive.Identify(ctx, s)
		if err != nil && !archive.Resting(err) && linked != nil && linked.Name == name {
			if byLink, failed := v.Archive.Identify(ctx, *linked); failed == nil {
				s, id, err = *linked, byLink, nil
			}
		}
		switch {
		case errors.Is(err, archive.ErrNotFound):
		case err != nil:
			e.blobErr = v.unread(name, err)
		default:
			e.blobs = append(e.blobs, &found{source: s, id: id})
		}
		if e.named(e.blobs) != nil {
			return
		}
	}
}

// lacks reports whether the model container held no blob of a name when it was listed,
// or whether the service writes this project's names in another form. Where a link leads
// to the bytes, the requests that would show it are spared.
func (v *visit) lacks(name string) bool {
	if v.scope.blobsKnown {
		return !slices.ContainsFunc(v.scope.blobs, func(b models.Blob) bool { return b.Name == name })
	}
	form, _, _ := strings.Cut(name, " ")
	known := false
	for _, it := range v.seen.Project.Iterations {
		for blob := range it.Blobs {
			if strings.HasPrefix(blob, form+" ") {
				return false
			}
			known = true
		}
	}
	return known
}

// linkedBlob is the blob that the export's link leads to, read by that link; nil where it
// leads to none, or where it isn't followed.
func (v *visit) linkedBlob(e *evidence) *archive.Source {
	if e.link != linkInside {
		return nil
	}
	name, ours := v.Models.Blob(e.entry.DownloadURI)
	if !ours {
		name, _ = models.BlobOf(v.seen.Project.ContainerURI, e.entry.DownloadURI)
		if archive.CheckDownloadURL(e.entry.DownloadURI, v.Downloads.Suffix, v.Downloads.Loopback) != nil {
			return nil
		}
	}
	return &archive.Source{Kind: archive.FromContainer, Name: name, URL: e.entry.DownloadURI}
}

// readKept identifies the copies that the archive has of the export and that don't count.
func (v *visit) readKept(ctx context.Context, e *evidence) {
	for _, b := range e.look.doubtful(e.key) {
		if id, err := v.Archive.Identify(ctx, v.Archive.Source(b)); err == nil {
			e.kept = append(e.kept, &found{id: id, kept: &b})
		} else {
			zerolog.Ctx(ctx).Warn().Err(err).Msg("a copy in the archive can't be looked at")
		}
	}
}

// linkOf says where the best of an export's download links leads: it has one for each
// entry with its name in the service's list.
func (v *visit) linkOf(look *Look, l Listed) (best customvision.Export, kind linkKind, err error) {
	for i, e := range append([]customvision.Export{l.Export}, l.Others...) {
		if k, refused := v.leads(look, l.Key, e); i == 0 || k > kind {
			best, kind, err = e, k, refused
		}
	}
	return best, kind, err
}

// leads says where an entry's download link leads.
func (v *visit) leads(look *Look, key archive.Key, e customvision.Export) (linkKind, error) {
	link, err := url.Parse(e.DownloadURI)
	switch {
	case e.DownloadURI == "":
		return noLink, nil
	case err != nil:
		return linkForbidden, faultf(state.LinkRefused, "its bytes are not in the model container, and its download link is not a URL")
	case v.inside(e.DownloadURI):
		return linkInside, nil
	}
	if link.Scheme != "" || link.Host != "" {
		if err := archive.CheckDownloadURL(e.DownloadURI, v.Downloads.Suffix, v.Downloads.Loopback); err != nil {
			return linkForbidden, faultf(state.LinkRefused, "its bytes are not in the model container, and its download link is not followed: %s", err)
		}
	}
	if look.shares(key, e) {
		return linkShared, nil
	}
	return linkOwn, nil
}

// inside reports whether a link leads into the model container, by the address that the
// app has of it or that the project's settings have.
func (v *visit) inside(link string) bool {
	_, ours := v.Models.Blob(link)
	_, theirs := models.BlobOf(v.seen.Project.ContainerURI, link)
	return ours || theirs
}

// shares reports whether another export's link leads to the same address: one that
// belongs to two belongs to none of them alone.
func (l *Look) shares(key archive.Key, e customvision.Export) bool {
	same := func(o customvision.Export) bool {
		return o.DownloadURI != "" && archive.Address(o.DownloadURI) == archive.Address(e.DownloadURI)
	}
	return slices.ContainsFunc(l.Unusable, same) || slices.ContainsFunc(l.Exports, func(o Listed) bool {
		return o.Key != key && (same(o.Export) || slices.ContainsFunc(o.Others, same))
	})
}

// follow identifies what an export's own link gives.
func (v *visit) follow(ctx context.Context, key archive.Key, e customvision.Export) (found, error) {
	link, err := url.Parse(e.DownloadURI)
	if err != nil {
		return found{}, err
	}
	s := archive.Source{Kind: archive.FromDownload, Name: link.Host + link.Path, URL: e.DownloadURI}
	if link.Host == "" {
		s = archive.Source{Kind: archive.FromArtifact, Name: link.Path, Open: func(ctx context.Context) (io.ReadCloser, error) {
			return v.Service.Artifact(ctx, key.Project, e.DownloadURI)
		}}
	}
	id, err := v.Archive.Identify(ctx, s)
	return found{source: s, id: id}, err
}

// linkFault makes a condition of a link that gives nothing.
func linkFault(err error) error {
	if errors.Is(err, archive.ErrNotFound) {
		return faultf(state.NoLink, "its bytes are not in the model container, and there is nothing at its download link")
	}
	return err
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
	switch {
	case b.Verdict == archive.Unidentified:
		return errDoubtful
	case b.Verdict != "":
		v.archived(a.Iteration, a.Blob, a.ETag)
	case look.Unlisted:
		return faultf(state.Unseen, "its bytes are copied, and its proof waits until the service shows what exports there are, a day at most")
	}
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
