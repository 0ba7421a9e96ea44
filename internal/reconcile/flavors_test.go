package reconcile

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/internal/archive"
)

// Whether a manifest names the flavor that was asked for isn't documented. One
// that names none may be that of any flavor the platform was exported in.

func TestAManifestWithoutFlavorMakesNoFlavorSureWhereThereAreTwo(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*app, Key){
		"asked for by the policy": func(*app, Key) {},
		"both before the first look": func(w *app, key Key) {
			w.export(key, "ONNX")
			w.export(key, "ONNX.ONNXFloat16")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, `{"projects":[{"project":"*","exports":["ONNX","ONNX.ONNXFloat16"]}]}`, answering(emulator.ManifestFlavor, "null"))
			key := w.trained()
			prepare(w, key)
			w.settle(key)
			_, err := New(w.options).Sweep(t.Context(), Before{})
			require.NoError(t, err)

			assert.Equal(t, map[string]archive.Verdict{"ONNX": archive.Proven, "ONNX.ONNXFloat16": archive.Proven}, w.backups(key))
			require.Len(t, w.kept(key), 2, "the container's blob is one of them")
			for _, b := range w.kept(key) {
				made := w.read(w.packages(key.Project), plain(key.Iteration)+"."+b.Key.String()+".zip")
				assert.Equal(t, int64(len(made)), b.Size, b.Key)
			}
		})
	}
}

func TestWhereNothingTellsTheFlavorNothingCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "", answering(emulator.ManifestFlavor, "null"), answering(emulator.DownloadURI, "container"))
	key := w.trained()
	w.export(key, "ONNX")
	w.export(key, "ONNX.ONNXFloat16")
	w.settle(key)
	_, err := New(w.options).Sweep(t.Context(), Before{})
	require.NoError(t, err)

	kept := w.kept(key)
	require.Len(t, kept, 1, "the bytes are kept all the same")
	assert.Equal(t, archive.Unidentified, kept[0].Verdict)
	assert.Contains(t, w.condition(key, "ONNX").Why, "nothing shows")
	assert.Contains(t, w.condition(key, "ONNX.ONNXFloat16").Why, "nothing shows")
}

func TestTheDefaultByAnothersNameIsNotOverwritten(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]map[string]archive.Verdict{
		"fails":      proven, // the other one is listed as failed
		"overwrites": {"ONNX": archive.Proven, "ONNX.ONNX12": archive.Proven},
	} {
		t.Run(answer, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "", answering(emulator.ManifestFlavor, "named"), answering(emulator.SecondFlavor, answer))
			key := w.trained()
			w.export(key, "ONNX.ONNX12")
			w.export(key, "ONNX")
			if answer == "fails" {
				key = Key{Project: key.Project, Iteration: w.Train(key.Project).ID}
				w.export(key, "ONNX")
				w.export(key, "ONNX.ONNX12")
			}
			w.settle(key)
			assert.Equal(t, want, w.backups(key))
			assert.Empty(t, w.condition(key, "ONNX").Code)
		})
	}
}

func TestAnArchivedFlavorLeavesTheBlobToTheOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","exports":["ONNX","ONNX.ONNXFloat16"]}]}`,
		answering(emulator.ManifestFlavor, "null"), answering(emulator.DownloadURI, "container"))
	key := w.trained()
	w.settle(key)
	assert.Equal(t, map[string]archive.Verdict{"ONNX": archive.Proven, "ONNX.ONNXFloat16": archive.Proven}, w.backups(key))
}

func TestWhatLayInAnExportsPlaceDoesNotKeepItFromTheArchive(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*app, Key){
		"something else before": func(w *app, key Key) {
			w.write(w.Containers.Models, w.blob(key, "ONNX"), []byte("no model"))
			w.sweep()
			w.export(key, "ONNX")
		},
		"a damaged copy of it after": func(w *app, key Key) {
			w.export(key, "ONNX")
			data := w.read(w.Containers.Models, w.blob(key, "ONNX"))
			data[len(data)/2] ^= 1 // in the model
			w.write(w.Containers.Models, w.blob(key, "ONNX"), data)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "")
			key := w.trained()
			spoil(w, key)
			w.settle(key)
			verdicts := map[archive.Verdict]int{}
			for _, b := range w.kept(key) {
				verdicts[b.Verdict]++
			}
			assert.Equal(t, 1, verdicts[archive.Proven], verdicts)
			assert.NotZero(t, verdicts[archive.Damaged], "no byte is thrown away")
		})
	}
}

func TestAForeignBlobUnderTheOtherNameHidesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "", answering(emulator.BlobNames, "compact"), answering(emulator.DownloadURI, "container"))
	key := w.trained()
	w.export(key, "ONNX")
	w.write(w.Containers.Models, w.blob(key, "ONNX"), []byte("no model"))
	w.settle(key)
	assert.Equal(t, proven, w.backups(key))
}
