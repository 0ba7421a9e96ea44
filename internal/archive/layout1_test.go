package archive_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/internal/archive"
)

// TestAnArchiveFromBeforeTheCertaintyIsReadAsBefore reads a stored package with its
// proof and metadata, in none of which a certainty stands.
func TestAnArchiveFromBeforeTheCertaintyIsReadAsBefore(t *testing.T) {
	t.Parallel()
	h := newHouse(t, archive.Options{})
	k := key(t, "ONNX", "ONNX12")
	files, err := filepath.Glob("testdata/layout1/*")
	require.NoError(t, err)
	require.Len(t, files, 2)
	var data []byte
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NotContains(t, string(content), "certainty")
		o := &blockblob.UploadBufferOptions{}
		if strings.HasSuffix(file, ".zip") {
			data = content
			kind, name, etag := archive.FromDownload, "irisprod.blob.core.windows.net%2Fm-1%2F2.zip", "1"
			o.Metadata = map[string]*string{"sourcekind": &kind, "sourcename": &name, "sourceetag": &etag}
		}
		blob := project + "/" + iteration + "/ONNX.ONNX12/" + filepath.Base(file)
		_, err = h.blobs.NewBlockBlobClient(blob).UploadBuffer(t.Context(), content, o)
		require.NoError(t, err)
	}

	b := h.only(t)
	assert.Equal(t, k, b.Key)
	assert.Equal(t, archive.Proven, b.Verdict)
	assert.True(t, b.Verdict.Counts())
	assert.Equal(t, archive.Origin{Kind: archive.FromDownload, Name: "irisprod.blob.core.windows.net/m-1/2.zip", ETag: "1"}, b.Origin)
	p, err := h.Proof(t.Context(), b)
	require.NoError(t, err)
	assert.Equal(t, 1, p.Layout)
	assert.Equal(t, "Äpfel", p.ProjectName)
	assert.Equal(t, b.Origin, p.Source)
	_, err = h.Reverify(t.Context(), b)
	require.NoError(t, err)

	judged, err := h.Verify(t.Context(), b, archive.Facts{})
	require.NoError(t, err)
	assert.Equal(t, archive.Proven, judged.Verdict, "it came from the export's own address, which is certain")
	assert.Equal(t, p.VerifiedAt, judged.VerifiedAt, "the proof that stands is taken")

	s := h.model(t, "ONNX", data)
	id, err := h.Identify(t.Context(), s)
	require.NoError(t, err)
	held, err := h.Copy(t.Context(), k, s, id)
	require.NoError(t, err)
	assert.Equal(t, b.Blob, held.Blob, "it isn't copied again")
	assert.True(t, bytes.Equal(data, download(t, h.blobs, b.Blob)))
}
