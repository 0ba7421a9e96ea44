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
	late    bool // the service had time enough to list what a manifest names
	link    linkKind
	linkErr error
	own     *found
	rival   *found // with asked: what the rival's link gives
	asked   bool

	take      string // content
	certainty archive.Certainty
	need      need
	code      state.Code
	err       error
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

// of is a package whose manifest names another iteration.
func (f found) of(iteration string) found {
	m := *f.id.Manifest
	m.IterationID = iteration
	f.id.Manifest = &m
	return f
}

// byLink is what a link gives.
func byLink(content, flavor string) *found {
	f := inContainer(content, flavor)
	f.source = archive.Source{Kind: archive.FromDownload, Name: "the link"}
	return &f
}

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
		"a damaged copy of the very blob doesn't count": {
			blobs: []found{inContainer("a", "")}, kept: []archive.Backup{copied("ONNX", "a", archive.Damaged)}, link: linkOwn, need: ownLink},
		"a damaged copy of the very blob, and no link": {
			blobs: []found{inContainer("a", "")}, kept: []archive.Backup{copied("ONNX", "a", archive.Damaged)}, code: state.NoLink},

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
			rivals: []string{"ONNX.ONNX12 Done"}, blobs: []found{inContainer("b", "ONNX12")}, link: linkInside, code: state.Overwritten},
		"a rival is named that the list calls underway": {
			rivals: []string{"ONNX.ONNX12 Exporting"}, blobs: []found{inContainer("b", "ONNX12")}, link: linkInside, code: state.Overwritten},
		"a rival is named that has failed": {
			rivals: []string{"ONNX.ONNX12 Failed"}, blobs: []found{inContainer("b", "ONNX12")}, link: linkInside, code: state.Ambiguous},
		"a rival is named that only the manifest knows": {
			blobs: []found{inContainer("b", "ONNX12")}, link: linkInside, code: state.Ambiguous},
		"a rival is named that only the manifest knows, for an hour": {
			blobs: []found{inContainer("b", "ONNX12")}, link: linkInside, late: true, take: "b", certainty: archive.OnlyCandidate},
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
		"its own link gives the rival's bytes, and no blob is there": {
			rivals: []string{"ONNX.ONNX12 Done"}, link: linkOwn, own: byLink("b", "ONNX12"), need: rivalLink},
		"both links give the same, and no blob is there": {
			rivals: []string{"ONNX.ONNX12 Done"}, link: linkOwn, own: byLink("b", "ONNX12"), asked: true, rival: byLink("b", "ONNX12"), code: state.Overwritten},
		"its own link gives what a rival's manifest names that is underway": {
			rivals: []string{"ONNX.ONNX12 Exporting"}, link: linkOwn, own: byLink("b", "ONNX12"), asked: true, code: state.Ambiguous},

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
		key: key, look: look, blobs: row.blobs, blobErr: row.blobErr, caughtUp: row.late,
		link: row.link, linkErr: row.linkErr, own: row.own, rival: row.rival, rivalKnown: row.asked,
	}
}
