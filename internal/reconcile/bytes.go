package reconcile

import (
	"slices"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

// found is a package that may be an export: where it lies, and what it is.
type found struct {
	source archive.Source
	id     archive.Identity
}

// linkKind says where an export's download link leads.
type linkKind int

const (
	noLink        linkKind = iota // there is none
	linkInside                    // into the model container: no address of its own
	linkForbidden                 // where the app doesn't go
	linkOwn                       // to an address that belongs to this export alone
)

// evidence is what is known of where the bytes of an export may be.
type evidence struct {
	key  archive.Key
	look *Look
	// blobs are what the model container holds under the names that the export's blob
	// may have. blobErr says why one couldn't be read.
	blobs   []found
	blobErr error
	// caughtUp reports whether the service had time enough to list every export that a
	// manifest names.
	caughtUp bool
	link     linkKind
	linkErr  error // why the link isn't followed, or what following it gave
	// own is what the export's own link gives, and rival what that of the export gives
	// which the manifest of those bytes names; nil where they weren't asked.
	own, rival *found
	rivalKnown bool // rival was asked for, though it may not have been to be had
}

// need is what must be looked up before the choice can be made.
type need int

const (
	nothing   need = iota
	ownLink        // what the export's own link gives
	rivalLink      // what the rival's own link gives
)

// choice is the bytes to take, what is needed to choose, or why there are none.
type choice struct {
	take      *found
	certainty archive.Certainty
	need      need
	rival     *Listed // of rivalLink
	err       error
}

// choose decides which bytes are certainly the export. It has no I/O.
func choose(e evidence) choice {
	if b := e.named(); b != nil {
		return choice{take: b, certainty: archive.ByManifest}
	}
	if e.link == linkOwn && e.linkErr == nil {
		return e.byOwnLink()
	}
	return e.withoutLink()
}

// named is the blob whose manifest names the export; nil where there is none.
func (e evidence) named() *found {
	for i, b := range e.blobs {
		if m := b.id.Manifest; m != nil && m.Is(e.key) && !e.silent(m) && !e.archived(b, archive.Damaged, archive.Unidentified) {
			return &e.blobs[i]
		}
	}
	return nil
}

// byOwnLink chooses what the export's own link gives, unless it gives the bytes of
// the export that took its place.
func (e evidence) byOwnLink() choice {
	if e.own == nil {
		return choice{need: ownLink}
	}
	if rival := e.rivalNamed(e.own.id.Manifest); rival != nil {
		// Either its own package was overwritten too, or the service calls the
		// platform's default by the other's name: then the other's link differs.
		switch {
		case rival.Status != customvision.ExportDone:
			return choice{err: fault{state.Ambiguous, "its download link gives what another export's manifest names, which is not done yet"}}
		case !e.rivalKnown:
			return choice{need: rivalLink, rival: rival}
		case e.rival != nil && e.rival.id.ContentID == e.own.id.ContentID:
			return choice{err: fault{state.Overwritten, "overwritten: another export of its platform took its place, in the model container and at its download link"}}
		}
	}
	return choice{take: e.own, certainty: archive.ByAddress}
}

// withoutLink chooses among the blobs of the model container where no link leads to
// other bytes, or gives them.
func (e evidence) withoutLink() choice {
	named := false // a blob is certainly another export
	for i, b := range e.blobs {
		m := b.id.Manifest
		switch {
		case e.archived(b, archive.Damaged):
		case m != nil && !m.IsOf(e.key):
		case e.rivalNamed(m) != nil:
			named = true
		case e.onlyCandidate(b.id.ContentID) && (m == nil || m.Flavor == "" || m.Is(e.key) || e.caughtUp):
			return choice{take: &e.blobs[i], certainty: archive.OnlyCandidate}
		default:
			return choice{err: fault{state.Ambiguous, "nothing shows which export of its platform the model container holds, and no download link gives other bytes"}}
		}
	}
	switch {
	case e.blobErr != nil:
		return choice{err: e.blobErr}
	case named && e.link == linkInside:
		return choice{err: fault{state.Overwritten, "overwritten: another export of its platform took its place in the model container, and its download link gives no other bytes"}}
	case e.linkErr != nil:
		return choice{err: e.linkErr}
	}
	return choice{err: fault{state.NoLink, "its bytes are not in the model container, and the service gives no download link"}}
}

// silent reports whether a manifest may be that of any flavor of its platform: it
// names none, and whether the service names those that were asked for isn't
// documented.
func (e evidence) silent(m *archive.Manifest) bool {
	return m.Flavor == "" && slices.ContainsFunc(e.look.Exports, func(l Listed) bool {
		return customvision.SamePlatform(l.Platform, m.Platform) && l.Key.Flavor != "" && l.Status != customvision.ExportFailed
	})
}

// rivalNamed is another listed export that a manifest names, whether it is done or
// underway; nil where there is none.
func (e evidence) rivalNamed(m *archive.Manifest) *Listed {
	if m == nil {
		return nil
	}
	for i, l := range e.look.Exports {
		if l.Key != e.key && m.Is(l.Key) && l.Status != customvision.ExportFailed && !e.silent(m) {
			return &e.look.Exports[i]
		}
	}
	return nil
}

// onlyCandidate reports whether a content can be of no other of the platform's
// exports: every other one that didn't fail is archived, and has another content.
func (e evidence) onlyCandidate(content string) bool {
	return !slices.ContainsFunc(e.look.Exports, func(l Listed) bool {
		return l.Key != e.key && l.Key.Platform == e.key.Platform && l.Status != customvision.ExportFailed &&
			!slices.ContainsFunc(e.look.of(l.Key), func(b archive.Backup) bool { return b.Verdict.Counts() && b.ContentID != content })
	})
}

// archived reports whether this version of a blob was archived as this export, with
// one of these verdicts.
func (e evidence) archived(b found, verdicts ...archive.Verdict) bool {
	return slices.ContainsFunc(e.look.of(e.key), func(c archive.Backup) bool {
		return slices.Contains(verdicts, c.Verdict) && c.Origin.Kind == archive.FromContainer && c.Origin.Name == b.source.Name && c.Origin.ETag == b.id.ETag
	})
}
