package customvision

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBlobNamesAreWrittenAsDocumented(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "64b822c5-8082-4b36-a426-27225f4aa18c - e31a14ab-5d78-4f7b-a267-3a1e4fd8a758.TensorFlow",
		BlobName(projectID, iterationID, "TensorFlow"))
}

func TestBlobNamesAreTakenApart(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		BlobName(projectID, iterationID, "DockerFile"),
		"64b822c580824b36a42627225f4aa18c - e31a14ab5d784f7ba2673a1e4fd8a758.DockerFile",
		"64B822C5-8082-4B36-A426-27225F4AA18C - {E31A14AB-5D78-4F7B-A267-3A1E4FD8A758}.DockerFile",
	} {
		project, iteration, platform, err := ParseBlobName(name)
		require.NoError(t, err, name)
		assert.Equal(t, []string{projectID, iterationID, "DockerFile"}, []string{project, iteration, platform}, name)
	}
}

func TestOtherBlobNamesAreRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"",
		"CustomVision-TestPermission/test",
		BlobName(projectID, iterationID, ""),
		BlobName(projectID, iterationID, "../ONNX"),
		BlobName(projectID, iterationID, "ONNX.zip"),
		"folder/" + BlobName(projectID, iterationID, "ONNX"),
		projectID + "-" + iterationID + ".ONNX",
		projectID + "%20-%20" + iterationID + ".ONNX",
		projectID + " - " + iterationID,
	} {
		project, iteration, platform, err := ParseBlobName(name)
		require.Error(t, err, name)
		assert.Empty(t, project+iteration+platform, name)
	}
}
