package storage_test

import (
	"net/http"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite"
	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/internal/storage"
)

// unsigned takes the signature away, as from somebody without rights.
type unsigned struct{}

func (unsigned) Do(r *http.Request) (*http.Response, error) {
	r.Header.Del("Authorization")
	return http.DefaultClient.Do(r)
}

func open(t *testing.T) storage.Account {
	t.Helper()
	a, err := storage.ParseConnectionString(azuritetest.Start(t).ConnectionString(azurite.Customer))
	require.NoError(t, err)
	return a
}

func TestTheRightToWriteIsProvedWithoutWriting(t *testing.T) {
	t.Parallel()
	a := open(t)
	blobs, err := a.Blob(nil)
	require.NoError(t, err)
	name := azuritetest.Name("probe")
	c := blobs.NewContainerClient(name)
	require.Error(t, storage.MayWrite(t.Context(), blobs, name), "there is no container")
	_, err = c.Create(t.Context(), nil)
	require.NoError(t, err)

	require.NoError(t, storage.MayWrite(t.Context(), blobs, name))
	page, err := c.NewListBlobsFlatPager(nil).NextPage(t.Context())
	require.NoError(t, err)
	assert.Empty(t, page.Segment.BlobItems)

	stranger, err := a.Blob(&azcore.ClientOptions{Transport: unsigned{}})
	require.NoError(t, err)
	assert.Equal(t, http.StatusForbidden, storage.Status(storage.MayWrite(t.Context(), stranger, name)))
}

func TestTheRightsToReadAndToDeleteAreProvedWithoutABlob(t *testing.T) {
	t.Parallel()
	a := open(t)
	blobs, err := a.Blob(nil)
	require.NoError(t, err)
	name := azuritetest.Name("probe")
	_, err = blobs.NewContainerClient(name).Create(t.Context(), nil)
	require.NoError(t, err)
	stranger, err := a.Blob(&azcore.ClientOptions{Transport: unsigned{}})
	require.NoError(t, err)
	for what, right := range map[string]storage.Right{"read": storage.MayRead, "delete": storage.MayDelete} {
		require.Error(t, right(t.Context(), blobs, azuritetest.Name("absent")), "%s: there is no container", what)
		require.NoError(t, right(t.Context(), blobs, name), what)
		assert.Equal(t, http.StatusForbidden, storage.Status(right(t.Context(), stranger, name)), what)
	}
}

func TestTheRightToTakeMessagesIsProvedWithoutTakingAny(t *testing.T) {
	t.Parallel()
	a := open(t)
	queues, err := a.Queue(nil)
	require.NoError(t, err)
	name := azuritetest.Name("probe")
	q := queues.NewQueueClient(name)
	require.Error(t, storage.MayTake(t.Context(), queues, name), "there is no queue")
	_, err = q.Create(t.Context(), nil)
	require.NoError(t, err)
	_, err = q.EnqueueMessage(t.Context(), "stays", nil)
	require.NoError(t, err)

	require.NoError(t, storage.MayTake(t.Context(), queues, name))
	got, err := q.DequeueMessage(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, got.Messages, 1)
	assert.EqualValues(t, 1, *got.Messages[0].DequeueCount, "nobody took it")

	stranger, err := a.Queue(&azcore.ClientOptions{Transport: unsigned{}})
	require.NoError(t, err)
	err = storage.MayTake(t.Context(), stranger, name)
	assert.Equal(t, http.StatusForbidden, storage.Status(err), "%v", err)
}
