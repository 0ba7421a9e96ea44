package rescue

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/dataset"
)

func TestAWorkspaceIsSavedWithEveryPictureAndAProof(t *testing.T) {
	t.Parallel()
	w := newScene(t, emulator.Options{})
	ids := append(w.add(0, 300, w.tags[0]), w.add(300, 5)...)

	p := w.run()

	kept := p.Kept[dataset.Workspace]
	require.NotNil(t, kept)
	assert.Equal(t, dataset.Complete, kept.Verdict, kept.Why)
	want := dataset.Counts{Images: 305, Tagged: 300, Untagged: 5, Tags: 2, ImageTags: 300, Iterations: kept.Asked.Iterations}
	assert.Equal(t, want, kept.Asked)
	assert.Equal(t, want, kept.Found)
	var got []string
	for _, l := range w.lines(p, dataset.Workspace) {
		if l.Kind != dataset.KindImage {
			continue
		}
		image, err := l.Image()
		require.NoError(t, err)
		require.NotNil(t, l.Original)
		n := len(got)
		got = append(got, image.ID)
		assert.NotContains(t, string(l.Data), "Uri")
		assert.NotEmpty(t, image.Metadata["batch"])
		sum := sha256.Sum256(world.Picture(n))
		require.Equal(t, hex.EncodeToString(sum[:]), l.Original.SHA256)
		assert.Equal(t, [3]int{4, 3, 0}, [3]int{l.Original.Width, l.Original.Height, l.Original.Orientation})
		if n%100 == 0 {
			body, err := w.sets().Image(context.Background(), w.project, l.Original.SHA256)
			require.NoError(t, err)
			data, err := io.ReadAll(body)
			require.NoError(t, err)
			require.NoError(t, body.Close())
			assert.Equal(t, world.Picture(n), data)
		}
	}
	assert.Equal(t, ids, got)
}
