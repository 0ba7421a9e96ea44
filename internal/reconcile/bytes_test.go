package reconcile

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

// bytesRow is what is known of where an export's bytes may be, and what is chosen.
type bytesRow struct {
	export  string   // whose bytes are wanted; ONNX where it is empty
	rivals  []string // further exports in the list, as "ONNX.ONNX12 Done"
	blobs   []found
	blobErr error
	kept    []archive.Backup
	link    linkKind
	linkErr error
	own     *found
	rival   *found // with asked: what the rival's link gives
	asked   bool
	copies  []found // with read: what the archive has of it that doesn't count
	read    bool

	take      string // content
	certainty archive.Certainty
	need      need
	code      state.Code
	err       error
	final     bool
}

// inContainer is a blob of the model container with a manifest of the platform ONNX
// that names a flavor, or none where it is empty.
func inContainer(content, flavor string) found {
	return found{
		source: archive.Source{Kind: archive.FromContainer, Name: "the blob"},
		id:     archive.Identity{ContentID: content, ETag: "1", Manifest: &archive.Manifest{Platform: "ONNX", Flavor: flavor, IterationID: first}},
	}
}

// bare is a package without a manifest.
func (f found) bare() found { f.id.Manifest = nil; return f }

// vain is a package that was taken and found to be no good.
func (f found) vain(why error) found { f.unfit = why; return f }

// of is a package whose manifest names another iteration.
func (f found) of(iteration string) found {
	m := *f.id.Manifest
	m.IterationID = iteration
	f.id.Manifest = &m
	return f
}

// inArchive is a copy in the archive.
func inArchive(content, flavor string) found {
	f := inContainer(content, flavor)
	f.source, f.kept = archive.Source{}, &archive.Backup{}
	return f
}

// byLink is what a link gives.
func byLink(content, flavor string) *found {
	f := inContainer(content, flavor)
	f.source = archive.Source{Kind: archive.FromDownload, Name: "the link"}
	return &f
}

func bare(f *found) *found { b := f.bare(); return &b }

func vainly(f *found, why error) *found { v := f.vain(why); return &v }

// copied is a copy in the archive, made of the blob of the model container.
func copied(name, content string, verdict archive.Verdict) archive.Backup {
	platform, flavor := split(name)
	key, _ := archive.NewKey(projectID, first, platform, flavor)
	return archive.Backup{Key: key, ContentID: content, Verdict: verdict, Origin: archive.Origin{Kind: archive.FromContainer, Name: "the blob", ETag: "1"}}
}

var errBlob, errLink = errors.New("the blob can't be read"), errors.New("the link is dead")

func TestWhichBytesAreTakenForAnExport(t *testing.T) {
	for name, row := range map[string]bytesRow{
		"the manifest names it": {
			blobs: []found{inContainer("a", "")}, link: linkOwn, take: "a", certainty: archive.ByManifest},
		"the manifest names it, and the link is dead": {
			blobs: []found{inContainer("a", "")}, link: linkOwn, linkErr: errLink, take: "a", certainty: archive.ByManifest},
		"the second blob's manifest names it": {
			blobs: []found{inContainer("x", "").bare(), inContainer("a", "")}, take: "a", certainty: archive.ByManifest},
		"the manifest names its flavor": {
			export: "ONNX.ONNX12", rivals: []string{"ONNX Done"}, blobs: []found{inContainer("b", "ONNX12")}, take: "b", certainty: archive.ByManifest},
		"the manifest is of another iteration": {
			blobs: []found{inContainer("a", "").of(second)}, link: linkInside, code: state.NoLink},
		"a damaged copy says nothing of the blob": {
			blobs: []found{inContainer("a", "")}, kept: []archive.Backup{copied("ONNX", "a", archive.Damaged)}, link: linkOwn, take: "a", certainty: archive.ByManifest},
		"an unidentified copy says nothing of the blob": {
			blobs: []found{inContainer("a", "")}, kept: []archive.Backup{copied("ONNX", "a", archive.Unidentified)}, link: linkOwn, take: "a", certainty: archive.ByManifest},

		// The blob was taken in vain.
		"a damaged blob, a link":             {blobs: []found{inContainer("a", "").vain(archive.ErrDamaged)}, link: linkOwn, need: ownLink},
		"a damaged blob, a link that gives":  {blobs: []found{inContainer("a", "").vain(archive.ErrDamaged)}, link: linkOwn, own: byLink("a", ""), take: "a", certainty: archive.ByAddress},
		"a damaged blob, no link":            {blobs: []found{inContainer("a", "").vain(archive.ErrDamaged)}, err: archive.ErrDamaged, final: true},
		"a damaged blob, a link to it":       {blobs: []found{inContainer("a", "").vain(archive.ErrDamaged)}, link: linkInside, err: archive.ErrDamaged, final: true},
		"a damaged blob, a forbidden link":   {blobs: []found{inContainer("a", "").vain(archive.ErrDamaged)}, link: linkForbidden, linkErr: faultf(state.LinkRefused, "no"), err: archive.ErrDamaged},
		"a damaged blob, a dead link":        {blobs: []found{inContainer("a", "").vain(archive.ErrDamaged)}, link: linkOwn, linkErr: errLink, err: errLink},
		"a damaged blob, nothing at a link":  {blobs: []found{inContainer("a", "").vain(archive.ErrDamaged)}, link: linkOwn, linkErr: faultf(state.NoLink, "no"), err: archive.ErrDamaged},
		"a blob that is spoilt on its way":   {blobs: []found{inContainer("a", "").vain(archive.ErrSpoilt)}, err: archive.ErrSpoilt},
		"a doubtful blob, no link":           {blobs: []found{inContainer("a", "").vain(errDoubtful)}, code: state.Ambiguous},
		"what its own link gives is damaged": {link: linkOwn, own: vainly(byLink("a", ""), archive.ErrDamaged), err: archive.ErrDamaged},
		"that, and a blob is there": {
			blobs: []found{inContainer("b", "").bare()}, link: linkOwn, own: vainly(byLink("a", ""), archive.ErrDamaged), take: "b", certainty: archive.OnlyCandidate},
		"a damaged blob beside the other name's": {
			blobs: []found{inContainer("a", "").vain(archive.ErrDamaged), inContainer("b", "")}, take: "b", certainty: archive.ByManifest},

		// A silent manifest may be that of any flavor.
		"silent, a rival is done": {
			rivals: []string{"ONNX.ONNX12 Done"}, blobs: []found{inContainer("a", "")}, link: linkInside, code: state.Ambiguous},
		"silent, a rival is underway": {
			rivals: []string{"ONNX.ONNX12 Exporting"}, blobs: []found{inContainer("a", "")}, link: linkInside, code: state.Ambiguous},
		"silent, a rival has failed": {
			rivals: []string{"ONNX.ONNX12 Failed"}, blobs: []found{inContainer("a", "")}, link: linkInside, take: "a", certainty: archive.ByManifest},
		"silent, a rival is done, its own link": {
			rivals: []string{"ONNX.ONNX12 Done"}, blobs: []found{inContainer("b", "")}, link: linkOwn, need: ownLink},
		"silent, a rival is done, its own link gives other bytes": {
			rivals: []string{"ONNX.ONNX12 Done"}, blobs: []found{inContainer("b", "")}, link: linkOwn, own: byLink("a", ""), take: "a", certainty: archive.ByAddress},
		"silent, the rival is archived with other bytes": {
			rivals: []string{"ONNX.ONNX12 Done"}, blobs: []found{inContainer("a", "")}, kept: []archive.Backup{copied("ONNX.ONNX12", "b", archive.Proven)}, take: "a", certainty: archive.OnlyCandidate},
		"silent, the rival is archived with these bytes": {
			rivals: []string{"ONNX.ONNX12 Done"}, blobs: []found{inContainer("b", "")}, kept: []archive.Backup{copied("ONNX.ONNX12", "b", archive.Proven)}, code: state.Ambiguous},
		"silent, a copy of the rival's is of unsure origin": {
			rivals: []string{"ONNX.ONNX12 Done"}, blobs: []found{inContainer("a", "")}, kept: []archive.Backup{copied("ONNX.ONNX12", "b", archive.Unidentified)}, code: state.Ambiguous},
		"silent, an export of another platform is no rival": {
			rivals: []string{"TensorFlow.TensorFlowLite Done"}, blobs: []found{inContainer("a", "")}, take: "a", certainty: archive.ByManifest},

		// Without a manifest.
		"no manifest, the only candidate":         {blobs: []found{inContainer("a", "").bare()}, link: linkInside, take: "a", certainty: archive.OnlyCandidate},
		"no manifest, the only one, without link": {blobs: []found{inContainer("a", "").bare()}, take: "a", certainty: archive.OnlyCandidate},
		"no manifest, its own link":               {blobs: []found{inContainer("a", "").bare()}, link: linkOwn, need: ownLink},
		"no manifest, its own link is dead":       {blobs: []found{inContainer("a", "").bare()}, link: linkOwn, linkErr: errLink, take: "a", certainty: archive.OnlyCandidate},
		"no manifest, a rival is underway":        {rivals: []string{"ONNX.ONNX12 Exporting"}, blobs: []found{inContainer("a", "").bare()}, code: state.Ambiguous},

		// A rival has overwritten the blob.
		"a rival is named that is done": {
			rivals: []string{"ONNX.ONNX12 Done"}, blobs: []found{inContainer("b", "ONNX12")}, link: linkInside, code: state.Overwritten, final: true},
		"a rival is named that the list calls underway": {
			rivals: []string{"ONNX.ONNX12 Exporting"}, blobs: []found{inContainer("b", "ONNX12")}, link: linkInside, code: state.Overwritten, final: true},
		"a rival is named that has failed": {
			rivals: []string{"ONNX.ONNX12 Failed"}, blobs: []found{inContainer("b", "ONNX12")}, link: linkInside, code: state.Ambiguous},
		"a rival is named that only the manifest knows": {
			blobs: []found{inContainer("b", "ONNX12")}, link: linkInside, code: state.Ambiguous},
		"a rival is named that only the manifest knows, and no link": {
			blobs: []found{inContainer("b", "ONNX12")}, code: state.Ambiguous},
		"what only the manifest knows, at its own link": {
			blobs: []found{inContainer("b", "ONNX12")}, link: linkOwn, own: byLink("b", "ONNX12"), take: "b", certainty: archive.ByAddress},
		"a flavor's blob is the default's": {
			export: "ONNX.ONNX12", rivals: []string{"ONNX Done"}, blobs: []found{inContainer("a", "")}, link: linkInside, code: state.Ambiguous},
		"a rival is named, no link": {
			rivals: []string{"ONNX.ONNX12 Done"}, blobs: []found{inContainer("b", "ONNX12")}, code: state.NoLink},
		"a rival is named, a link that isn't followed": {
			rivals: []string{"ONNX.ONNX12 Done"}, blobs: []found{inContainer("b", "ONNX12")}, link: linkForbidden, linkErr: errLink, err: errLink},
		"a rival is named, a dead link": {
			rivals: []string{"ONNX.ONNX12 Done"}, blobs: []found{inContainer("b", "ONNX12")}, link: linkOwn, linkErr: errLink, err: errLink},
		"a rival is named, its own link": {
			rivals: []string{"ONNX.ONNX12 Done"}, blobs: []found{inContainer("b", "ONNX12")}, link: linkOwn, need: ownLink},
		"a rival is named, its own link gives its own bytes": {
			rivals: []string{"ONNX.ONNX12 Done"}, blobs: []found{inContainer("b", "ONNX12")}, link: linkOwn, own: byLink("a", ""), take: "a", certainty: archive.ByAddress},

		// Its own link gives what a rival's manifest names.
		"its own link gives the rival's bytes": {
			rivals: []string{"ONNX.ONNX12 Done"}, blobs: []found{inContainer("b", "ONNX12")}, link: linkOwn, own: byLink("b", "ONNX12"), need: rivalLink},
		"the rival's link gives them too": {
			rivals: []string{"ONNX.ONNX12 Done"}, blobs: []found{inContainer("b", "ONNX12")}, link: linkOwn, own: byLink("b", "ONNX12"), asked: true, rival: byLink("b", "ONNX12"), code: state.Overwritten},
		"the rival's link gives others: its name is the default's": {
			rivals: []string{"ONNX.ONNX12 Done"}, blobs: []found{inContainer("b", "ONNX12")}, link: linkOwn, own: byLink("b", "ONNX12"), asked: true, rival: byLink("c", "ONNX12"), take: "b", certainty: archive.ByAddress},
		"the rival's link is dead": {
			rivals: []string{"ONNX.ONNX12 Done"}, link: linkOwn, own: byLink("b", "ONNX12"), asked: true, code: state.Ambiguous},
		"the rival is archived with other bytes": {
			rivals: []string{"ONNX.ONNX12 Done"}, kept: []archive.Backup{copied("ONNX.ONNX12", "c", archive.Proven)}, link: linkOwn, own: byLink("b", "ONNX12"), take: "b", certainty: archive.ByAddress},
		"the rival is archived with the same bytes": {
			rivals: []string{"ONNX.ONNX12 Done"}, kept: []archive.Backup{copied("ONNX.ONNX12", "b", archive.Proven)}, link: linkOwn, own: byLink("b", "ONNX12"), need: rivalLink},
		"its own link gives the rival's bytes, and no blob is there": {
			rivals: []string{"ONNX.ONNX12 Done"}, link: linkOwn, own: byLink("b", "ONNX12"), need: rivalLink},
		"both links give the same, and no blob is there": {
			rivals: []string{"ONNX.ONNX12 Done"}, link: linkOwn, own: byLink("b", "ONNX12"), asked: true, rival: byLink("b", "ONNX12"), code: state.Overwritten},
		"its own link gives what a rival's manifest names that is underway": {
			rivals: []string{"ONNX.ONNX12 Exporting"}, link: linkOwn, own: byLink("b", "ONNX12"), asked: true, code: state.Ambiguous},

		// An address that belongs to two belongs to none of them alone.
		"a shared link":                      {link: linkShared, need: ownLink},
		"a shared link, a blob is named":     {blobs: []found{inContainer("a", "")}, link: linkShared, take: "a", certainty: archive.ByManifest},
		"a shared link gives what is named":  {link: linkShared, own: byLink("a", ""), take: "a", certainty: archive.ByManifest},
		"a shared link gives the only one's": {link: linkShared, own: bare(byLink("a", "")), take: "a", certainty: archive.OnlyCandidate},
		"a shared link, which of two it is isn't known": {
			rivals: []string{"ONNX.ONNX12 Done"}, link: linkShared, own: bare(byLink("a", "")), code: state.Ambiguous},
		"a shared link gives a silent one of two": {
			rivals: []string{"ONNX.ONNX12 Done"}, link: linkShared, own: byLink("a", ""), code: state.Ambiguous},
		"a shared link gives the rival's": {
			rivals: []string{"ONNX.ONNX12 Done"}, link: linkShared, own: byLink("b", "ONNX12"), code: state.Overwritten},
		"a shared link is dead": {link: linkShared, linkErr: errLink, err: errLink},

		// What nothing can be stored under is a rival too.
		"silent, a rival's flavor can't be used":      {rivals: []string{"ONNX.a/b Done"}, blobs: []found{inContainer("a", "")}, link: linkInside, code: state.Ambiguous},
		"no manifest, a rival's flavor can't be used": {rivals: []string{"ONNX.a/b Done"}, blobs: []found{inContainer("a", "").bare()}, link: linkInside, code: state.Ambiguous},
		"its manifest names what can't be used":       {rivals: []string{"ONNX.a/b Exporting"}, blobs: []found{inContainer("a", "A/B")}, link: linkInside, code: state.Overwritten, final: true},
		"what can't be used has failed":               {rivals: []string{"ONNX.a/b Failed"}, blobs: []found{inContainer("a", "")}, link: linkInside, take: "a", certainty: archive.ByManifest},
		"what can't be used is of another platform":   {rivals: []string{"CoreML.a/b Done"}, blobs: []found{inContainer("a", "").bare()}, take: "a", certainty: archive.OnlyCandidate},
		"its platform can't be used":                  {rivals: []string{"O/NX Done"}, blobs: []found{inContainer("a", "").bare()}, take: "a", certainty: archive.OnlyCandidate},

		// The archive has a copy that was made before anything showed whose it is.
		"a copy, not looked at": {
			kept: []archive.Backup{copied("ONNX", "a", archive.Unidentified)}, need: keptCopies},
		"a copy, and the link is dead": {
			kept: []archive.Backup{copied("ONNX", "a", archive.Unidentified)}, link: linkOwn, linkErr: errLink, need: keptCopies},
		"a copy, its own link": {
			kept: []archive.Backup{copied("ONNX", "a", archive.Unidentified)}, link: linkOwn, need: ownLink},
		"a copy without a manifest is the only one's": {
			kept: []archive.Backup{copied("ONNX", "a", archive.Unidentified)}, read: true, copies: []found{inArchive("a", "").bare()}, take: "a", certainty: archive.OnlyCandidate},
		"a copy whose manifest names it": {
			kept: []archive.Backup{copied("ONNX", "a", archive.Unidentified)}, read: true, copies: []found{inArchive("a", "")}, take: "a", certainty: archive.ByManifest},
		"a copy whose manifest names another": {
			kept: []archive.Backup{copied("ONNX", "a", archive.Unidentified)}, read: true, copies: []found{inArchive("a", "ONNX12")}, code: state.NoLink},
		"a copy of another iteration": {
			kept: []archive.Backup{copied("ONNX", "a", archive.Unidentified)}, read: true, copies: []found{inArchive("a", "").of(second)}, code: state.NoLink},
		"a copy that may be a rival's": {
			rivals: []string{"ONNX.ONNX12 Done"}, kept: []archive.Backup{copied("ONNX", "a", archive.Unidentified)}, read: true, copies: []found{inArchive("a", "").bare()}, code: state.NoLink},
		"a copy that was taken in vain": {
			kept: []archive.Backup{copied("ONNX", "a", archive.Unidentified)}, read: true, copies: []found{inArchive("a", "").bare().vain(errDoubtful)}, code: state.NoLink},
		"a damaged copy is not asked": {
			kept: []archive.Backup{copied("ONNX", "a", archive.Damaged)}, code: state.NoLink},

		// Where there is no blob that can be read.
		"no blob, its own link":            {link: linkOwn, need: ownLink},
		"no blob, its own link is read":    {link: linkOwn, own: byLink("a", ""), take: "a", certainty: archive.ByAddress},
		"no blob, no link":                 {code: state.NoLink},
		"no blob, a link inside":           {link: linkInside, code: state.NoLink},
		"no blob, a link not followed":     {link: linkForbidden, linkErr: errLink, err: errLink},
		"an unreadable blob, its own link": {blobErr: errBlob, link: linkOwn, need: ownLink},
		"an unreadable blob, no link":      {blobErr: errBlob, err: errBlob},
		"an unreadable blob, link inside":  {blobErr: errBlob, link: linkInside, err: errBlob},
		"an unreadable blob, a dead link":  {blobErr: errBlob, link: linkOwn, linkErr: errLink, err: errBlob},
		"one name unreadable, the other's manifest is a rival's": {
			rivals: []string{"ONNX.ONNX12 Done"}, blobErr: errBlob, blobs: []found{inContainer("b", "ONNX12")}, link: linkInside, err: errBlob},
	} {
		t.Run(name, func(t *testing.T) {
			got := choose(row.evidence())
			assert.Equal(t, row.need, got.need)
			assert.Equal(t, row.certainty, got.certainty)
			if row.take == "" {
				assert.Nil(t, got.take)
			} else if assert.NotNil(t, got.take, "%v", got.err) {
				assert.Equal(t, row.take, got.take.id.ContentID)
			}
			switch {
			case row.err != nil:
				assert.ErrorIs(t, got.err, row.err)
			case row.code != "":
				require.Error(t, got.err)
				assert.Equal(t, row.code, faultOf(got.err).code)
			default:
				assert.NoError(t, got.err)
			}
			assert.Equal(t, row.final, got.final)
			if got.need == rivalLink {
				assert.Equal(t, "ONNX.ONNX12", got.rival.Key.String())
			}
		})
	}
}

func (row bytesRow) evidence() evidence {
	wanted := row.export
	if wanted == "" {
		wanted = "ONNX"
	}
	look := &Look{Backups: row.kept}
	look.list(listed(wanted, customvision.ExportDone))
	for _, rival := range row.rivals {
		name, status, _ := strings.Cut(rival, " ")
		look.list(listed(name, status))
	}
	platform, flavor := split(wanted)
	key, _ := archive.NewKey(projectID, first, platform, flavor)
	return evidence{
		key: key, look: look, blobs: pointers(row.blobs), kept: pointers(row.copies), keptKnown: row.read, blobErr: row.blobErr,
		link: row.link, linkErr: row.linkErr, own: row.own, rival: row.rival, rivalKnown: row.asked,
	}
}

func pointers(list []found) []*found {
	var all []*found
	for i := range list {
		all = append(all, &list[i])
	}
	return all
}
