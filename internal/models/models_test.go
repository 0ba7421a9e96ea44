package models_test

import (
	"os"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/dev/leak"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/models"
)

func TestMain(m *testing.M) { os.Exit(leak.Run(func() int { return azuritetest.Run(m) })) }

func TestASourceIsReadByCredentialAndCopiedByALink(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	i := world.NewInterceptor(t)
	c := models.Open(w.Customer.Account, w.Customer.Blobs(&azcore.ClientOptions{Transport: i}), w.Names.Models)
	const name = "11111111-2222-3333-4444-555555555555 - aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee.ONNX"
	_, err := w.Containers.Models.NewBlockBlobClient(name).UploadBuffer(t.Context(), []byte("bytes"), nil)
	require.NoError(t, err)

	s := c.Source(name)
	assert.Empty(t, i.Sent(), "nothing is signed or asked yet")
	a := archive.Open(w.Archives.Blobs(nil), w.Names.Archive, archive.Options{})
	id, err := a.Identify(t.Context(), s)
	require.NoError(t, err)
	require.Len(t, i.Sent(), 1)
	assert.Empty(t, i.Sent()[0].URL.Query().Get("sig"))

	key, err := archive.NewKey("11111111-2222-3333-4444-555555555555", "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "ONNX", "")
	require.NoError(t, err)
	b, err := a.Copy(t.Context(), key, s, id)
	require.NoError(t, err)
	assert.Equal(t, archive.FromContainer, b.Origin.Kind)
	assert.Len(t, i.Sent(), 1, "the storage service copied, and its time was known")
}

func TestALinkIntoTheContainerIsKnownByItsHost(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	c := models.Open(w.Customer.Account, w.Customer.Blobs(nil), w.Names.Models)
	own := w.Containers.Models.URL() + "/a.ONNX"
	for link, want := range map[string]bool{
		own:                 true,
		own + "?sig=secret": true,
		strings.Replace(own, "127.0.0.1", "localhost", 1):           true,
		strings.Replace(own, "127.0.0.1", "LOCALHOST", 1):           true,
		strings.Replace(own, w.Names.Models, w.Names.Models+"2", 1): false,
		strings.Replace(own, "127.0.0.1:", "127.0.0.1:1", 1):        false,
		"":       false,
		"a.ONNX": false,
	} {
		name, inside := c.Blob(link)
		assert.Equal(t, want, inside, link)
		assert.Equal(t, want, name == "a.ONNX", link)
	}
}

func TestABlobOfAContainerByItsAddress(t *testing.T) {
	t.Parallel()
	const container = "https://customer.blob.core.windows.net/models"
	for link, want := range map[string]string{
		container + "/p%20-%20i.ONNX":                                    "p - i.ONNX",
		"https://customer.blob.core.windows.net:443/models/a.ONNX?sig=s": "a.ONNX",
		"https://Customer.Blob.Core.Windows.Net/models/a.ONNX":           "a.ONNX",
		"https://customer.blob.core.windows.net:444/models/a.ONNX":       "",
		"http://customer.blob.core.windows.net:443/models/a.ONNX":        "a.ONNX",
		"https://customer.blob.core.windows.net/models2/a.ONNX":          "",
		"https://other.blob.core.windows.net/models/a.ONNX":              "",
		"/models/a.ONNX": "",
	} {
		for _, address := range []string{container, container + "/", "https://CUSTOMER.blob.core.windows.net:443/models"} {
			name, ok := models.BlobOf(address, link)
			assert.Equal(t, want, name, "%s in %s", link, address)
			assert.Equal(t, want != "", ok)
		}
	}
	_, ok := models.BlobOf("", "/models/a.ONNX")
	assert.False(t, ok, "where the address isn't known")
}

func TestSurveyTellsExportsFromWhatOnlyLooksLikeThem(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	c := models.Open(w.Customer.Account, w.Customer.Blobs(nil), w.Names.Models)
	const project, iteration = "11111111-2222-3333-4444-555555555555", "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
	moved, zipped := "old/"+project+" - "+iteration+".ONNX", project+" - "+iteration+".ONNX.zip"
	joined := strings.ReplaceAll(project+iteration, "-", "")
	for _, name := range []string{
		project + " - " + iteration + ".ONNX", strings.ReplaceAll(project, "-", "") + " - " + iteration + ".CoreML",
		moved, zipped, project + "_" + strings.ToUpper(iteration) + ".ONNX",
		"CustomVision-TestPermission", "notes.txt", project + ".zip", joined,
	} {
		_, err := w.Containers.Models.NewBlockBlobClient(name).UploadBuffer(t.Context(), []byte("bytes"), nil)
		require.NoError(t, err)
	}
	exports, misnamed, err := c.Survey(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 2, exports)
	assert.ElementsMatch(t, []string{moved, zipped, project + "_" + strings.ToUpper(iteration) + ".ONNX"}, misnamed)
}
