package reconcile

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/rs/zerolog"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/models"
)

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
