package archive

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"visionkeeper/internal/ondisk"
	"visionkeeper/internal/zipfile"
)

// maxPlaces bounds what is unpacked, besides maxExpanded: files and folders, those that
// paths lead through among them.
const maxPlaces = zipfile.MaxEntries

// isFolder reports whether an entry of this name is a folder.
func isFolder(name string) bool { return strings.HasSuffix(name, "/") || strings.HasSuffix(name, `\`) }

// unpacked is an entry with the place where it is unpacked.
type unpacked struct {
	zipfile.Entry
	path   string
	folder bool
}

// entries are those of a package that can be unpacked safely: each is a folder or
// a regular file, in a place that no other file takes, whatever the letter case.
// An error says which entry isn't. Judging and unpacking both go by this.
func entries(all []zipfile.Entry) ([]unpacked, error) {
	var list []unpacked
	files, folders := map[string]bool{}, map[string]bool{".": true} // without letter case
	for _, f := range all {
		refuse := func(err error) ([]unpacked, error) {
			return nil, fmt.Errorf("its entry %q can't be unpacked safely: it %w", shorten(f.Name), err)
		}
		to, err := ondisk.Path(f.Name)
		if err != nil {
			return refuse(err)
		}
		e := unpacked{Entry: f, path: to, folder: isFolder(f.Name)}
		key := strings.ToLower(strings.ToUpper(to)) // some letters have several lower-case forms
		switch {
		case e.folder && f.Size > 0:
			return refuse(errors.New("is a folder with content"))
		case f.Type != 0 && !(e.folder && f.Type.IsDir()):
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
		if len(files)+len(folders) > maxPlaces {
			return refuse(fmt.Errorf("makes more than %d files and folders", maxPlaces))
		}
		list = append(list, e)
	}
	return list, nil
}
