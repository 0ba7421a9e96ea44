package formats_test

import (
	"bytes"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/pictures"
	"visionkeeper/dev/pictures/archived"
	"visionkeeper/internal/dataset"
	"visionkeeper/internal/formats"
)

// TestAnImageThatCameTwiceIsWrittenOnce has a snapshot that changed while it was read: an
// image came again, with other boxes.
func TestAnImageThatCameTwiceIsWrittenOnce(t *testing.T) {
	t.Parallel()
	truth := pictures.New(11, pictures.Detection, 30)
	at := slices.IndexFunc(truth.Images, func(i pictures.Image) bool { return len(i.Regions) > 1 })
	require.GreaterOrEqual(t, at, 0)
	again := truth.Images[at]
	again.Regions = again.Regions[:1]
	twice := truth
	twice.Images = append(slices.Clone(truth.Images), again)
	for _, format := range []string{formats.COCO, formats.YOLO, formats.VOC, formats.CSV, formats.JSON} {
		once, set := memory{archived.New(truth, nil)}, memory{archived.New(twice, nil)}
		set.Proof.Verdict = dataset.Changed
		to := t.TempDir()
		want, err := formats.Write(t.Context(), once, once.request(format, filepath.Join(to, "once")))
		require.NoError(t, err)
		got, err := formats.Write(t.Context(), set, set.request(format, filepath.Join(to, "twice")))
		if assert.NoError(t, err, format) {
			assert.Equal(t, want.Images, got.Images, format)
			sums := tree(t, filepath.Join(to, "twice"))[formats.SumsName]
			lines := bytes.Split(bytes.TrimSpace(sums), []byte("\n"))
			slices.SortFunc(lines, bytes.Compare)
			assert.Len(t, slices.CompactFunc(lines, bytes.Equal), bytes.Count(sums, []byte("\n")), format)
		}
	}
}
