package archive_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheDocumentedCheckNeedsNoneOfThisProgram(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"sh", "jq", "unzip", "sha256sum", "sha1sum"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(tool + " is not installed")
		}
	}
	page, err := os.ReadFile("../../docs/archive.md")
	require.NoError(t, err)
	script := regexp.MustCompile("(?s)```sh\n(.*?)```").FindSubmatch(page)
	require.NotNil(t, script)

	h, b, data := proven(t)
	dir := t.TempDir()
	check := func(data []byte) error {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "x.zip"), data, 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "x.proven.json"), download(t, h.blobs, b.Proof), 0o600))
		cmd := exec.Command("sh", "-c", string(script[1]), "sh", filepath.Join(dir, "x"))
		out, err := cmd.CombinedOutput()
		t.Logf("%s", out)
		return err
	}
	assert.NoError(t, check(data))
	assert.Error(t, check(flip(data, 500)))
}
