package archive_test

import (
	"bytes"
	"context"
	"os"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/dev/leak"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/storage"
)

func TestMain(m *testing.M) { os.Exit(leak.Run(func() int { return azuritetest.Run(m) })) }

const (
	project   = "11111111-2222-3333-4444-555555555555"
	iteration = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
	other     = "99999999-8888-7777-6666-555555555555"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// house is an archive and a customer's model container, in two accounts of one
// Azurite, so that a copy needs a signature.
type house struct {
	*archive.Archive
	world   *world.World
	blobs   *container.Client // of the archive
	service *service.Client   // of the archive's account
	models  *container.Client // of the customer
	signer  *storage.Signer
	opts    archive.Options
}

func newHouse(t testing.TB, o archive.Options) *house {
	t.Helper()
	w := world.New(t, world.Options{})
	h := &house{
		world: w, service: w.Archives.Blobs(nil), blobs: w.Containers.Archive, models: w.Containers.Models, opts: o,
		signer: storage.NewSigner(w.Customer.Account, w.Customer.Blobs(nil)),
	}
	h.Archive = h.open(h.service)
	return h
}

// open is this house's archive through another client.
func (h *house) open(client *service.Client) *archive.Archive {
	o := h.opts
	o.Version = "test"
	if o.Now == nil {
		o.Now = func() time.Time { return noon }
	}
	return archive.Open(client, h.world.Names.Archive, o)
}

// model puts a package where Custom Vision puts it, and is the way to it.
func (h *house) model(t testing.TB, platform string, data []byte) archive.Source {
	t.Helper()
	name := project + " - " + iteration + "." + platform
	write(t, h.models, name, data)
	url, err := h.signer.ReadURL(t.Context(), h.world.Names.Models, name, time.Hour)
	require.NoError(t, err)
	return archive.Source{Kind: archive.FromContainer, Name: name, URL: url}
}

// backup does the three steps.
func (h *house) backup(t testing.TB, k archive.Key, s archive.Source) (archive.Backup, archive.Proof) {
	t.Helper()
	id, err := h.Identify(t.Context(), s)
	require.NoError(t, err)
	b, err := h.Copy(t.Context(), k, s, id)
	require.NoError(t, err)
	p, err := h.Verify(t.Context(), b, archive.Facts{})
	require.NoError(t, err)
	return b, p
}

// only is the one backup that the archive holds.
func (h *house) only(t testing.TB) archive.Backup {
	t.Helper()
	list := h.world.Backups("", "")
	require.Len(t, list, 1)
	return list[0]
}

func key(t testing.TB, platform, flavor string) archive.Key {
	t.Helper()
	k, err := archive.NewKey(project, iteration, platform, flavor)
	require.NoError(t, err)
	return k
}

func write(t testing.TB, c *container.Client, name string, data []byte) {
	t.Helper()
	note := "of the customer"
	_, err := c.NewBlockBlobClient(name).UploadBuffer(t.Context(), data, &blockblob.UploadBufferOptions{
		Metadata: map[string]*string{"note": &note},
	})
	require.NoError(t, err)
}

func download(t testing.TB, c *container.Client, name string) []byte {
	t.Helper()
	resp, err := c.NewBlobClient(name).DownloadStream(context.Background(), &blob.DownloadStreamOptions{})
	require.NoError(t, err)
	defer resp.Body.Close()
	var b bytes.Buffer
	_, err = b.ReadFrom(resp.Body)
	require.NoError(t, err)
	return b.Bytes()
}

func TestABackupFromContainerToProof(t *testing.T) {
	t.Parallel()
	h := newHouse(t, archive.Options{})
	data := pack(export{platform: "ONNX"})
	s := h.model(t, "ONNX", data)

	id, err := h.Identify(t.Context(), s)
	require.NoError(t, err)
	require.NotNil(t, id.Manifest)
	assert.True(t, id.Manifest.Is(key(t, "ONNX", "")))
	assert.EqualValues(t, len(data), id.Size)

	b, err := h.Copy(t.Context(), key(t, "ONNX", ""), s, id)
	require.NoError(t, err)
	assert.Equal(t, project+"/"+iteration+"/ONNX/"+id.ContentID+".zip", b.Blob)
	assert.Empty(t, b.Verdict)
	assert.Equal(t, b, h.only(t), "the listing tells the same as the copy")

	trained := noon.Add(-time.Hour)
	facts := archive.Facts{
		ProjectName: "Äpfel", IterationName: "Iteration 1", ClassificationType: "Multiclass", TrainedAt: &trained,
		Domain:      archive.Domain{ID: "d", Name: "General (compact)", Type: "Classification"},
		Tags:        []archive.Tag{{ID: "t", Name: "<Boskop>", Type: "Regular", ImageCount: 7}},
		Performance: []byte(`{"threshold":0.5,"precision":0.9}`), PublishedName: "live",
	}
	p, err := h.Verify(t.Context(), b, facts)
	require.NoError(t, err)
	assert.Equal(t, archive.Proven, p.Verdict, p.Note)
	assert.Equal(t, archive.Origin{Kind: archive.FromContainer, Name: s.Name, ETag: id.ETag}, p.Source)
	assert.Equal(t, noon, p.VerifiedAt)

	listed := h.only(t)
	assert.Equal(t, archive.Proven, listed.Verdict)
	assert.Equal(t, p.ETag, listed.ETag)
	read, err := h.Proof(t.Context(), listed)
	require.NoError(t, err)
	assert.JSONEq(t, string(facts.Performance), string(read.Performance))
	assert.JSONEq(t, string(p.Manifest), string(read.Manifest))
	read.Performance, read.Manifest = p.Performance, p.Manifest
	assert.Equal(t, p, read)

	var restored bytes.Buffer
	_, err = h.Restore(t.Context(), listed, &restored)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(data, restored.Bytes()))
}

func TestCheckSaysToCreateTheContainer(t *testing.T) {
	t.Parallel()
	h := newHouse(t, archive.Options{})
	require.NoError(t, h.Check(t.Context()))

	missing := archive.Open(h.service, "missing-archive", archive.Options{})
	assert.ErrorContains(t, missing.Check(t.Context()), "create it")
	_, err := h.service.NewContainerClient("missing-archive").GetProperties(t.Context(), nil)
	assert.Equal(t, 404, storage.Status(err), "it must not be created by looking")
}
