package archive

import (
	"archive/zip"
	"errors"
	"fmt"
	"path"
	"strings"
)

// maxEntryPath bounds an entry's path, in bytes: that is as long as a file's name
// may be.
const maxEntryPath = 255

// entryPath is where an entry of this name is unpacked: a path with slashes below
// the folder that the package is unpacked to, or "." for that folder. It is the
// same on every system. A name that no export needs and that could lead elsewhere
// is refused.
func entryPath(name string) (string, error) {
	slashed := strings.ReplaceAll(name, `\`, "/") // old .NET programs wrote these
	clean := path.Clean(slashed)
	switch {
	case slashed == "":
		return "", errors.New("has no name")
	case strings.HasPrefix(slashed, "/"), clean == "..", strings.HasPrefix(clean, "../"):
		return "", errors.New("leads out of its folder")
	case strings.Contains(slashed, ":"):
		return "", errors.New("has a colon in its name")
	case strings.ContainsFunc(slashed, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "", errors.New("has a control character in its name")
	case len(clean) > maxEntryPath:
		return "", fmt.Errorf("has a name of more than %d bytes", maxEntryPath)
	}
	return clean, nil
}

// unpacked is an entry with the place where it is unpacked.
type unpacked struct {
	*zip.File
	path   string
	folder bool
}

// entries are those of a package that can be unpacked safely: each is a folder or
// a regular file, in a place that no other file takes, whatever the letter case.
// An error says which entry isn't. Judging and unpacking both go by this.
func entries(z *zip.Reader) ([]unpacked, error) {
	var list []unpacked
	files, folders := map[string]bool{}, map[string]bool{".": true} // in lower case
	for _, f := range z.File {
		refuse := func(err error) ([]unpacked, error) {
			return nil, fmt.Errorf("its entry %q can't be unpacked safely: it %w", shorten(f.Name), err)
		}
		to, err := entryPath(f.Name)
		if err != nil {
			return refuse(err)
		}
		e := unpacked{File: f, path: to, folder: strings.HasSuffix(f.Name, "/") || strings.HasSuffix(f.Name, `\`)}
		key := strings.ToLower(to)
		switch {
		case e.folder && f.UncompressedSize64 > 0:
			return refuse(errors.New("is a folder with content"))
		case !e.folder && !f.Mode().IsRegular():
			return refuse(errors.New("is no regular file"))
		case files[key], !e.folder && folders[key]:
			return refuse(errors.New("has the place of another entry"))
		}
		if e.folder {
			folders[key] = true
		} else {
			files[key] = true
		}
		for parent := path.Dir(key); parent != "."; parent = path.Dir(parent) {
			if files[parent] {
				return refuse(errors.New("is below a file"))
			}
			folders[parent] = true
		}
		list = append(list, e)
	}
	return list, nil
}
