package reconcile

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/internal/archive"
)

// withoutEndpoint is an export in the model container of an app that knows no
// endpoint, and the export's key.
func withoutEndpoint(t *testing.T, change ...func(*emulator.Options)) (*app, Key) {
	t.Helper()
	w := newWorld(t, "", change...)
	key := w.trained()
	w.export(key, "ONNX")
	w.options.Service = nil
	return w, key
}

func TestWithoutAnEndpointBlobsAreArchivedAsTheirManifestsName(t *testing.T) {
	t.Parallel()
	for _, names := range []string{"hyphenated", "compact"} {
		t.Run(names, func(t *testing.T) {
			t.Parallel()
			w, key := withoutEndpoint(t, answering(emulator.BlobNames, names))
			report := w.reconcile(key)
			assert.True(t, report.ContainerOnly)
			assert.Len(t, report.Blobs, 1)
			assert.Equal(t, proven, w.backups(key))
			assert.Equal(t, map[string]string{"ONNX": archive.FromContainer}, w.origins(key))
		})
	}
}

func TestWithoutAnEndpointABlobThatIsOverwrittenIsArchivedToo(t *testing.T) {
	t.Parallel()
	w, key := withoutEndpoint(t)
	w.sweep()
	w.export(key, "ONNX.ONNX12")
	w.sweep()
	assert.Equal(t, map[string]archive.Verdict{"ONNX": archive.Proven, "ONNX.ONNX12": archive.Proven}, w.backups(key))
}

func TestWithoutAnEndpointWhatIsArchivedCostsASweepNothing(t *testing.T) {
	t.Parallel()
	w, key := withoutEndpoint(t)
	require.Equal(t, 1, w.sweep())
	requests := w.line.During(func() { assert.Equal(t, 1, w.sweep()) })
	assert.Len(t, requests, 2, "the listing and the project's state: %v", requests)
	assert.Len(t, w.kept(key), 1)
}

func TestWithoutAnEndpointTheWholeProjectIsLookedAtByItsKey(t *testing.T) {
	t.Parallel()
	w, key := withoutEndpoint(t)
	w.reconcile(Key{Project: key.Project})
	assert.Equal(t, proven, w.backups(key))
}

func TestBlobsThatAreNoExportsAreLeftAlone(t *testing.T) {
	t.Parallel()
	w, key := withoutEndpoint(t)
	for _, name := range []string{"readme.txt", "CustomVision-TestPermission/x", "a - b.ONNX", w.blob(key, "ONNX") + ".bak", key.Project + "/" + key.Iteration + ".ONNX"} {
		w.write(w.Containers.Models, name, []byte("not ours"))
	}
	assert.Equal(t, 1, w.sweep())
	assert.Len(t, w.kept(Key{}), 1)
}

func TestWithoutAnEndpointADamagedBlobIsGivenUpOnce(t *testing.T) {
	t.Parallel()
	w, key := withoutEndpoint(t)
	data := w.read(w.Containers.Models, w.blob(key, "ONNX"))
	data[len(data)/2] ^= 1
	w.write(w.Containers.Models, w.blob(key, "ONNX"), data)
	w.sweep()
	assert.Len(t, w.kept(key), 2, "with the same bytes, which proves that the blob itself is damaged")
	assert.Equal(t, map[string]archive.Verdict{"ONNX": archive.Damaged}, w.backups(key))
	requests := w.line.During(func() { w.sweep() })
	assert.Len(t, requests, 2, "the listing and the project's state: %v", requests)
}

func TestOneBlobThatCannotBeArchivedDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	w, key := withoutEndpoint(t)
	w.write(w.Containers.Models, w.blob(key, "CoreML"), []byte("no model"))
	w.sweep()
	assert.Equal(t, map[string]archive.Verdict{"ONNX": archive.Proven, "CoreML": archive.Damaged}, w.backups(key))
}

func TestAMissingModelContainerIsNamed(t *testing.T) {
	t.Parallel()
	w, key := withoutEndpoint(t)
	_, err := w.Containers.Models.Delete(t.Context(), nil)
	require.NoError(t, err)
	_, err = New(w.options).Reconcile(t.Context(), Request{Key: key})
	assert.ErrorContains(t, err, "MODEL_CONTAINER")
}
