package world

import (
	"fmt"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
)

// firstHeldOut is the number of the first picture of a hold-out set: no project is trained
// on so many.
const firstHeldOut = 1 << 20

// PutHoldOut puts a file into the hold-out set, a container of the archive's account.
func (w *World) PutHoldOut(name string, content []byte) {
	w.t.Helper()
	c := w.Archives.Blobs(nil).NewContainerClient(w.Names.HoldOut)
	if _, err := c.Create(w.t.Context(), nil); !bloberror.HasCode(err, bloberror.ContainerAlreadyExists) {
		require.NoError(w.t, err)
	}
	_, err := c.NewBlockBlobClient(name).UploadBuffer(w.t.Context(), content, nil)
	require.NoError(w.t, err)
}

// HoldOutPictures puts n pictures into the hold-out set, in folders named as tags in turn,
// which they show.
func (w *World) HoldOutPictures(n int, tags ...string) {
	w.t.Helper()
	for i := range n {
		picture, tag := Picture(firstHeldOut+i), tags[i%len(tags)]
		w.Service.Show(picture, emulator.Label{Tag: tag})
		w.PutHoldOut(fmt.Sprintf("%s/%03d.png", tag, i), picture)
	}
}
