package reconcile

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
)

// proofs are the archive's proofs of a key's packages.
func (w *app) proofs(key Key) []archive.Proof {
	w.t.Helper()
	var all []archive.Proof
	for _, b := range w.kept(key) {
		if p, err := w.Archive.Proof(w.t.Context(), b); err == nil {
			all = append(all, p)
		}
	}
	return all
}

// One question of the three has no answer yet: the bytes are safe at once, the proof
// is written when it is answered, and what was answered isn't asked again.
func TestBytesAreCopiedAtOnceAndTheProofWaitsForItsFacts(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{"GetDomain", "GetTags", "GetIterationPerformance"} {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "")
			key := w.trained()
			w.export(key, "ONNX")
			require.NoError(t, w.Service.FaultCalls(operation, 1, emulator.CallFault{Status: 403}))
			calls := w.calls(func() {
				_, err := w.try(key)
				assert.Error(t, err)
			})
			assert.Equal(t, 1, calls[operation])
			assert.Equal(t, map[string]archive.Verdict{"ONNX": ""}, w.backups(key), "copied, and not proven")
			copies := w.copies()

			calls = w.calls(func() { w.reconcile(key) })
			delete(calls, "GetIterations")
			delete(calls, "GetExports")
			assert.Equal(t, map[string]int{operation: 1}, calls, "each for itself")
			require.Equal(t, proven, w.backups(key))
			proof := w.proofs(key)[0]
			assert.Equal(t, "General (compact)", proof.Domain.Name)
			assert.NotEmpty(t, proof.Performance)
			require.Len(t, w.kept(key), 1)
			assert.LessOrEqual(t, w.copies(), copies+1, "the name is taken, so the copy costs no bytes")
		})
	}
}

func TestAProofIsADayLateAtMost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	key := w.trained()
	w.export(key, "ONNX")
	require.NoError(t, w.Service.FaultCalls("GetTags", 100, emulator.CallFault{Status: 403}))
	w.try(key)
	w.Service.Advance(factsLate - time.Minute)
	w.try(key)
	require.Equal(t, map[string]archive.Verdict{"ONNX": ""}, w.backups(key))
	w.Service.Advance(2 * time.Minute)
	w.reconcile(key)
	require.Equal(t, proven, w.backups(key))
	assert.Equal(t, "General (compact)", w.proofs(key)[0].Domain.Name, "what is known is in it")
}

// The iteration is deleted before the sweep comes: what the state knows of it goes into
// the proof of its blob, however often that couldn't be copied.
func TestFactsOfADeletedIterationAreInTheProofOfItsBlob(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]int{"at once": 0, "at the second try": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "")
			key := w.trained()
			w.reconcile(key) // it is trained
			w.export(key, "ONNX")
			require.NoError(t, w.Client.DeleteIteration(t.Context(), key.Project, key.Iteration))
			archives := func(req *http.Request) bool {
				return req.Method == http.MethodPut && strings.Contains(req.URL.Path, "/"+w.Names.Archive+"/")
			}
			w.line.While(world.On(archives, world.Refuse(403)), func() {
				for range before {
					_, err := New(w.options).Sweep(t.Context(), "")
					require.Error(t, err)
				}
			})
			w.sweep()
			require.Equal(t, proven, w.backups(key))
			proof := w.proofs(key)[0]
			assert.Equal(t, "General (compact)", proof.Domain.Name)
			assert.Equal(t, "Iteration 1", proof.IterationName)
			assert.NotNil(t, proof.TrainedAt)
			assert.NotEmpty(t, proof.Performance)
			assert.NotEmpty(t, proof.ProjectName)
		})
	}
}

// So that a sweep doesn't identify them again.
func TestBytesCopiedFromTheContainerAreRecordedAsSuch(t *testing.T) {
	t.Parallel()
	for name, answers := range map[string][]func(*emulator.Options){
		"by their manifest":                  {},
		"by a link that leads to the blob":   {answering(emulator.DownloadURI, "container")},
		"by a link, and without a manifest":  {answering(emulator.DownloadURI, "container"), answering(emulator.CoreMLPackage, "mlmodel")},
		"by such a manifest as names no one": {answering(emulator.DownloadURI, "container"), answering(emulator.ManifestFlavor, "null")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "", answers...)
			key := w.trained()
			w.export(key, "CoreML")
			w.settle(key)
			require.Equal(t, map[string]string{"CoreML": archive.FromContainer}, w.origins(key))
			b := w.kept(key)[0]
			assert.NotEmpty(t, b.Origin.Certainty)
			assert.Equal(t, w.blob(key, "CoreML"), b.Origin.Name)
			requests := w.line.During(func() { w.sweep() })
			assert.Len(t, requests, 2, "the listing and the project's state: %v", requests)

			w.loseState(key.Project)
			for _, r := range w.line.During(func() { w.sweep() }) {
				assert.NotContains(t, r.URL.Path, w.Names.Models+"/", "by the archive's listing alone: %s", r)
			}
		})
	}
}

// What a package's link gives is recorded with why it is trusted.
func TestCertaintyIsRecordedBesidesTheOrigin(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	key := w.trained()
	w.export(key, "ONNX")
	w.export(key, "ONNX.ONNX12")
	w.settle(key)
	got := map[string]archive.Origin{}
	for _, b := range w.kept(key) {
		got[b.Key.String()] = archive.Origin{Kind: b.Origin.Kind, Certainty: b.Origin.Certainty}
	}
	assert.Equal(t, map[string]archive.Origin{
		"ONNX":        {Kind: archive.FromDownload, Certainty: archive.ByAddress},
		"ONNX.ONNX12": {Kind: archive.FromContainer, Certainty: archive.ByManifest},
	}, got)
}
