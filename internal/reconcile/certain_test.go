package reconcile

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/state"
	"visionkeeper/internal/storage"
)

// An address that belongs to two exports says of neither what it gives.
func TestALinkThatTwoExportsShareIsNoAddressOfTheirOwn(t *testing.T) {
	t.Parallel()
	for manifests, want := range map[string]map[string]archive.Verdict{
		"as-asked": {"ONNX.ONNX12": archive.Proven},
		"null":     {},
	} {
		t.Run(manifests, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "", answering(emulator.ManifestFlavor, manifests))
			w.overLine()
			key := w.unconnected()
			w.export(key, "ONNX")
			w.export(key, "ONNX.ONNX12")
			w.line.While(w.lists("/export", func(list []map[string]any) []map[string]any {
				for _, e := range list {
					// another signature, another case, and the port written: still the same address
					link := strings.Replace(list[1]["downloadUri"].(string), "127.0.0.1", "LOCALHOST", 1)
					if e["flavor"] == nil {
						e["downloadUri"] = link + "&other=signature"
					}
				}
				return list
			}), func() { w.settle(key) })
			assert.Equal(t, want, w.backups(key))
			assert.Contains(t, []state.Code{state.Ambiguous, state.Overwritten}, w.condition(key, "ONNX").Code)
			assert.False(t, w.condition(key, "ONNX").Final(), "its own link may come")
			w.Service.Advance(time.Hour)
			w.sweep()
			assert.Equal(t, map[string]archive.Verdict{"ONNX": archive.Proven, "ONNX.ONNX12": archive.Proven}, w.backups(key))
		})
	}
}

// The project's settings call the model container by a name that the app doesn't know it
// by: what its links there give is what lies in the container.
func TestALinkIntoTheProjectsOwnContainerIsNoAddressOfItsOwn(t *testing.T) {
	t.Parallel()
	const alias = "https://customer.z01.blob.core.windows.net/models"
	w := newWorld(t, "")
	w.overLine()
	key := w.trained()
	w.export(key, "ONNX")
	w.export(key, "ONNX.ONNX12")
	named := func(p map[string]any) {
		p["settings"].(map[string]any)["exportModelContainerUri"] = alias + "?sig=secret"
	}
	linked := func(e map[string]any) {
		e["downloadUri"] = strings.Replace(alias, "customer", "CUSTOMER", 1) + "/" + w.blob(key, "ONNX") + "?sig=secret"
	}
	var asked []string
	w.line.Use(chainOf(w.lists("/projects", each(named)), w.lists("/export", each(linked))))
	for _, r := range w.line.During(func() { w.sweep() }) {
		asked = append(asked, r.URL.Host)
	}
	assert.NotContains(t, slices.Collect(maps.Keys(counted(asked))), "customer.z01.blob.core.windows.net")
	assert.Equal(t, map[string]archive.Verdict{"ONNX.ONNX12": archive.Proven}, w.backups(key))
	assert.Equal(t, state.Overwritten, w.condition(key, "ONNX").Code)
	assert.NotContains(t, w.Remembered(key.Project).ContainerURI, "secret")
	w.line.Use(chainOf(w.lists("/export", each(linked))))
	w.reconcile(key) // a message: the project isn't asked again
	assert.Equal(t, state.Overwritten, w.condition(key, "ONNX").Code)
}

func counted(list []string) map[string]int {
	n := map[string]int{}
	for _, s := range list {
		n[strings.ToLower(s)]++
	}
	return n
}

// A blob that the app may not read is read by its export's link that leads to it, and
// recorded as the blob that it is.
func TestABlobIsReadByTheLinkThatLeadsToIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "", answering(emulator.DownloadURI, "container"))
	w.overLine()
	key := w.trained()
	w.export(key, "ONNX")
	link, err := storage.NewSigner(w.Customer.Account, w.Customer.Blobs(nil)).ReadURL(t.Context(), w.Names.Models, w.blob(key, "ONNX"), time.Hour)
	require.NoError(t, err)
	w.line.Use(chainOf(w.refusing(key, 403, "AuthorizationPermissionMismatch", 0), w.lists("/export", each(func(e map[string]any) { e["downloadUri"] = link }))))
	w.sweep()
	assert.Equal(t, proven, w.backups(key))
	assert.Equal(t, map[string]string{"ONNX": archive.FromContainer}, w.origins(key))
	w.loseState(key.Project)
	w.sweep()
	assert.Len(t, w.kept(key), 1)
}

// What nothing can be stored under may have overwritten the blob all the same.
func TestAnExportThatCanNotBeNamedIsARival(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "", answering(emulator.ManifestFlavor, "null"), answering(emulator.DownloadURI, "container"))
	w.overLine()
	key := w.trained()
	w.export(key, "ONNX")
	w.line.While(w.lists("/export", func(list []map[string]any) []map[string]any {
		return append(list, map[string]any{"platform": "onnx", "flavor": "FP16/NHWC", "status": "Done", "downloadUri": nil})
	}), func() { w.settle(key) })
	assert.Empty(t, w.backups(key))
	assert.Equal(t, state.Ambiguous, w.condition(key, "ONNX").Code)
	w.Service.Advance(time.Hour)
	w.sweep()
	assert.Equal(t, archive.Proven, w.best(key, "ONNX"))
}

// The rival's dead link is no reason to take its bytes for ours, however long it is dead.
func TestARivalsDeadLinkProvesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.overLine()
	key := w.unconnected()
	w.export(key, "ONNX")
	w.export(key, "ONNX.ONNX12")
	name := plain(key.Iteration) + ".ONNX"
	own := w.read(w.packages(key.Project), name+".zip")
	w.write(w.packages(key.Project), name+".zip", w.read(w.packages(key.Project), name+".ONNX12.zip"))
	w.line.Use(w.lists("/export", each(func(e map[string]any) {
		if e["flavor"] != nil {
			e["downloadUri"] = strings.Replace(e["downloadUri"].(string), "ONNX12.zip", "gone.zip", 1)
		}
	})))
	w.later()
	assert.NotEqual(t, archive.Proven, w.best(key, "ONNX"))
	assert.Equal(t, state.Ambiguous, w.condition(key, "ONNX").Code)
	w.line.Use(nil)
	w.write(w.packages(key.Project), name+".zip", own)
	w.Service.Advance(8 * 24 * time.Hour)
	w.sweep()
	assert.Equal(t, archive.Proven, w.best(key, "ONNX"))
	assert.Equal(t, archive.Proven, w.best(key, "ONNX.ONNX12"))
}

// Of two entries that are done the one with a link that can be followed is used.
func TestOfTwoDoneEntriesOfOneExportTheOneWithALinkIsUsed(t *testing.T) {
	t.Parallel()
	for name, other := range map[string]any{"no link": nil, "an empty link": "", "a link to elsewhere": "https://elsewhere.example/a.zip", "no URL": "://"} {
		for _, first := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, "")
				w.overLine()
				key := w.unconnected()
				w.export(key, "ONNX")
				w.line.Use(w.lists("/export", func(list []map[string]any) []map[string]any {
					second := maps.Clone(list[0])
					second["downloadUri"] = other
					if first {
						return []map[string]any{second, list[0]}
					}
					return append(list, second)
				}))
				w.settle(key)
				assert.Equal(t, proven, w.backups(key))
			})
		}
	}
}
