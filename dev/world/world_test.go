package world_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/world"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/storage"
)

func TestOnAStillClockWhatAPersonDoesEndsAtOnce(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{Still: true})
	begin := w.Service.Now()
	p := w.Create(customvision.CreateProjectOptions{ExportModelContainerURI: w.Containers.Models.URL()})
	it := w.Train(p.ID)
	w.Export(p.ID, it.ID, "ONNX", "")
	_, err := w.Containers.Models.NewBlobClient(customvision.BlobName(p.ID, it.ID, "ONNX")).GetProperties(t.Context(), nil)
	assert.NoError(t, err, "the package is in the model container")
	assert.Equal(t, world.TrainTime+world.ExportTime, w.Service.Now().Sub(begin))
	assert.Empty(t, w.Backups("", ""), "no app has archived it")
	assert.Empty(t, w.Letters())
}

func TestAFrontSeesTheAppAlone(t *testing.T) {
	t.Parallel()
	front := world.NewInterceptor(t)
	w := world.New(t, world.Options{Front: front})
	p := w.Create(customvision.CreateProjectOptions{ExportModelContainerURI: w.Containers.Models.URL()})
	w.Export(p.ID, w.Train(p.ID).ID, "ONNX", "")
	require.Empty(t, front.Sent(), "neither the test nor the service is the app")

	settings := w.Settings()
	account, err := storage.ParseConnectionString(settings["ArchiveStorage"])
	require.NoError(t, err)
	blobs, err := account.Blob(nil)
	require.NoError(t, err)
	_, err = blobs.NewContainerClient(settings["ARCHIVE_CONTAINER"]).GetProperties(t.Context(), nil)
	require.NoError(t, err)
	client, err := customvision.NewClientWithKey(settings["CUSTOMVISION_ENDPOINT"], settings["CUSTOMVISION_KEY"], nil)
	require.NoError(t, err)
	_, err = client.Projects(t.Context())
	require.NoError(t, err)
	assert.Len(t, front.Sent(), 2)
}
