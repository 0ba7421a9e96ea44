package archive_test

import (
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/internal/archive"
)

func TestARestingBackupIsToldApartAndBroughtBack(t *testing.T) {
	t.Parallel()
	h, b := unproven(t, archive.Options{}, pack(export{platform: "ONNX"}))
	p, err := h.Verify(t.Context(), b, archive.Facts{})
	require.NoError(t, err)
	list, err := h.Backups(t.Context(), "", "")
	require.NoError(t, err)
	for _, name := range []string{list[0].Blob, list[0].Proof} {
		_, err = h.service.NewContainerClient(h.world.Names.Archive).NewBlobClient(name).SetTier(t.Context(), blob.AccessTierArchive, nil)
		require.NoError(t, err)
	}

	_, err = h.Reverify(t.Context(), list[0])
	require.Error(t, err)
	assert.True(t, archive.Resting(err), "%v", err)
	require.NoError(t, h.Rehydrate(t.Context(), list[0]))
	again, err := h.Reverify(t.Context(), list[0])
	require.NoError(t, err)
	assert.Equal(t, p.SHA256, again.SHA256)
}

func TestNothingElseIsTakenForResting(t *testing.T) {
	t.Parallel()
	h, b := unproven(t, archive.Options{}, pack(export{platform: "ONNX"}))
	_, err := h.Reverify(t.Context(), b)
	require.ErrorIs(t, err, archive.ErrUnproven)
	assert.False(t, archive.Resting(err))
	assert.False(t, archive.Resting(nil))
}
