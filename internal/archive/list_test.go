package archive_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/internal/archive"
)

func TestListingByProjectAndIteration(t *testing.T) {
	t.Parallel()
	h := newHouse(t, archive.Options{})
	id := strings.Repeat("0", 31)
	for _, name := range []string{
		project + "/" + iteration + "/ONNX/" + id + "1.zip",
		project + "/" + other + "/ONNX/" + id + "2.zip",
		other + "/" + iteration + "/DockerFile.Linux/" + id + "3.zip",
	} {
		write(t, h.blobs, name, []byte("x"))
	}
	for name, c := range map[string]struct {
		project, iteration string
		want               int
	}{
		"all": {"", "", 3}, "a project": {project, "", 2}, "an iteration": {project, iteration, 1},
		"in capitals": {strings.ToUpper(other), strings.ToUpper(iteration), 1}, "none": {iteration, "", 0},
	} {
		list, err := h.Backups(t.Context(), c.project, c.iteration)
		require.NoError(t, err, name)
		assert.Len(t, list, c.want, name)
	}
	for _, bad := range []string{"..", project + "/", "x"} {
		_, err := h.Backups(t.Context(), bad, "")
		assert.Error(t, err, bad)
	}
}

func TestNamesOutsideOfTheLayoutAreLeftOut(t *testing.T) {
	t.Parallel()
	h := newHouse(t, archive.Options{})
	id := strings.Repeat("a", 32)
	folder := project + "/" + iteration + "/ONNX/"
	for _, name := range []string{
		"README.md", "CustomVision-TestPermission/test", folder + "x.zip", folder + id + ".txt",
		folder + id + "-1.zip", folder + id + "-22.zip", folder + id, folder + id + ".lost.json", folder + id + ".json",
		folder + "deeper/" + id + ".zip", project + "/" + iteration + "/ONNX.A.B/" + id + ".zip",
		project + "/x/ONNX/" + id + ".zip", strings.ReplaceAll(folder, "-", "") + id + ".zip",
	} {
		write(t, h.blobs, name, []byte("x"))
	}
	list, err := h.Backups(t.Context(), "", "")
	require.NoError(t, err)
	assert.Empty(t, list)
}

func TestTheBetterProofCounts(t *testing.T) {
	t.Parallel()
	h := newHouse(t, archive.Options{})
	stem := project + "/" + iteration + "/CoreML/" + strings.Repeat("a", 32) + "-2"
	write(t, h.blobs, stem+".mlmodel", []byte("x"))
	for _, verdict := range []string{"damaged", "intact", "unidentified"} {
		write(t, h.blobs, stem+"."+verdict+".json", []byte("{}"))
	}
	b := h.only(t)
	assert.Equal(t, archive.Intact, b.Verdict)
	assert.Equal(t, stem+".intact.json", b.Proof)
	assert.Equal(t, stem+".mlmodel", b.Blob)
	assert.Equal(t, strings.Repeat("a", 32), b.ContentID)
}

func TestListingAnArchiveThatIsNotThere(t *testing.T) {
	t.Parallel()
	h := newHouse(t, archive.Options{})
	_, err := archive.Open(h.service, "missing-archive", archive.Options{}).Backups(t.Context(), "", "")
	assert.ErrorContains(t, err, "ContainerNotFound")
}
