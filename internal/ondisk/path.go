package ondisk

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"visionkeeper/internal/pattern"
)

// The bounds of a Path.
const (
	maxPath  = 255 // bytes: as long as a file's name may be
	maxDepth = 32  // folders
)

// Path is the place of a file of this name, which somebody else chose: a path with
// slashes below the folder that it is put into, or "." for that folder. It is the
// same on every system. A name that could lead elsewhere, steer a terminal, or be
// another name or none on Windows, is refused.
func Path(name string) (string, error) {
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
	case len(clean) > maxPath:
		return "", fmt.Errorf("has a name of more than %d bytes", maxPath)
	case strings.Count(clean, "/") > maxDepth:
		return "", fmt.Errorf("lies below more than %d folders", maxDepth)
	}
	for part := range strings.SplitSeq(clean, "/") {
		switch {
		case clean != "." && strings.TrimRight(part, ". ") != part:
			return "", errors.New("has a dot or a space at the end of a name")
		case device().MatchString(part):
			return "", errors.New("has the name of a device")
		}
	}
	return clean, nil
}

// device matches names that Windows keeps for devices, whatever their extension.
// https://learn.microsoft.com/windows/win32/fileio/naming-a-file
var device = pattern.Of(`(?i)^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[1-9¹²³]) *(\.|$)`)
