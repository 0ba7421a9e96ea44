package reconcile

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

// found is a package that may be an export: where it lies, and what it is.
type found struct {
	source archive.Source
	id     archive.Identity
	// kept is the copy in the archive that it is; nil for what lies elsewhere.
	kept *archive.Backup
	// unfit is why it is no good; nil until it was taken in vain.
	unfit error
}

// linkKind says where an export's download link leads.
type linkKind int

const (
	noLink        linkKind = iota // there is none
	linkForbidden                 // where the app doesn't go
	linkInside                    // into the model container: no address of its own
	linkShared                    // where another export's link leads too
	linkOwn                       // to an address that belongs to this export alone
)

// evidence is what is known of where the bytes of an export may be.
type evidence struct {
	key  archive.Key
	look *Look
	// blobs are what the model container holds under the names that the export's blob
	// may have. blobErr says why one couldn't be read.
	blobs   []*found
	blobErr error
	entry   customvision.Export // of those in the list with the export's name, that with the best link
	link    linkKind
	linkErr error // why the link isn't followed, or what following it gave
	// own is what the export's own link gives, and rival what that of the export gives
	// which the manifest of those bytes names; nil where they weren't asked.
	own, rival *found
	rivalKnown bool // rival was asked for, though it may not have been to be had
	// kept are the copies that the archive has of it and that don't count.
	kept      []*found
	keptKnown bool
}

// need is what must be looked up before the choice can be made.
type need int

const (
	nothing    need = iota
	ownLink         // what the export's own link gives
	rivalLink       // what the rival's own link gives
	keptCopies      // what the archive has of it
)

// choice is the bytes to take, what is needed to choose, or why there are none.
type choice struct {
	take      *found
	certainty archive.Certainty
	need      need
	rival     *Listed // of rivalLink
	err       error
	// final reports whether err stands for as long as what was seen is the same.
	final bool
}

// choose decides which bytes are certainly the export. It has no I/O.
func choose(e evidence) choice {
	if b := e.named(e.blobs); b != nil {
		return choice{take: b, certainty: archive.ByManifest}
	}
	var c choice
	switch {
	case e.link == linkShared && e.linkErr == nil && e.own == nil:
		return choice{need: ownLink}
	case e.link == linkOwn && e.linkErr == nil && (e.own == nil || e.own.unfit == nil):
		c = e.byOwnLink()
	default:
		c = e.withoutLink()
	}
	if c.err != nil {
		return e.orKept(c)
	}
	return c
}

// named is the package whose manifest names the export; nil where there is none.
func (e evidence) named(among []*found) *found {
	for _, b := range among {
		if m := b.id.Manifest; b.unfit == nil && m != nil && m.Is(e.key) && !e.silent(m) {
			return b
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
	content := e.own.id.ContentID
	if rival := e.rivalNamed(e.own.id.Manifest); rival != nil {
		// Either its own package was overwritten too, or the service calls the
		// platform's default by the other's name: then the other has other bytes.
		overwritten := choice{err: faultf(state.Overwritten, "overwritten: another export of its platform took its place, in the model container and at its download link")}
		switch {
		case e.look.counts(rival.Key, func(c string) bool { return c != content }):
		case rival.Status != customvision.ExportDone:
			return choice{err: faultf(state.Ambiguous, "its download link gives what another export's manifest names, which is not done yet")}
		case !e.rivalKnown:
			return choice{need: rivalLink, rival: rival}
		case e.rival == nil:
			return choice{err: faultf(state.Ambiguous, "its download link gives what another export's manifest names, and that one's own bytes are not to be had")}
		case e.rival.id.ContentID == content:
			return overwritten
		}
	}
	return choice{take: e.own, certainty: archive.ByAddress}
}

// withoutLink chooses among the blobs of the model container, and what a link gives
// that leads to no address of the export's own.
func (e evidence) withoutLink() choice {
	var candidates []*found
	candidates = append(candidates, e.blobs...)
	if e.link == linkShared && e.own != nil {
		candidates = append(candidates, e.own)
	}
	if b := e.named(candidates); b != nil {
		return choice{take: b, certainty: archive.ByManifest}
	}
	named := false // one is certainly another export
	for _, b := range candidates {
		m := b.id.Manifest
		switch {
		case b.unfit != nil, m != nil && !m.IsOf(e.key):
		case e.rivalNamed(m) != nil:
			named = true
		case e.only(b):
			return choice{take: b, certainty: archive.OnlyCandidate}
		default:
			return choice{err: faultf(state.Ambiguous, "nothing shows which export of its platform the bytes are that the model container holds, and no download link gives other bytes")}
		}
	}
	noOther := e.link == noLink || e.link == linkInside // no link may give other bytes
	unfit := e.unfit()
	switch {
	case e.blobErr != nil:
		return choice{err: e.blobErr}
	case unfit != nil && e.linkErr != nil && faultOf(e.linkErr).code == state.Unavailable:
		return choice{err: e.linkErr}
	case unfit != nil:
		return choice{err: unfit, final: noOther && errors.Is(unfit, archive.ErrDamaged)}
	case named && (e.link == linkInside || e.link == linkShared):
		return choice{final: e.link == linkInside,
			err: faultf(state.Overwritten, "overwritten: another export of its platform took its place in the model container, and its download link gives no other bytes")}
	case e.linkErr != nil:
		return choice{err: e.linkErr}
	}
	return choice{err: faultf(state.NoLink, "its bytes are not in the model container, and the service gives no download link")}
}

// orKept is a choice without bytes, unless the archive has a copy of them that was made
// before anything showed that it is the export.
func (e evidence) orKept(c choice) choice {
	switch {
	case !e.keptKnown && len(e.look.doubtful(e.key)) > 0:
		return choice{need: keptCopies}
	case e.named(e.kept) != nil:
		return choice{take: e.named(e.kept), certainty: archive.ByManifest}
	}
	for _, b := range e.kept {
		if m := b.id.Manifest; b.unfit == nil && (m == nil || m.IsOf(e.key)) && e.only(b) {
			return choice{take: b, certainty: archive.OnlyCandidate}
		}
	}
	return c
}

// unfit is why the first of what was taken in vain is no good: nil where nothing was.
func (e evidence) unfit() error {
	for _, b := range append(slices.Clone(e.blobs), e.own) {
		if b != nil && b.unfit != nil {
			return b.unfit
		}
	}
	return nil
}

// rivals are the other exports in the list that may have left bytes under the names of
// this one's: those of its platform that didn't fail. One that nothing can be stored under
// is a rival too; it has no key.
func (e evidence) rivals() []Listed {
	var list []Listed
	for _, l := range e.look.Exports {
		if l.Key != e.key && l.Key.Platform == e.key.Platform && l.Status != customvision.ExportFailed {
			list = append(list, l)
		}
	}
	for _, u := range e.look.Unusable {
		if customvision.SamePlatform(u.Platform, e.key.Platform) && u.Status != customvision.ExportFailed {
			list = append(list, Listed{Export: u})
		}
	}
	return list
}

// silent reports whether a manifest may be that of any flavor of its platform: it
// names none, and whether the service names those that were asked for isn't
// documented.
func (e evidence) silent(m *archive.Manifest) bool {
	return m.Flavor == "" && (e.key.Flavor != "" || slices.ContainsFunc(e.rivals(), func(l Listed) bool {
		return l.Key.Flavor != "" || l.Key == archive.Key{}
	}))
}

// rivalNamed is a rival that a manifest names, whether it is done or underway; nil where
// there is none.
func (e evidence) rivalNamed(m *archive.Manifest) *Listed {
	if m == nil || e.silent(m) {
		return nil
	}
	for _, l := range e.rivals() {
		if m.Is(l.Key) || l.Key == (archive.Key{}) && strings.EqualFold(m.Flavor, l.Flavor) {
			return &l
		}
	}
	return nil
}

// only reports whether a package can be of no other of the platform's exports: its
// manifest names none, and every rival is archived and has another content.
func (e evidence) only(b *found) bool {
	m := b.id.Manifest
	if m != nil && m.Flavor != "" && !m.Is(e.key) {
		return false // the manifest's own word counts, whether the list has that one or not
	}
	return !slices.ContainsFunc(e.rivals(), func(l Listed) bool {
		return !e.look.counts(l.Key, func(content string) bool { return content != b.id.ContentID })
	})
}

// counts reports whether the archive has a backup of an export with such a content.
func (l *Look) counts(key archive.Key, content func(string) bool) bool {
	return slices.ContainsFunc(l.Backups, func(b archive.Backup) bool { return b.Key == key && b.Verdict.Counts() && content(b.ContentID) })
}

// doubtful are the copies of an export that the archive has, and of which it isn't known
// that they are it.
func (l *Look) doubtful(key archive.Key) []archive.Backup {
	return slices.DeleteFunc(l.of(key), func(b archive.Backup) bool { return b.Verdict != archive.Unidentified && b.Verdict != "" })
}

// sight is what the bytes of an export may come from, by what was seen: the versions of
// its platform's blobs, where they are known, and its entry in the list.
func sight(blobs []string, e customvision.Export) state.Sight {
	newer := ""
	if e.NewerVersionAvailable {
		newer = "newer"
	}
	slices.Sort(blobs)
	return state.Sight{Blobs: fingerprint(blobs...), Entry: fingerprint(archive.Address(e.DownloadURI), newer)}
}

// changed reports whether something else is seen now than what a condition is final for.
// Where no blobs are known now, their versions aren't compared.
func (o Observed) changed(on state.Sight, iteration string, e Listed) bool {
	now := sight(o.held(iteration, e.Platform), e.Export)
	return on.Entry != now.Entry || o.Held != nil && on.Blobs != now.Blobs
}

// held are the versions of an iteration's blobs of a platform, as far as they are known.
func (o Observed) held(iteration, platform string) []string {
	var versions []string
	for _, b := range o.Held[iteration] {
		if customvision.SamePlatform(b.Platform, platform) {
			versions = append(versions, version(b.Name, b.ETag))
		}
	}
	return versions
}

// fingerprint is a short text that others are not likely to have.
func fingerprint(of ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(of, "\n")))
	return hex.EncodeToString(sum[:8])
}

// version names one version of a blob.
func version(blob, etag string) string { return blob + " " + etag }
