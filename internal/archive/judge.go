package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"visionkeeper/internal/zipfile"
)

// judgement is what reading a package showed.
type judgement struct {
	verdict      Verdict
	note         string // why this verdict
	contentID    string
	manifest     *Manifest
	model        *ModelFile
	entries      int
	uncompressed int64
	bare         bool // an entry is streamed, and what should follow its bytes is missing
}

// damaged and unidentified set the verdict and its reason.
func (f *judgement) damaged(format string, args ...any) {
	f.verdict, f.note = Damaged, fmt.Sprintf(format, args...)
}
func (f *judgement) unidentified(format string, args ...any) {
	f.verdict, f.note = Unidentified, fmt.Sprintf(format, args...)
}

// judge reads a whole package and says what it is worth as a backup of k. It
// writes nothing out and never expands more than maxExpanded bytes. An error
// means that it could not be read, not that it is bad.
func judge(ctx context.Context, from io.ReaderAt, size int64, k Key, o Origin, maxExpanded int64) (judgement, error) {
	id, err := identifyBytes(ctx, from, size)
	f := judgement{contentID: id.ContentID}
	r := &steady{ctx: ctx, from: from}
	switch {
	case err != nil:
		return f, err
	case size == 0:
		f.damaged("it is empty")
	case id.Zip:
		f.judgeZip(r, size, k, o, maxExpanded)
	case k.Platform == "CoreML":
		f.judgeBare(r, o)
	default:
		f.damaged("it is not a zip")
	}
	return f, r.err
}

// judgeBare judges what is no zip as a Core ML model.
func (f *judgement) judgeBare(r io.ReaderAt, o Origin) {
	head := make([]byte, headLength)
	n, _ := r.ReadAt(head, 0)
	switch head = head[:n]; {
	case isText(head):
		f.damaged("it is text, neither a zip nor a Core ML model")
	case !isCoreML(head):
		f.unidentified("it begins neither as a zip nor as a Core ML model")
	case !o.certain():
		f.unidentified("a bare Core ML model, in which nothing says whose it is")
	default:
		f.verdict, f.note = Intact, "a bare Core ML model, in which there is nothing to compare with"
	}
}

func (f *judgement) judgeZip(r io.ReaderAt, size int64, k Key, o Origin, maxExpanded int64) {
	d, err := zipfile.Find(r, size)
	if err != nil {
		f.damaged("it is a zip without a directory that can be read: it is cut or overwritten, or the directory has more than %d bytes", zipfile.MaxDirectory)
		return
	}
	list, err := d.Entries()
	if err != nil {
		f.damaged("its directory cannot be read: %s", err)
		return
	}
	f.entries = len(list)
	m, folder, manifestErr := readManifest(r, list)
	main := ""
	if manifestErr == nil {
		f.manifest = &m
		if m.ModelFileName != "" {
			main = path.Join(folder, strings.ReplaceAll(m.ModelFileName, `\`, "/"))
		}
	}
	files, err := f.readEntries(r, list, main, maxExpanded)
	if err != nil {
		f.damaged("%s", err)
		return
	}
	if _, err := entries(list); err != nil {
		f.unidentified("%s", err)
		return
	}
	if f.uncompressed == 0 {
		f.damaged("there is nothing in it")
		return
	}
	if f.unlike(manifestErr, k, o) {
		return
	}
	in := model{files: files, folder: folder, platform: k.Platform, flavor: cmp.Or(m.Flavor, k.Flavor)}
	if f.manifest == nil {
		in.folder = ""
	}
	f.weigh(in, main, manifestErr, k)
}

// unlike compares the manifest with k, and reports whether the package may be of
// another export. Bytes that are certain are that export, whatever the manifest
// calls the flavor or lacks; but another iteration or platform is a contradiction.
func (f *judgement) unlike(manifestErr error, k Key, o Origin) bool {
	m := f.manifest
	switch {
	case m == nil && !o.certain():
		f.unidentified("%s", manifestErr)
	case m != nil && !m.IsOf(k):
		f.unidentified("its manifest names iteration %q and platform %q", shorten(m.IterationID), shorten(m.Platform))
	case m != nil && !m.flavorIs(k) && (m.Flavor != "" || !o.certain()) && o.why() != ByAddress:
		f.unidentified("its manifest names flavor %q", shorten(m.Flavor))
	default:
		return false
	}
	return true
}

// weigh says what the model in a package of k is worth: its main file is the one that
// the manifest names, or one of a known kind, and every other part is there.
func (f *judgement) weigh(in model, main string, manifestErr error, k Key) {
	m := f.manifest
	hashed := m != nil && m.ModelFileSHA1 != ""
	switch {
	case in.inParts() && f.model == nil:
		main, hashed = in.folder+"model.json", false
	case main == "":
		if main = in.known(); main == "" {
			f.unidentified("no model file of its platform is in it")
			return
		}
		hashed = false
	case f.model == nil:
		f.damaged("the model file %q that its manifest names is not in it", shorten(m.ModelFileName))
		return
	case f.model.Size == 0:
		f.damaged("the model file %q is empty", shorten(m.ModelFileName))
		return
	case hashed && !strings.EqualFold(f.model.SHA1, m.ModelFileSHA1):
		f.damaged("the model file's SHA-1 is %s, its manifest says %q", f.model.SHA1, shorten(m.ModelFileSHA1))
		return
	case !hashed && isText(in.files[main].head) && !isModel(k.Platform, main, in.files[main].head):
		f.damaged("the model file %q is text", shorten(m.ModelFileName))
		return
	}
	if err := in.whole(main); errors.Is(err, errUnsure) {
		f.unidentified("%s", err)
		return
	} else if err != nil {
		f.damaged("%s", err)
		return
	}
	switch {
	case m == nil:
		f.verdict, f.note = Intact, "all checksums hold, but "+manifestErr.Error()
	case in.inParts() && f.model == nil:
		f.verdict, f.note = Intact, "all checksums hold, but the file its manifest has a hash of is there only in parts"
	case !hashed:
		f.verdict, f.note = Intact, "all checksums hold, but its manifest names no model file with a hash"
	case f.bare:
		f.verdict, f.note = Intact, "all checksums hold, but sizes are missing behind a streamed entry, for which some unzips refuse it"
	case !m.flavorIs(k):
		f.verdict, f.note = Proven, fmt.Sprintf("it is this export by where it came from; its manifest names flavor %q", shorten(m.Flavor))
	default:
		f.verdict, f.note = Proven, "all checksums hold, and the manifest names this export and its model file"
	}
}
