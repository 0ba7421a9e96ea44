package archive

import (
	"fmt"
	"io"
	"os"
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

// fill runs write on a new spool and gives the spool and its size.
func fill(dir string, write func(io.Writer) (int64, error)) (spool, int64, error) {
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
