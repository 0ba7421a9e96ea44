package reconcile

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/state"
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

func TestAProjectsDomainIsAskedForOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	project := w.project(world.Compact)
	calls := w.calls(func() {
		for range 3 {
			key := Key{Project: project, Iteration: w.Train(project).ID}
			w.export(key, "ONNX")
			w.reconcile(key)
			require.Equal(t, proven, w.backups(key))
			assert.Equal(t, "General (compact)", w.proofs(key)[0].Domain.Name)
		}
	})
	assert.Equal(t, 3, calls["GetTags"])
	assert.Equal(t, 1, calls["GetDomain"])
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

// What the service refuses is left out of the proof that is written now, and asked for
// again: it may be in the next one. Also a refusal by a gateway may be no more than that.
func TestAFactThatIsRefusedIsAskedForAgain(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]emulator.CallFault{
		"a revoked key":          {Status: 400, Code: "BadRequestCustomerManagedKeyRevoked"},
		"the same as a 403":      {Status: 403, Code: "BadRequestCustomerManagedKeyRevoked"},
		"a quota":                {Status: 400, Code: "BadRequestExceededQuota"},
		"its own 404":            {Status: 404, Code: "NotFoundIteration"},
		"a gateway's 404":        {Status: 404, Code: "ResourceNotFound"},
		"a conflict that passes": {Status: 409, Code: "Conflict"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "")
			key := w.trained()
			w.export(key, "ONNX")
			require.NoError(t, w.Service.FaultCalls("GetIterationPerformance", 1, fault))
			w.reconcile(key)
			require.Equal(t, proven, w.backups(key))
			conditions := w.Remembered(key.Project).Conditions
			require.Len(t, conditions, 1)
			assert.Equal(t, state.Scope{Iteration: key.Iteration, Fact: "performance"}, conditions[0].Scope)
			assert.Equal(t, state.FactRefused, conditions[0].Code)
			assert.Zero(t, w.calls(func() { w.sweep() })["GetIterationPerformance"], "before the pause is over")

			w.Service.Advance(pause(*conditions[0]))
			w.export(key, "CoreML")
			w.settle(key)
			assert.Len(t, w.backups(key), 2)
			assert.Empty(t, w.Remembered(key.Project).Conditions)
			for _, p := range w.proofs(key) {
				assert.Equal(t, p.Platform == "CoreML", strings.Contains(string(p.Performance), "threshold"), p.Platform)
			}
		})
	}
}

// A refusal for good costs a call at the end of each pause, and holds up nothing.
func TestAFactThatIsRefusedForGoodHoldsUpNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	key := w.trained()
	w.export(key, "ONNX")
	require.NoError(t, w.Service.FaultCalls("GetIterationPerformance", 1_000_000, emulator.CallFault{Status: 400, Code: "BadRequestNotSupported"}))
	calls := w.calls(func() {
		for range 30 {
			w.sweep()
			w.Service.Advance(24 * time.Hour)
		}
	})
	assert.Equal(t, proven, w.backups(key))
	assert.LessOrEqual(t, calls["GetIterationPerformance"], 12, "days and weeks lie between them")
	assert.Equal(t, 1, calls["GetTags"])
	assert.NotContains(t, string(w.proofs(key)[0].Performance), "threshold")
}

// The proof was late for a day. What the service says later is in the proofs of what is
// exported later.
func TestFactsThatWereLateAreAskedForWithTheNextExport(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	key := w.trained()
	w.export(key, "CoreML")
	require.NoError(t, w.Service.FaultCalls("GetDomain", 1_000_000, emulator.CallFault{Status: 403}))
	w.try(key)
	w.Service.Advance(factsLate + time.Minute)
	w.try(key)
	require.Equal(t, map[string]archive.Verdict{"CoreML": archive.Proven}, w.backups(key))
	require.NoError(t, w.Service.FaultCalls("GetDomain", 0, emulator.CallFault{}))
	w.Service.Advance(7 * 24 * time.Hour)
	w.export(key, "ONNX")
	w.settle(key)
	for _, p := range w.proofs(key) {
		assert.Equal(t, p.Platform == "ONNX", p.Domain.Name == "General (compact)", "%s: %s", p.Platform, p.Domain.Name)
	}
	assert.Len(t, w.proofs(key), 2)
}

// manyTags answers slowly the list of tags by as many as a project may have, with names
// of a usual length in a script of three bytes a letter.
func manyTags(w *app, slow time.Duration) world.Fault {
	return world.On(ending("/tags"), func(req *http.Request, send world.Send) (*http.Response, error) {
		w.Service.Advance(slow)
		return w.lists("/tags", func([]map[string]any) []map[string]any {
			var tags []map[string]any
			for n := range 500 {
				id := fmt.Sprintf("%08x-1111-4111-8111-111111111111", n)
				tags = append(tags, map[string]any{"id": id, "name": strings.Repeat("字", 200) + fmt.Sprint(n), "type": "Regular", "imageCount": 50})
			}
			return tags
		})(req, send)
	})
}

// The state is written between the facts and the backup, and can't hold them.
func TestAnIterationWithManyFactsIsProvenByASlowService(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.overLine()
	key := w.trained()
	w.export(key, "ONNX")
	w.line.Use(manyTags(w, saveEvery))
	w.sweep()
	require.Equal(t, proven, w.backups(key))
	assert.Len(t, w.proofs(key)[0].Tags, 500)
	kept := factsOf(w.Remembered(key.Project).Iterations[key.Iteration])
	assert.Equal(t, "General (compact)", kept.Domain.Name, "what fits is kept")
	assert.True(t, kept.Tagged, "and what was answered")
	calls := w.calls(func() { w.export(key, "CoreML"); w.settle(key) })
	assert.Zero(t, calls["GetTags"])
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
					_, err := New(w.options).Sweep(t.Context(), Before{})
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
			w.sweep()
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
