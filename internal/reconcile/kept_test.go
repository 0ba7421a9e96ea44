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
	"visionkeeper/internal/state"
)

// remove deletes an export's blob from the model container.
func (w *app) remove(key Key, platform string) {
	w.t.Helper()
	_, err := w.Containers.Models.NewBlobClient(w.blob(key, platform)).Delete(w.t.Context(), nil)
	require.NoError(w.t, err)
}

// The proof waits for a fact, and when that comes the source is gone: what is safe in the
// archive is proven by itself.
func TestACopyThatWaitsForItsFactsIsProvenWithoutItsSource(t *testing.T) {
	t.Parallel()
	for name, gone := range map[string]func(*app, Key){
		"its blob and its link": func(w *app, key Key) { w.remove(key, "ONNX"); w.Service.OmitLinks(forDays) },
		"its blob, and its link is dead": func(w *app, key Key) {
			w.remove(key, "ONNX")
			w.Service.ExpireLinks(forDays)
		},
		"its blob rests": func(w *app, key Key) { w.tier(w.blob(key, "ONNX"), "Archive"); w.Service.OmitLinks(forDays) },
		"the iteration and its blob": func(w *app, key Key) {
			w.remove(key, "ONNX")
			require.NoError(w.t, w.Client.DeleteIteration(w.t.Context(), key.Project, key.Iteration))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "")
			key := w.trained()
			w.export(key, "ONNX")
			require.NoError(t, w.Service.FaultCalls("GetTags", 1, emulator.CallFault{Status: 403}))
			w.try(key)
			require.Equal(t, map[string]archive.Verdict{"ONNX": ""}, w.backups(key), "copied, and not proven")
			gone(w, key)
			w.Service.Advance(time.Hour)
			w.sweep()
			require.Equal(t, proven, w.backups(key))
			assert.Equal(t, "General (compact)", w.proofs(key)[0].Domain.Name)
			assert.Empty(t, w.Remembered(key.Project).Conditions)
		})
	}
}

// forDays is a count of faults that nothing uses up.
const forDays = 1_000_000

func TestACopyOfAnIterationThatIsGoneWaitsForTheArchive(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	key := w.trained()
	w.export(key, "ONNX")
	require.NoError(t, w.Service.FaultCalls("GetTags", 1, emulator.CallFault{Status: 403}))
	w.try(key)
	w.remove(key, "ONNX")
	require.NoError(t, w.Client.DeleteIteration(t.Context(), key.Project, key.Iteration))
	proofs := func(req *http.Request) bool {
		return req.Method == http.MethodPut && strings.HasSuffix(req.URL.Path, ".proven.json")
	}
	w.line.While(world.On(proofs, world.Refuse(403)), func() { w.sweepAnyhow() })
	require.Equal(t, map[string]archive.Verdict{"ONNX": ""}, w.backups(key))
	w.sweep()
	assert.Equal(t, proven, w.backups(key))
	assert.Empty(t, w.Remembered(key.Project).Conditions)
}

// Nothing showed whose the bytes are when they were copied, since there was no endpoint.
// The list shows it later, and by then the blob is gone.
func TestAnUnidentifiedCopyIsJudgedByWhatIsKnownLater(t *testing.T) {
	t.Parallel()
	for name, source := range map[string]func(*app, Key){
		"its blob is gone":        func(w *app, key Key) { w.remove(key, "CoreML") },
		"its blob is still there": func(*app, Key) {},
		"its blob was copied over": func(w *app, key Key) {
			w.write(w.Containers.Models, w.blob(key, "CoreML"), w.read(w.Containers.Models, w.blob(key, "CoreML")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "", answering(emulator.CoreMLPackage, "mlmodel"), answering(emulator.DownloadURI, "container"))
			w.overLine()
			key := w.trained()
			w.export(key, "CoreML")
			service := w.options.Service
			w.options.Service = nil
			w.sweep()
			require.Equal(t, map[string]archive.Verdict{"CoreML": archive.Unidentified}, w.backups(key))
			source(w, key)
			w.options.Service = service
			w.Service.OmitLinks(forDays)
			w.Service.Advance(time.Hour)
			w.sweep()
			assert.Equal(t, archive.Intact, w.best(key, "CoreML"))
			assert.Len(t, w.kept(key), 1, "no second copy")
			proof := w.proofs(key)[0]
			assert.Equal(t, archive.OnlyCandidate, proof.Source.Certainty)
			assert.Empty(t, w.Remembered(key.Project).Conditions)
		})
	}
}

// A rival keeps a copy from being judged, until it is gone.
func TestAnUnidentifiedCopyIsJudgedOnceItsRivalIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "", answering(emulator.ManifestFlavor, "null"), answering(emulator.DownloadURI, "container"))
	w.overLine()
	key := w.trained()
	w.export(key, "ONNX")
	underway := w.lists("/export", func(list []map[string]any) []map[string]any {
		return append(list, map[string]any{"platform": "ONNX", "flavor": "ONNX12", "status": "Exporting", "downloadUri": nil})
	})
	w.line.Use(underway)
	w.sweep()
	require.Equal(t, state.Ambiguous, w.condition(key, "ONNX").Code)
	require.NotContains(t, w.backups(key), "ONNX", "the bytes are kept as those that they may be")
	require.Equal(t, archive.Unidentified, w.best(key, "ONNX.ONNX12"))
	w.line.Use(nil) // the rival has failed
	w.Service.Advance(time.Hour)
	w.sweep()
	assert.Equal(t, archive.Proven, w.best(key, "ONNX"))
}

// A copy seems damaged, and there is no time for another: the blob is still good.
func TestADamagedCopySaysNothingOfItsBlob(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "", answering(emulator.DownloadURI, "container"))
	key := w.trained()
	w.export(key, "ONNX")
	reads := 0
	archives := func(req *http.Request) bool {
		return req.Method == http.MethodGet && strings.Contains(req.URL.Path, "/"+w.Names.Archive+"/")
	}
	w.line.Use(world.On(archives, func(req *http.Request, send world.Send) (*http.Response, error) {
		if reads++; reads == 2 { // both alike: else it is taken for spoilt on its way
			w.line.Use(world.On(ending("/"+w.Names.Archive), world.Refuse(403)))
		}
		return world.Spoil(func(body []byte) []byte {
			body[60] ^= 1
			return body
		})(req, send)
	}))
	_, err := w.try(key)
	require.Error(t, err)
	require.Equal(t, archive.Damaged, w.best(key, "ONNX"))
	w.line.Use(nil)
	w.Service.Advance(time.Hour)
	w.sweep()
	assert.Equal(t, archive.Proven, w.best(key, "ONNX"))
	assert.Empty(t, w.Remembered(key.Project).Conditions)
}

// What was certain when it was copied needs no second look at its source.
func TestACopyThatWaitsForItsFactsIsProvenWithoutReadingItsSource(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	key := w.trained()
	w.export(key, "ONNX")
	require.NoError(t, w.Service.FaultCalls("GetTags", 1, emulator.CallFault{Status: 403}))
	w.try(key)
	for _, r := range w.line.During(func() { w.reconcile(key) }) {
		assert.NotContains(t, r.URL.Path, w.Names.Models+"/", "%s", r)
		assert.False(t, world.Copies(r.Request), "%s", r)
	}
	assert.Equal(t, proven, w.backups(key))
}

// A copy that waits for its proof is an export that isn't proven, whatever can't be seen
// meanwhile and wherever its bytes came from. It is said when it is tried, not with each
// sweep.
func TestACopyThatWaitsIsCountedAndSaidSeldom(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(*app) Key{
		"from the container": (*app).trained,
		"by its link alone":  (*app).unconnected,
	} {
		for outage, path := range map[string]func(Key) string{
			"the facts alone": func(Key) string { return "/performance" },
			"the exports":     func(Key) string { return "/export" },
			"the iterations":  func(k Key) string { return k.Project + "/iterations" },
		} {
			t.Run(name+", and "+outage, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, "")
				w.overLine()
				key := begin(w)
				w.export(key, "ONNX")
				facts := w.outage(403, "/performance")
				w.line.While(facts, func() { assert.Equal(t, 1, w.sweepAnyhow().Unproven) })
				require.Equal(t, map[string]archive.Verdict{"ONNX": ""}, w.backups(key))
				assert.Equal(t, state.Copied, w.condition(key, "ONNX").Code)
				ctx, log := logged(t)
				w.line.While(chainOf(facts, w.outage(400, path(key))), func() {
					for range 6 {
						w.Service.Advance(15 * time.Minute)
						swept, _ := New(w.options).Sweep(ctx, Before{})
						assert.Equal(t, 1, swept.Unproven)
					}
				})
				assert.NotContains(t, log.String(), said[Backup])
				assert.LessOrEqual(t, strings.Count(log.String(), `"copied"`), 3, "by its pauses")
				w.sweepAnyhow()
				w.Service.Advance(time.Hour)
				assert.Zero(t, w.sweepAnyhow().Counts)
				assert.Equal(t, proven, w.backups(key))
			})
		}
	}
}

// The whole project is deleted while copies of it wait for their proof, and no blob of it
// is left.
func TestCopiesOfAProjectThatIsGoneAreProven(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		connected bool
		outage    func(Key) string
	}{
		"which waited for facts":                   {true, func(Key) string { return "/performance" }},
		"which waited for facts, and had a link":   {false, func(Key) string { return "/performance" }},
		"of which the iterations were never shown": {true, func(k Key) string { return k.Project + "/iterations" }},
		"of which the exports were never shown":    {true, func(Key) string { return "/export" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "", answering(emulator.CoreMLPackage, "mlmodel"))
			w.overLine()
			begin := (*app).unconnected
			if c.connected {
				begin = (*app).trained
			}
			key := begin(w)
			w.export(key, "CoreML")
			w.line.While(w.outage(400, c.outage(key)), func() { w.sweepAnyhow() })
			require.Equal(t, map[string]archive.Verdict{"CoreML": ""}, w.backups(key))
			if c.connected {
				w.remove(key, "CoreML")
			}
			require.NoError(t, w.Client.DeleteProject(t.Context(), key.Project))
			for range 3 {
				w.Service.Advance(24 * time.Hour)
				w.sweepAnyhow()
			}
			assert.NotEqual(t, archive.Verdict(""), w.best(key, "CoreML"))
			assert.Empty(t, w.Remembered(key.Project).Conditions)
			assert.Empty(t, w.Remembered(key.Project).Iterations)
		})
	}
}
