package customvision

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestExportsAreRead(t *testing.T) {
	t.Parallel()
	client, _ := setup(t, answerWith(http.StatusOK, `[
		{"platform":"TensorFlow","status":"Done","newerVersionAvailable":false,"downloadUri":"{Download URI}"},
		{"platform":"ONNX","status":"Exporting","downloadUri":null,"flavor":null,"newerVersionAvailable":false},
		{"platform":"DockerFile","status":"SomethingNew","downloadUri":"m-1/2.zip","flavor":"Linux","newerVersionAvailable":true}]`))
	exports, err := client.Exports(t.Context(), projectID, iterationID)
	require.NoError(t, err)
	assert.Equal(t, []Export{
		{Platform: "TensorFlow", Status: ExportDone, DownloadURI: "{Download URI}"},
		{Platform: "ONNX", Status: ExportExporting},
		{Platform: "DockerFile", Flavor: "Linux", Status: "SomethingNew", DownloadURI: "m-1/2.zip", NewerVersionAvailable: true},
	}, exports)
}

func TestAnExportIsAskedForByPlatformAndFlavor(t *testing.T) {
	t.Parallel()
	for flavor, query := range map[string]url.Values{
		"":       {"platform": {"ONNX"}},
		"ONNX12": {"platform": {"ONNX"}, "flavor": {"ONNX12"}},
	} {
		client, s := setup(t, answerWith(http.StatusOK, `{"platform":"ONNX","status":"Exporting","downloadUri":null,"flavor":null,"newerVersionAvailable":false}`))
		export, err := client.Export(t.Context(), projectID, iterationID, "ONNX", flavor)
		require.NoError(t, err)
		assert.Equal(t, ExportExporting, export.Status)
		got := s.only(t)
		assert.Equal(t, query, got.query)
		assert.Empty(t, got.body)
	}
}

func TestPlatformsAreComparedWithoutLetterCase(t *testing.T) {
	t.Parallel()
	assert.True(t, SamePlatform("ONNX", "onnx"))
	assert.False(t, SamePlatform("ONNX", "CoreML"))
}
