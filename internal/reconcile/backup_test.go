package reconcile

import (
	"archive/zip"
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

const twoFlavors = `{"projects":[{"project":"*","exports":["ONNX","ONNX.ONNXFloat16"]}]}`

// origins are where the archive's packages came from, by name.
func (w *app) origins(key Key) map[string]string {
	w.t.Helper()
	kinds := map[string]string{}
	for _, b := range w.kept(key) {
		kinds[b.Key.String()] = b.Origin.Kind
	}
	return kinds
}

// unconnected is a new project without a container, with one trained iteration.
func (w *app) unconnected() Key {
	w.t.Helper()
	project := w.Create(customvision.CreateProjectOptions{}).ID
	return Key{Project: project, Iteration: w.Train(project).ID}
}

func plain(id string) string { return strings.ReplaceAll(id, "-", "") }

// packages is where the service keeps its own packages of a project.
func (w *app) packages(project string) *container.Client {
	w.t.Helper()
	return w.Provider.Blobs(nil).NewContainerClient("m-" + plain(project))
}

func (w *app) read(c *container.Client, blob string) []byte {
	w.t.Helper()
	answer, err := c.NewBlobClient(blob).DownloadStream(w.t.Context(), nil)
	require.NoError(w.t, err)
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	require.NoError(w.t, err)
	return data
}

func (w *app) write(c *container.Client, blob string, data []byte) {
	w.t.Helper()
	_, err := c.NewBlockBlobClient(blob).UploadBuffer(w.t.Context(), data, nil)
	require.NoError(w.t, err)
}

func (w *app) blob(key Key, platform string) string {
	return customvision.BlobName(key.Project, key.Iteration, platform)
}

func TestTwoFlavorsOfAPlatformAreKeptUnderTheirOwnNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoFlavors)
	key := w.trained()
	w.settle(key)
	assert.Equal(t, map[string]archive.Verdict{"ONNX": archive.Proven, "ONNX.ONNXFloat16": archive.Proven}, w.backups(key))
	assert.Equal(t, map[string]string{"ONNX": archive.FromContainer, "ONNX.ONNXFloat16": archive.FromContainer}, w.origins(key),
		"each before the next took its place")
	kept := w.kept(key)
	require.Len(t, kept, 2)
	assert.NotEqual(t, kept[0].ContentID, kept[1].ContentID)
	assert.Equal(t, 2, w.Service.Counts()["ExportIteration"])
}

func TestAnOverwrittenFlavorComesFromItsOwnLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	key := w.trained()
	w.export(key, "ONNX")
	w.export(key, "ONNX.ONNX12") // in the portal, both before we looked
	w.settle(key)
	assert.Equal(t, map[string]archive.Verdict{"ONNX": archive.Proven, "ONNX.ONNX12": archive.Proven}, w.backups(key))
	assert.Equal(t, map[string]string{"ONNX": archive.FromDownload, "ONNX.ONNX12": archive.FromContainer}, w.origins(key))
}

func TestAnExportWhoseBytesAreGoneIsSaidToBeOverwritten(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		link  string
		spoil func(*app, Key)
	}{
		"its link leads into the container": {"container", func(*app, Key) {}},
		"its link gives the other's bytes": {"service", func(w *app, key Key) {
			w.write(w.packages(key.Project), plain(key.Iteration)+".ONNX.zip", w.read(w.Containers.Models, w.blob(key, "ONNX")))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "", answering(emulator.DownloadURI, c.link))
			key := w.trained()
			w.export(key, "ONNX")
			w.export(key, "ONNX.ONNX12")
			c.spoil(w, key)
			done := w.settle(key)
			assert.Contains(t, done, "postpone ONNX")
			assert.NotContains(t, done, "backup ONNX")
			assert.Equal(t, map[string]archive.Verdict{"ONNX.ONNX12": archive.Proven}, w.backups(key))
			assert.Contains(t, w.condition(key, "ONNX").Why, "overwritten: ")
		})
	}
}

func TestWhatTheManifestLeavesOpenIsSureByItsLink(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		question emulator.Question
		answer   string
		export   string
		want     archive.Verdict
	}{
		"a bare Core ML model":            {emulator.CoreMLPackage, "mlmodel", "CoreML", archive.Intact},
		"a manifest without flavor":       {emulator.ManifestFlavor, "null", "ONNX.ONNX12", archive.Proven},
		"the default by another name":     {emulator.ManifestFlavor, "named", "ONNX", archive.Proven},
		"names without hyphens":           {emulator.BlobNames, "compact", "ONNX", archive.Proven},
		"a link that leads to the blob":   {emulator.DownloadURI, "container", "ONNX", archive.Proven},
		"a flavor that nobody documented": {emulator.UnlistedFlavors, "accepted", "TensorFlow.TensorFlowJs", archive.Intact},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, `{"projects":[{"project":"*","exports":["`+c.export+`"]}]}`, answering(c.question, c.answer))
			key := w.trained()
			w.settle(key)
			assert.Equal(t, map[string]archive.Verdict{c.export: c.want}, w.backups(key))
		})
	}
}

func TestALinkIntoTheContainerMakesItsBlobSure(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","exports":["CoreML"]}]}`,
		answering(emulator.DownloadURI, "container"), answering(emulator.CoreMLPackage, "mlmodel"))
	key := w.trained()
	w.settle(key)
	assert.Equal(t, map[string]archive.Verdict{"CoreML": archive.Intact}, w.backups(key))
}

func TestAnExportOlderThanTheContainerComesFromItsLink(t *testing.T) {
	t.Parallel()
	for link, kind := range map[string]string{"service": archive.FromDownload, "relative": archive.FromArtifact} {
		t.Run(link, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "", answering(emulator.DownloadURI, link))
			key := w.unconnected()
			w.export(key, "ONNX")
			w.settle(key)
			assert.Equal(t, proven, w.backups(key))
			assert.Equal(t, map[string]string{"ONNX": kind}, w.origins(key))
		})
	}
}

func TestALinkToAForeignHostIsNotFollowed(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	foreign := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(foreign.Close)
	w := newWorld(t, "", func(o *emulator.Options) { o.URL = foreign.URL })
	key := w.unconnected()
	w.export(key, "ONNX")

	ctx, log := logged(t)
	report, err := New(w.options).Reconcile(ctx, Request{Key: key})
	require.NoError(t, err)
	assert.Equal(t, []string{"describe", "postpone ONNX", "settle"}, steps(report.Done))
	assert.Contains(t, report.Done[1].Why, "its download link is not followed")
	assert.Zero(t, asked.Load())
	assert.NotContains(t, log.String(), "sig=", "the link is a secret")
	assert.Empty(t, w.kept(key))
}

func TestACopyOfUnsureOriginIsMadeSure(t *testing.T) {
	t.Parallel()
	for name, entries := range map[string]func(Key) map[string]string{
		"it has no manifest": func(Key) map[string]string { return map[string]string{"model.onnx": "x"} },
		"its entries are odd": func(key Key) map[string]string {
			return map[string]string{"cvexport.manifest": `{"Platform":"ONNX","IterationId":"` + key.Iteration + `"}`, "../model.onnx": "x"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "")
			key := w.trained()
			w.export(key, "ONNX")
			w.write(w.Containers.Models, w.blob(key, "ONNX"), packed(t, entries(key)))

			service := w.options.Service
			w.options.Service = nil
			w.reconcile(key)
			require.Equal(t, map[string]archive.Verdict{"ONNX": archive.Unidentified}, w.backups(key))

			w.options.Service = service // the endpoint is set at last
			w.settle(key)
			verdicts := map[archive.Verdict]string{}
			for _, b := range w.kept(key) {
				verdicts[b.Verdict] = b.Origin.Kind
			}
			assert.Equal(t, map[archive.Verdict]string{archive.Unidentified: archive.FromContainer, archive.Proven: archive.FromDownload}, verdicts)
		})
	}
}

// packed is a zip of these entries.
func packed(t *testing.T, entries map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range entries {
		entry, err := z.Create(name)
		require.NoError(t, err)
		_, err = io.WriteString(entry, content)
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return b.Bytes()
}

func TestADamagedPackageIsCopiedTwiceAndGivenUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	key := w.unconnected()
	w.export(key, "ONNX")
	name := plain(key.Iteration) + ".ONNX.zip"
	data := w.read(w.packages(key.Project), name)
	data[len(data)/2] ^= 1 // in the model
	w.write(w.packages(key.Project), name, data)

	assert.Equal(t, []string{"describe", "postpone ONNX", "settle"}, w.settle(key))
	assert.Equal(t, map[string]archive.Verdict{"ONNX": archive.Damaged}, w.backups(key))
	assert.Len(t, w.kept(key), 2, "no byte is thrown away")
	w.later()
	assert.Len(t, w.kept(key), 2, "two copies with the same bytes prove that what the link gives is damaged: no third is made")

	data[len(data)/2] ^= 1
	w.write(w.packages(key.Project), name, data)
	w.hadAtLast(key, "ONNX")
}

// hadAtLast checks that an export is proven once its condition's time has come.
func (w *app) hadAtLast(key Key, name string) {
	w.t.Helper()
	w.Service.Advance(w.condition(key, name).Next.Sub(w.Service.Now()) + time.Second)
	w.sweep()
	assert.Equal(w.t, archive.Proven, w.best(key, name))
	assert.Empty(w.t, w.Remembered(key.Project).Conditions)
}

// What a link gave proves nothing about what it gives the next time.
func TestAPageInPlaceOfAPackageIsNotTheEnd(t *testing.T) {
	t.Parallel()
	page := []byte("<html>gone</html>")
	for link, spoil := range map[string]func(*app, Key) (mend func()){
		"service": func(w *app, key Key) func() {
			name := plain(key.Iteration) + ".ONNX.zip"
			data := w.read(w.packages(key.Project), name)
			w.write(w.packages(key.Project), name, page)
			return func() { w.write(w.packages(key.Project), name, data) }
		},
		"relative": func(w *app, key Key) func() {
			w.line.Use(world.On(ending("/artifacts"), func(req *http.Request, _ world.Send) (*http.Response, error) {
				return world.Answer(req, 200, http.Header{}, page), nil
			}))
			return func() { w.line.Use(nil) }
		},
	} {
		t.Run(link, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "", answering(emulator.DownloadURI, link))
			w.overLine()
			key := w.unconnected()
			w.export(key, "ONNX")
			mend := spoil(w, key)
			w.settle(key)
			c := w.condition(key, "ONNX")
			require.Equal(t, state.Damaged, c.Code)
			assert.False(t, c.Final())
			assert.True(t, c.Next.After(w.Service.Now()))
			w.later()
			assert.LessOrEqual(t, len(w.kept(key)), 2, "the same bytes aren't kept a third time")
			assert.Greater(t, w.condition(key, "ONNX").Next.Sub(w.Service.Now()), 2*24*time.Hour, "the pauses grow")
			mend()
			w.hadAtLast(key, "ONNX")
		})
	}
}

// The blob itself is damaged, and no link gives other bytes: that is final for this
// version of the blob and for this entry in the list, and for no other.
func TestADamagedBlobIsFinalForItsVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "", answering(emulator.DownloadURI, "container"))
	w.overLine()
	key := w.trained()
	w.export(key, "ONNX")
	good := w.read(w.Containers.Models, w.blob(key, "ONNX"))
	bad := bytes.Clone(good)
	bad[len(bad)/2] ^= 1
	w.write(w.Containers.Models, w.blob(key, "ONNX"), bad)
	w.settle(key)
	c := w.condition(key, "ONNX")
	require.Equal(t, state.Damaged, c.Code)
	require.True(t, c.Final())
	w.later()
	assert.Equal(t, c.Attempts, w.condition(key, "ONNX").Attempts)
	assert.Len(t, w.kept(key), 2)

	w.line.While(w.lists("/export", each(func(e map[string]any) { e["newerVersionAvailable"] = true })), func() { w.reconcile(key) })
	assert.Equal(t, c.Attempts+1, w.condition(key, "ONNX").Attempts, "another entry is looked at")
	w.write(w.Containers.Models, w.blob(key, "ONNX"), good)
	w.sweep()
	assert.Equal(t, archive.Proven, w.best(key, "ONNX"), "and another version")
	assert.Empty(t, w.Remembered(key.Project).Conditions)
}

// What was overwritten may be exported again.
func TestAnOverwrittenExportThatIsMadeAgainIsArchived(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]func(*app, Key, []byte){
		"the blob is written anew": func(w *app, key Key, good []byte) {
			w.write(w.Containers.Models, w.blob(key, "ONNX"), good)
		},
		"the service lists it as underway, and a message comes": func(w *app, key Key, good []byte) {
			w.line.While(w.lists("/export", each(func(e map[string]any) {
				if e["flavor"] == nil {
					e["status"], e["downloadUri"] = "Exporting", nil
				}
			})), func() { w.reconcile(key) })
			w.write(w.Containers.Models, w.blob(key, "ONNX"), good)
			w.reconcile(key)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "", answering(emulator.DownloadURI, "container"))
			w.overLine()
			key := w.trained()
			w.export(key, "ONNX")
			good := w.read(w.Containers.Models, w.blob(key, "ONNX"))
			w.export(key, "ONNX.ONNX12")
			w.settle(key)
			c := w.condition(key, "ONNX")
			require.Equal(t, state.Overwritten, c.Code)
			require.True(t, c.Final())
			again(w, key, good)
			w.sweep()
			assert.Equal(t, map[string]archive.Verdict{"ONNX": archive.Proven, "ONNX.ONNX12": archive.Proven}, w.backups(key))
			assert.Empty(t, w.condition(key, "ONNX").Code)
		})
	}
}

func TestAPackageThatIsTooLargeIsGivenUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.options.Archive = archive.Open(w.Archives.Blobs(nil), w.Names.Archive, archive.Options{MaxSize: 1000})
	key := w.trained()
	w.export(key, "ONNX")
	assert.Equal(t, []string{"describe", "postpone ONNX", "settle"}, w.settle(key))
	assert.Contains(t, w.condition(key, "ONNX").Why, "larger than the archive takes")
}

func TestAProofTellsWhatTheServiceKnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	key := w.trained()
	w.settle(key)
	proof, err := w.options.Archive.Proof(t.Context(), w.kept(key)[0])
	require.NoError(t, err)
	assert.Equal(t, "Iteration 1", proof.IterationName)
	assert.NotEmpty(t, proof.ProjectName)
	assert.Equal(t, archive.Domain{ID: world.Compact, Name: "General (compact)", Type: "Classification"}, proof.Domain)
	assert.Equal(t, "Multilabel", proof.ClassificationType)
	assert.NotNil(t, proof.TrainedAt)
	assert.Contains(t, string(proof.Performance), `"threshold":0.5`)
}

func TestAProofIsWrittenThoughTheServiceTellsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	key := w.trained()
	for _, operation := range []string{"GetDomain", "GetTags", "GetIterationPerformance"} {
		require.NoError(t, w.Service.FaultCalls(operation, 1, emulator.CallFault{Status: 404}))
	}
	w.settle(key)
	assert.Equal(t, proven, w.backups(key))
}
