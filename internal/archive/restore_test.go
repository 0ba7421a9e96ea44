package archive_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/figures"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/seal"
)

// proven is a house with one proven backup.
func proven(t testing.TB) (*house, archive.Backup, []byte) {
	t.Helper()
	data := pack(export{platform: "ONNX"})
	h, b := unproven(t, archive.Options{}, data)
	_, err := h.Verify(t.Context(), b, archive.Facts{ProjectName: "Äpfel"})
	require.NoError(t, err)
	return h, h.only(t), data
}

func TestAFlippedByteOfAPackageIsFound(t *testing.T) {
	t.Parallel()
	h, b, data := proven(t)
	_, err := h.Reverify(t.Context(), b)
	require.NoError(t, err)
	write(t, h.blobs, b.Blob, flip(data, 500))
	_, err = h.Reverify(t.Context(), b)
	require.ErrorIs(t, err, archive.ErrDamaged)

	blobs := map[string][]byte{b.Proof: download(t, h.blobs, b.Proof)}
	a := shown(t, blobs)
	for at := range data { // local headers, data, directory, end record
		blobs[b.Blob] = flip(data, at)
		_, err := a.Reverify(t.Context(), b)
		require.ErrorIs(t, err, archive.ErrDamaged, "byte %d", at)
	}
	blobs[b.Blob] = data
	_, err = a.Reverify(t.Context(), b)
	require.NoError(t, err)
	figures.Print(t, "%d flipped bytes of a package, %d found", len(data), len(data))
	write(t, h.blobs, b.Blob, data[:len(data)-1])
	_, err = h.Reverify(t.Context(), b)
	assert.ErrorIs(t, err, archive.ErrDamaged, "cut")
}

func TestAFlippedByteOfAProofIsFound(t *testing.T) {
	t.Parallel()
	h, b, pkg := proven(t)
	data := download(t, h.blobs, b.Proof)
	want, err := h.Proof(t.Context(), b)
	require.NoError(t, err)
	write(t, h.blobs, b.Proof, flip(data, 500))
	_, err = h.Reverify(t.Context(), b)
	require.ErrorIs(t, err, seal.ErrBroken)

	blobs := map[string][]byte{b.Blob: pkg}
	a := shown(t, blobs)
	found := 0
	for at := range data {
		blobs[b.Proof] = bytes.Clone(data)
		blobs[b.Proof][at] ^= 0x20 // of a letter this is its case, of which keys make nothing
		got, err := a.Reverify(t.Context(), b)
		if err != nil {
			require.ErrorIs(t, err, seal.ErrBroken, "byte %d", at)
			found++
			continue
		}
		require.Equal(t, want, got, "byte %d", at)
	}
	assert.Greater(t, found, len(data)*99/100, "only the case of the two outer keys is of no matter")
	figures.Print(t, "%d flipped bytes of a proof, %d found, %d harmless", len(data), found, len(data)-found)
}

// shown is an archive that reads blobs from memory, by their names.
func shown(t testing.TB, blobs map[string][]byte) *archive.Archive {
	t.Helper()
	return answering(t, func(req *http.Request) (http.Header, []byte) {
		_, name, _ := strings.Cut(req.URL.Path, "/archive/")
		return http.Header{"Content-Length": {strconv.Itoa(len(blobs[name]))}}, blobs[name]
	})
}

func TestAProofOfAnotherPackageIsNotTaken(t *testing.T) {
	t.Parallel()
	h, b, _ := proven(t)
	s := h.model(t, "TensorFlow", pack(export{platform: "TensorFlow"}))
	h.backup(t, key(t, "TensorFlow", ""), s)
	list, err := h.Backups(t.Context(), project, iteration)
	require.NoError(t, err)
	require.Len(t, list, 2)
	write(t, h.blobs, b.Proof, download(t, h.blobs, list[1].Proof))
	_, err = h.Reverify(t.Context(), b)
	assert.ErrorIs(t, err, seal.ErrBroken)
}

func TestAProofOfALaterLayout(t *testing.T) {
	t.Parallel()
	h, b, _ := proven(t)
	p, err := h.Proof(t.Context(), b)
	require.NoError(t, err)
	p.Layout = archive.LayoutVersion + 1
	data, err := seal.Marshal(p)
	require.NoError(t, err)
	write(t, h.blobs, b.Proof, data)
	_, err = h.Proof(t.Context(), b)
	assert.ErrorContains(t, err, "newer")
}

func TestALostPackageIsListedAndCannotBeRestored(t *testing.T) {
	t.Parallel()
	h, b, _ := proven(t)
	_, err := h.blobs.NewBlobClient(b.Blob).Delete(t.Context(), nil)
	require.NoError(t, err)
	lost := h.only(t)
	assert.Equal(t, archive.Lost, lost.Verdict)
	assert.Equal(t, b.Key, lost.Key)
	_, err = h.Restore(t.Context(), lost, io.Discard)
	assert.ErrorIs(t, err, archive.ErrNotFound)
	_, err = h.Proof(t.Context(), lost)
	assert.NoError(t, err, "what it was is still known")
}

func TestALostPackageIsCopiedUnderAnotherName(t *testing.T) {
	t.Parallel()
	h := newHouse(t, archive.Options{SyncCopyLimit: 1, BlockSize: 600})
	s := h.model(t, "ONNX", pack(export{platform: "ONNX"}))
	b, _ := h.backup(t, key(t, "ONNX", ""), s)
	_, err := h.blobs.NewBlobClient(b.Blob).Delete(t.Context(), nil)
	require.NoError(t, err)
	again, p := h.backup(t, key(t, "ONNX", ""), s)
	assert.NotEqual(t, b.Blob, again.Blob)
	assert.Equal(t, archive.Proven, p.Verdict)
}

func TestRestoringNeedsAProof(t *testing.T) {
	t.Parallel()
	h, b := unproven(t, archive.Options{}, pack(export{platform: "ONNX"}))
	var got bytes.Buffer
	_, err := h.Restore(t.Context(), b, &got)
	assert.ErrorIs(t, err, archive.ErrUnproven)
	assert.Zero(t, got.Len())

	b.Proof = b.Blob + ".proven.json"
	_, err = h.Restore(t.Context(), b, &got)
	assert.ErrorIs(t, err, archive.ErrNotFound)
}

func TestAProofIsPlainJSON(t *testing.T) {
	t.Parallel()
	h, b, data := proven(t)
	var p struct {
		Body struct {
			Layout                                            int
			Verdict, ProjectID, IterationID, Platform, SHA256 string
			ProjectName                                       string
			Size                                              int
			Manifest                                          map[string]any
		}
	}
	require.NoError(t, json.Unmarshal(download(t, h.blobs, b.Proof), &p))
	assert.Equal(t, 1, p.Body.Layout)
	assert.Equal(t, "proven", p.Body.Verdict)
	assert.Equal(t, project, p.Body.ProjectID)
	assert.Equal(t, iteration, p.Body.IterationID)
	assert.Equal(t, "ONNX", p.Body.Platform)
	assert.Equal(t, "Äpfel", p.Body.ProjectName)
	assert.Equal(t, len(data), p.Body.Size)
	assert.Equal(t, "2.2", p.Body.Manifest["ExporterVersion"], "the manifest's own words")
}
