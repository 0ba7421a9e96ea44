package archive

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"visionkeeper/internal/zipfile"
)

// The bounds of what is unpacked, besides maxExpanded.
const (
	maxEntryPath = 255                // of an entry's path, in bytes: as long as a file's name may be
	maxDepth     = 32                 // of folders in a path
	maxPlaces    = zipfile.MaxEntries // files and folders, those that paths lead through among them
)

// entryPath is where an entry of this name is unpacked: a path with slashes below
// the folder that the package is unpacked to, or "." for that folder. It is the
// same on every system. A name that no export needs and that could lead elsewhere,
// steer a terminal, or be another name or none on Windows, is refused.
func entryPath(name string) (string, error) {
	slashed := strings.ReplaceAll(name, `\`, "/") // old .NET programs wrote these
	clean := path.Clean(slashed)
	switch {
	case slashed == "":
		return "", errors.New("has no name")
	case strings.HasPrefix(slashed, "/"), clean == "..", strings.HasPrefix(clean, "../"):
		return "", errors.New("leads out of its folder")
	case strings.ContainsAny(slashed, `<>:"|?*`):
		return "", errors.New(`has one of <>:"|?* in its name`)
	case !utf8.ValidString(slashed):
		return "", errors.New("has a name that is not UTF-8")
	case strings.ContainsFunc(slashed, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "", errors.New("has a control character in its name")
	case len(clean) > maxEntryPath:
		return "", fmt.Errorf("has a name of more than %d bytes", maxEntryPath)
	case strings.Count(clean, "/") > maxDepth:
		return "", fmt.Errorf("lies below more than %d folders", maxDepth)
	}
	for part := range strings.SplitSeq(clean, "/") {
		switch {
		case clean != "." && strings.TrimRight(part, ". ") != part:
			return "", errors.New("has a dot or a space at the end of a name")
		case device.MatchString(part):
			return "", errors.New("has the name of a device")
		}
	}
	return clean, nil
}

// device matches names that Windows keeps for devices, whatever their extension.
// https://learn.microsoft.com/windows/win32/fileio/naming-a-file
var device = regexp.MustCompile(`(?i)^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[1-9¹²³]) *(\.|$)`)

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
		to, err := entryPath(f.Name)
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
