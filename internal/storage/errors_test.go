package storage

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite"
	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/dev/leak"
)

func TestMain(m *testing.M) { os.Exit(leak.Run(func() int { return azuritetest.Run(m) })) }

func TestExplainIsOneLineWithoutTheURL(t *testing.T) {
	t.Parallel()
	assert.NoError(t, Explain("read", nil))

	account, err := ParseConnectionString(azuritetest.Start(t).ConnectionString(azurite.Service))
	require.NoError(t, err)
	client, err := account.Blob(nil)
	require.NoError(t, err)
	_, err = client.NewContainerClient("absent").GetProperties(t.Context(), nil)
	err = Explain("look at the container", err)
	assert.ErrorContains(t, err, "look at the container: storage answered 404 ContainerNotFound (request ")
	assert.NotContains(t, err.Error(), "\n")
	assert.True(t, bloberror.HasCode(err, bloberror.ContainerNotFound), "the SDK's error is still there")
	assert.Equal(t, http.StatusNotFound, Status(err))

	// Nobody listens on port 1: the transport's error has the whole URL in it.
	options := &blob.ClientOptions{ClientOptions: azcore.ClientOptions{}}
	options.Retry.MaxRetries = -1
	gone, err := blob.NewClientWithNoCredential("http://127.0.0.1:1/a/b?sv=1&sig=s3cr3t", options)
	require.NoError(t, err)
	_, err = gone.GetProperties(t.Context(), nil)
	err = Explain("read the blob", err)
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "s3cr3t")
	assert.Zero(t, Status(err))
}

func TestASignedLinkReadsItsOneBlobAndNothingElse(t *testing.T) {
	t.Parallel()
	account, err := ParseConnectionString(azuritetest.Start(t).ConnectionString(azurite.Service))
	require.NoError(t, err)
	client, err := account.Blob(nil)
	require.NoError(t, err)
	name := azuritetest.Name("signed")
	_, err = client.CreateContainer(t.Context(), name, nil)
	require.NoError(t, err)
	for _, b := range []string{"a b.ONNX", "other"} {
		_, err = client.NewContainerClient(name).NewBlockBlobClient(b).UploadBuffer(t.Context(), []byte(b), nil)
		require.NoError(t, err)
	}
	signer := NewSigner(account, client)
	status := func(blobName string, life time.Duration, change func(string) string) int {
		link, err := signer.ReadURL(t.Context(), name, blobName, life)
		require.NoError(t, err)
		resp, err := http.Get(change(link))
		require.NoError(t, err)
		resp.Body.Close()
		return resp.StatusCode
	}
	same := func(s string) string { return s }
	assert.Equal(t, http.StatusOK, status("a b.ONNX", time.Minute, same), "a name with spaces, as the service gives")
	assert.Equal(t, http.StatusForbidden, status("a b.ONNX", -time.Minute, same), "its time is over")
	assert.Equal(t, http.StatusForbidden, status("a b.ONNX", time.Minute, func(s string) string {
		other, err := signer.ReadURL(t.Context(), name, "other", time.Minute)
		require.NoError(t, err)
		_, query, _ := strings.Cut(s, "?")
		path, _, _ := strings.Cut(other, "?")
		return path + "?" + query
	}), "another blob")
}
