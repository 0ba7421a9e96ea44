package zips

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Unzip is nil if the common unzip, Info-ZIP's, reads all of a zip without a warning.
// Where an entry is streamed and no descriptor follows it, unzip takes its place for one
// that overlaps the next entry, unless that check is switched off: that is of no matter.
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
	test := func(env ...string) (int, error) {
		c := exec.CommandContext(ctx, "unzip", "-tq", file)
		c.Env = append(os.Environ(), env...)
		out, err := c.CombinedOutput()
		if err != nil {
			return c.ProcessState.ExitCode(), fmt.Errorf("unzip -tq: %w: %s", err, out)
		}
		return 0, nil
	}
	const overlaps = 12
	code, err := test()
	if code == overlaps && lacksDescriptor(zip) {
		_, err = test("UNZIP_DISABLE_ZIPBOMB_DETECTION=TRUE")
	}
	return err
}

// lacksDescriptor reports whether an entry of the directory is streamed, and its sizes
// and checksum don't follow its bytes.
func lacksDescriptor(zip []byte) bool {
	at := bytes.LastIndex(zip, []byte("PK\x05\x06"))
	rest := zip[min(int(le.Uint32(zip[at+16:])), at):at]
	for len(rest) >= Header && bytes.HasPrefix(rest, []byte("PK\x01\x02")) {
		packed, offset := int(le.Uint32(rest[20:])), int(le.Uint32(rest[42:]))
		if le.Uint16(rest[8:])&Streamed != 0 && offset+Local <= len(zip) {
			end := offset + Local + int(le.Uint16(zip[offset+26:])) + int(le.Uint16(zip[offset+28:])) + packed
			behind := bytes.TrimPrefix(zip[min(end, len(zip)):], []byte("PK\x07\x08"))
			if !bytes.HasPrefix(behind, rest[16:28]) {
				return true
			}
		}
		rest = rest[min(len(rest), Header+int(le.Uint16(rest[28:]))+int(le.Uint16(rest[30:]))+int(le.Uint16(rest[32:]))):]
	}
	return false
}
