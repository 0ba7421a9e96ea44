package archive

import (
	"archive/zip"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"net/http"
	"path"
	"strings"
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
func judge(r io.ReaderAt, size int64, k Key, o Origin, maxExpanded int64) (judgement, error) {
	id, err := identifyBytes(r, size)
	f := judgement{contentID: id.ContentID}
	switch {
	case err != nil:
		return f, err
	case size == 0:
		f.damaged("it is empty")
	case id.Zip:
		f.judgeZip(r, size, k, o, maxExpanded)
	case k.Platform == "CoreML" && isText(r):
		f.damaged("it is text, neither a zip nor a Core ML model")
	case k.Platform == "CoreML" && !o.certain():
		f.unidentified("a bare Core ML model, in which nothing says whose it is")
	case k.Platform == "CoreML":
		f.verdict, f.note = Intact, "a bare Core ML model, in which there is nothing to compare with"
	default:
		f.damaged("it is not a zip")
	}
	return f, nil
}

// isText reports whether r is text: an error page or message that was stored in
// place of a model.
func isText(r io.ReaderAt) bool {
	var first [512]byte
	n, _ := r.ReadAt(first[:], 0)
	return strings.HasPrefix(http.DetectContentType(first[:n]), "text/")
}

func (f *judgement) judgeZip(r io.ReaderAt, size int64, k Key, o Origin, maxExpanded int64) {
	if _, err := findDirectory(r, size); err != nil {
		f.damaged("it is a zip without a directory: it is cut or overwritten")
		return
	}
	z, err := openZip(r, size)
	if err != nil {
		f.damaged("its directory cannot be read: %s", err)
		return
	}
	f.entries = len(z.File)
	m, folder, manifestErr := readManifest(z)
	model := ""
	if manifestErr == nil {
		f.manifest = &m
		model = path.Join(folder, strings.ReplaceAll(m.ModelFileName, `\`, "/"))
	}
	if err := f.readEntries(z, model, maxExpanded); err != nil {
		f.damaged("%s", err)
		return
	}
	if _, err := entries(z); err != nil {
		f.unidentified("%s", err)
		return
	}
	f.compare(manifestErr, k, o)
}

// readEntries checks each entry's length and CRC-32, and hashes the one called model.
func (f *judgement) readEntries(z *zip.Reader, model string, maxExpanded int64) error {
	var total uint64
	for _, e := range z.File {
		total += e.UncompressedSize64
		if e.UncompressedSize64 > uint64(maxExpanded) || total > uint64(maxExpanded) {
			return fmt.Errorf("it expands to more than %d bytes", maxExpanded)
		}
	}
	f.uncompressed = int64(total)
	for _, e := range z.File {
		sum := crc32.NewIEEE()
		var w io.Writer = sum
		var digest hash.Hash
		if to, err := entryPath(e.Name); err == nil && to == model {
			digest = sha1.New()
			w = io.MultiWriter(sum, digest)
		}
		if err := readEntry(e, w); err != nil {
			return fmt.Errorf("its entry %q cannot be read: %w", shorten(e.Name), err)
		}
		if sum.Sum32() != e.CRC32 { // archive/zip takes 0 as unknown
			return fmt.Errorf("its entry %q cannot be read: %w", shorten(e.Name), zip.ErrChecksum)
		}
		if digest != nil {
			f.model = &ModelFile{Name: e.Name, Size: int64(e.UncompressedSize64), SHA1: hex.EncodeToString(digest.Sum(nil))}
		}
	}
	return nil
}

func readEntry(e *zip.File, w io.Writer) error {
	body, err := e.Open()
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.Copy(w, body)
	return err
}

// compare compares what was read with the manifest, and the manifest with k.
// Bytes that came from an export's own address are that export, whatever the
// manifest calls the flavor or lacks; but another iteration or platform is a
// contradiction.
func (f *judgement) compare(manifestErr error, k Key, o Origin) {
	m := f.manifest
	switch {
	case m == nil && !o.certain():
		f.unidentified("%s", manifestErr)
	case m == nil:
		f.verdict, f.note = Intact, "all checksums hold, but "+manifestErr.Error()
	case !m.IsOf(k):
		f.unidentified("its manifest names iteration %q and platform %q", shorten(m.IterationID), shorten(m.Platform))
	case !m.flavorIs(k) && !o.certain():
		f.unidentified("its manifest names flavor %q", shorten(m.Flavor))
	case m.ModelFileName == "" || m.ModelFileSHA1 == "":
		f.verdict, f.note = Intact, "all checksums hold, but its manifest names no model file with a hash"
	case f.model == nil && inParts(*m, k):
		f.verdict, f.note = Intact, "all checksums hold, but the file its manifest has a hash of is there only in parts"
	case f.model == nil:
		f.damaged("the model file %q that its manifest names is not in it", shorten(m.ModelFileName))
	case !strings.EqualFold(f.model.SHA1, m.ModelFileSHA1):
		f.damaged("the model file's SHA-1 is %s, its manifest says %q", f.model.SHA1, shorten(m.ModelFileSHA1))
	case !m.flavorIs(k):
		f.verdict, f.note = Proven, fmt.Sprintf("it is this export by where it came from; its manifest names flavor %q", shorten(m.Flavor))
	default:
		f.verdict, f.note = Proven, "all checksums hold, and the manifest names this export and its model file"
	}
}

// inParts reports whether a package lacks its model file by design: a TensorFlowJs
// manifest names model.zip, and the package has what would be in that.
func inParts(m Manifest, k Key) bool {
	return k.Flavor == tensorFlowJs || strings.EqualFold(m.Flavor, tensorFlowJs) || strings.HasSuffix(m.ModelFileName, ".zip")
}
