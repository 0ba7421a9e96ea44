package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/models"
	"visionkeeper/internal/state"
)

// maxSources is how many places the bytes of one export may lie in: two names in the
// model container, and its link.
const maxSources = 3

// listLag is how long the service's list may lack an export that is made.
const listLag = time.Hour

// backup archives one finished export. Its proof is written once the facts for it
// are known.
func (v *visit) backup(ctx context.Context, a Action) error {
	look := v.seen.Looks[a.Iteration]
	key, err := v.key(a)
	if err != nil {
		return err
	}
	var b archive.Backup
	for range maxSources {
		take, err := v.bytesOf(ctx, key, look)
		if err != nil {
			return err
		}
		b, err = v.keep(ctx, key, *take, a.Iteration)
		if errors.Is(err, archive.ErrDamaged) && take.source.Kind == archive.FromContainer {
			// The blob is damaged. Another way may give better bytes.
			if look.Backups, err = v.Archive.Backups(ctx, key.Project, key.Iteration); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		break
	}
	look.Backups = append(look.Backups, b)
	if b.Verdict.Counts() && b.Origin.Kind == archive.FromContainer {
		v.archived(a.Iteration, b.Origin.Name, b.Origin.ETag)
	}
	if b.Verdict == archive.Unidentified {
		return faultf(state.Ambiguous, "a copy is kept, but nothing shows that it is this export")
	}
	return nil
}

// keep brings a package into the archive, and proves it if the facts for its proof
// are known. After a crash it is done again: names collide harmlessly.
func (v *visit) keep(ctx context.Context, key archive.Key, f found, iteration string) (archive.Backup, error) {
	b, err := v.Archive.Copy(ctx, key, f.source, f.id)
	if err != nil || b.Verdict != "" {
		return b, err
	}
	if v.awaits(key, f.id.Manifest) {
		return b, nil // the bytes are safe, the proof waits
	}
	return v.Archive.Prove(ctx, b, f.source, f.id, v.facts(iteration))
}

// bytesOf finds the bytes that are certainly the export.
func (v *visit) bytesOf(ctx context.Context, key archive.Key, look *Look) (*found, error) {
	listed := look.export(key)
	e := evidence{key: key, look: look}
	c := v.seen.Project.Condition(state.Scope{Iteration: key.Iteration, Export: key.String()})
	e.caughtUp = c != nil && c.Unproven && v.now().Sub(c.First) >= listLag
	e.link, e.linkErr = v.linkOf(listed.Export)
	if v.seen.Project.Container {
		v.readBlobs(ctx, &e, listed.Platform)
	}
	for ctx.Err() == nil {
		c := choose(e)
		switch c.need {
		case nothing:
			if c.take != nil {
				c.take.source.Certainty = c.certainty
			}
			return c.take, c.err
		case ownLink:
			own, err := v.follow(ctx, key, listed.Export)
			if err != nil {
				e.linkErr = linkFault(err)
				continue
			}
			e.own = &own
		case rivalLink:
			e.rivalKnown = true
			if kind, err := v.linkOf(c.rival.Export); kind == linkOwn && err == nil {
				rival, err := v.follow(ctx, key, c.rival.Export)
				switch {
				case err == nil:
					e.rival = &rival
				case !e.caughtUp: // later the other's dead link no longer holds up this one
					return nil, err
				}
			}
		}
	}
	return nil, ctx.Err()
}

// readBlobs identifies what lies under the names that the export's blob may have,
// until one is certainly the export. A blob that can't be read is no end: the export's
// link may give the same bytes.
func (v *visit) readBlobs(ctx context.Context, e *evidence, platform string) {
	for _, name := range models.Names(e.key, platform) {
		if e.link == linkOwn && e.linkErr == nil && v.lacks(name) {
			continue
		}
		s := v.Models.Source(name)
		id, err := v.Archive.Identify(ctx, s)
		switch {
		case errors.Is(err, archive.ErrNotFound):
		case err != nil:
			e.blobErr = err
		default:
			e.blobs = append(e.blobs, found{s, id})
		}
		if e.named() != nil {
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

// linkOf says where an export's download link leads.
func (v *visit) linkOf(e customvision.Export) (linkKind, error) {
	link, err := url.Parse(e.DownloadURI)
	switch {
	case e.DownloadURI == "":
		return noLink, nil
	case err != nil:
		return linkForbidden, faultf(state.LinkRefused, "its bytes are not in the model container, and its download link is not a URL")
	case link.Scheme == "" && link.Host == "":
		return linkOwn, nil
	case v.Models.Holds(e.DownloadURI):
		return linkInside, nil
	}
	if err := archive.CheckDownloadURL(e.DownloadURI, v.Downloads.Suffix, v.Downloads.Loopback); err != nil {
		return linkForbidden, faultf(state.LinkRefused, "its bytes are not in the model container, and its download link is not followed: %s", err)
	}
	return linkOwn, nil
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
	return found{s, id}, err
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
		return err
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
	b, err := v.keep(ctx, key, found{s, id}, a.Iteration)
	if err != nil {
		return err
	}
	look.Backups = append(look.Backups, b)
	switch {
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
