package zips

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Unzip is nil if the common unzip, Info-ZIP's, reads all of a zip without a warning.
func Unzip(ctx context.Context, zip []byte) error {
	dir, err := os.MkdirTemp("", "zips-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "x.zip")
	if err := os.WriteFile(file, zip, 0o600); err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, "unzip", "-tq", file).CombinedOutput()
	if err != nil {
		return fmt.Errorf("unzip -tq: %w: %s", err, out)
	}
	return nil
}

// Overlaps reports whether Unzip failed because entries seem to overlap. So it sees one
// that is streamed and lacks what should follow its bytes.
func Overlaps(err error) bool {
	var exit *exec.ExitError
	return errors.As(err, &exit) && exit.ExitCode() == 12
}
