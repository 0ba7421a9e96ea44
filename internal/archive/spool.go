package archive

import (
	"fmt"
	"io"
	"os"

	"visionkeeper/internal/remedy"
)

// spool is a temporary file. Where the system allows it has no name, so that it
// goes with the process, however that ends.
type spool struct{ *os.File }

func newSpool(dir string) (spool, error) {
	f, err := os.CreateTemp(dir, "visionkeeper-")
	if err != nil {
		return spool{}, fmt.Errorf("make room for a package: %w", err)
	}
	os.Remove(f.Name()) // fails on Windows while the file is open; Close tries again
	return spool{f}, nil
}

// Close ends the file. What was in it is gone.
func (s spool) Close() error {
	err := s.File.Close()
	os.Remove(s.Name())
	return err
}

// fill runs write on a new spool and gives the spool and its size. It begins only if
// the disk has room for as many bytes as are expected; -1 where that isn't known.
func fill(dir string, expected int64, write func(io.Writer) (int64, error)) (spool, int64, error) {
	if err := roomFor(dir, expected); err != nil {
		return spool{}, 0, err
	}
	s, err := newSpool(dir)
	if err != nil {
		return spool{}, 0, err
	}
	n, err := write(s)
	if err != nil {
		s.Close()
		return spool{}, 0, err
	}
	return s, n, nil
}

// roomFor is nil if dir has room for size bytes, as far as the system says.
func roomFor(dir string, size int64) error {
	free, known := freeSpace(dir)
	if !known || size < 0 || uint64(size) <= free {
		return nil
	}
	return remedy.New("free some space, or set TMPDIR to a folder on a larger disk",
		"a package of %d bytes has no room in the folder for temporary files, %s, which has %d bytes free", size, dir, free)
}
