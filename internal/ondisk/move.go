// Package ondisk has the rules by which files come to a person's disk: names that somebody
// else chose can't lead elsewhere, and nothing stands under a file's final name before all
// of it is there.
package ondisk

import (
	"errors"
	"io/fs"
	"os"
)

// Move gives a file below a folder its final name, which must be free unless over is set;
// else the error is fs.ErrExist. A link, other than a rename, replaces nothing; where the
// file system has none, the name is claimed first.
func Move(root *os.Root, from, to string, over bool) error {
	if !over {
		err := root.Link(from, to)
		if err == nil {
			return root.Remove(from)
		}
		if errors.Is(err, fs.ErrExist) {
			return err
		}
		claim, err := root.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if err != nil {
			return err
		}
		claim.Close()
	}
	return root.Rename(from, to)
}
