package formats

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"path"
	"slices"

	"visionkeeper/internal/archive"
)

// headSize is how many bytes tell a picture's kind.
const headSize = 512

// kinds are the kinds of pictures by their first bytes, with the extension of their files.
// Custom Vision takes the first four.
var kinds = []struct{ contentType, extension string }{
	{"image/jpeg", ".jpg"}, {"image/png", ".png"}, {"image/gif", ".gif"}, {"image/bmp", ".bmp"}, {"image/webp", ".webp"}, {"image/tiff", ".tif"}, {"", ".bin"},
}

// readByMost are the extensions, of those above, that Ultralytics and torchvision take.
var readByMost = []string{".jpg", ".png", ".bmp", ".webp", ".tif"}

// extensionOf is what a file with these first bytes is called.
func extensionOf(head []byte) string {
	contentType := http.DetectContentType(head)
	if bytes.HasPrefix(head, []byte("II*\x00")) || bytes.HasPrefix(head, []byte("MM\x00*")) {
		contentType = "image/tiff"
	}
	at := slices.IndexFunc(kinds, func(k struct{ contentType, extension string }) bool { return k.contentType == contentType })
	if at < 0 {
		return ".bin"
	}
	return kinds[at].extension
}

// bring writes a picture to its place, unless it is there. An error ends the whole;
// bytes that aren't there, or are others, are but missing.
func (j *job) bring(ctx context.Context, pic *picture) (result, error) {
	r := result{picture: pic, out: j.lacks(pic) != nil}
	switch {
	case r.out:
		return r, nil
	case pic.file == nil:
		r.missing = "the snapshot has no bytes of it"
		return r, nil
	}
	if r.sha256 = pic.file.SHA256; j.to.resumed && j.isThere(pic) {
		return r, nil
	}
	body, err := j.from.Image(ctx, j.record.Project.ID, pic.file.SHA256)
	switch {
	case errors.Is(err, archive.ErrNotFound):
		r.missing = "it is not in the archive"
		return r, nil
	case archive.Resting(err):
		r.missing = "it rests in the Archive tier, where nothing can be read"
		return r, nil
	case err != nil:
		return r, err
	}
	defer body.Close()
	d, err := j.to.draft()
	if err != nil {
		return r, err
	}
	defer d.drop()
	if _, err := io.Copy(d, io.LimitReader(body, pic.file.Size+1)); err != nil {
		return r, err
	}
	if d.size != pic.file.Size || d.sha256() != pic.file.SHA256 {
		r.missing = "its bytes in the archive are not those that were saved"
		return r, nil
	}
	pic.settle(j.form.folder(pic), extensionOf(d.head))
	return r, d.settle(pic.path)
}

// settle gives the picture's file its name.
func (p *picture) settle(folder, extension string) {
	p.name = label(p.id) + extension
	p.path = path.Join(folder, p.name)
}

// isThere reports whether a run before has brought the picture. Then it has its name.
func (j *job) isThere(pic *picture) bool {
	for _, k := range kinds {
		pic.settle(j.form.folder(pic), k.extension)
		if j.to.same(pic.path, pic.file.SHA256, pic.file.Size) {
			return true
		}
	}
	return false
}

// lacks is the count of what a picture lacks that the form needs; nil if nothing.
func (j *job) lacks(pic *picture) *int {
	out := &j.record.LeftOut
	switch {
	case j.record.Format == CSV, j.record.Format == JSON: // they can say so
		return nil
	case pic.negative, len(pic.boxes) > 0 && j.record.Task == Detection, len(pic.classes) > 0 && j.record.Task != Detection:
		return nil
	case len(pic.classes) > 0:
		return &out.Unboxed
	}
	return &out.Untagged
}
