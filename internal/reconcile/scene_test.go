package reconcile_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite"
	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/dataset"
	"visionkeeper/internal/holdout"
	"visionkeeper/internal/models"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/reconcile"
	"visionkeeper/internal/state"
	"visionkeeper/internal/storage"
)

const (
	stuckAfter = 6 * time.Hour
	firstName  = "parts" // of the project
)

// scene is one project in a world whose clock stands still but for the tests, and
// a judge who watches.
type scene struct {
	*world.World
	t   world.T
	ctx context.Context

	person   *customvision.Client // past all faults and counts
	project  string
	packages *container.Client // the service's own
	judge    *judge
	policy   policy.Policy
	name     string // of the project, now
	tag      string // of its pictures; empty while there are none
	noAPI    bool   // the app has no endpoint: it archives what lands in the model container
	vanished bool   // the person has deleted the project
	answers  map[emulator.Question]string
	requests atomic.Int64 // of the machines
	hashes   map[string]string
}

// newScene makes a scene in Azurite. End it with close.
func newScene(t world.T, azure *azurite.Server, answers map[emulator.Question]string, rules policy.Policy) *scene {
	t.Helper()
	w := &scene{
		t: t, ctx: zerolog.Nop().WithContext(context.Background()), policy: rules, answers: answers, name: firstName, hashes: map[string]string{},
		World: world.New(t, world.Options{
			Still: true, Connections: azure.ConnectionString, Emulator: emulator.Options{ModelSize: 2_000, Answers: answers},
		}),
	}
	// No message reaches a queue: Messages lists them, and the test is the host.
	w.must(w.Service.FaultNotifications(1_000_000, emulator.Drop, 0))
	var err error
	w.project, err = w.Service.CreateProject(firstName, world.Compact, w.Containers.Models.URL(), w.Queue.URL())
	w.must(err)
	w.packages = w.Provider.Blobs(nil).NewContainerClient("m-" + strings.ReplaceAll(w.project, "-", ""))
	w.person = w.Open(azcore.ClientOptions{Transport: world.Send(w.callAPI)})
	w.placeHoldOut()
	w.judge = newJudge(w)
	return w
}

func (w *scene) close() {
	holdOut := w.Archives.Blobs(nil).NewContainerClient(w.Names.HoldOut)
	for _, c := range []*container.Client{holdOut, w.Containers.Models, w.Containers.Archive, w.Containers.State, w.packages} {
		c.Delete(context.Background(), nil)
	}
	w.Queue.Delete(context.Background(), nil)
}

func (w *scene) must(err error) {
	w.t.Helper()
	require.NoError(w.t, err)
}

// placeHoldOut lets the policy's hold-out set, if it has one, be the scene's own.
func (w *scene) placeHoldOut() {
	for _, r := range w.policy.Projects {
		if r.Promote != nil && r.Promote.HoldOut != "" {
			r.Promote.HoldOut = w.Names.HoldOut
			w.HoldOutPictures(2, "cup")
		}
	}
}

// options are a machine's, whose requests go over its line.
func (w *scene) options(o azcore.ClientOptions) reconcile.Options {
	api := w.Open(o)
	if w.noAPI {
		api = nil
	}
	archives := w.Archives.Blobs(&o)
	return reconcile.Options{
		Policy: w.policy, Service: api,
		Archive:   archive.Open(archives, w.Names.Archive, archive.Options{Now: w.Service.Now, Sources: o}),
		State:     state.Open(archives, w.Names.State),
		Sets:      dataset.Open(archives, w.Names.Archive, "test"),
		Models:    models.Open(w.Customer.Account, w.Customer.Blobs(&o), w.Names.Models),
		HoldOuts:  holdout.Sets{Blobs: archives},
		Downloads: reconcile.Downloads{Suffix: "blob.core.windows.net", Loopback: []string{world.Host(w.t, w.Provider.BlobURL)}},
		Times:     reconcile.Times{LookInterval: 10 * time.Second, SettledFor: 7 * 24 * time.Hour, StuckAfter: stuckAfter, IntentGrace: 2 * time.Minute},
	}
}

// blobInfo is what a listing tells of a blob.
type blobInfo struct {
	etag  string
	size  int64
	rests bool // in the Archive tier, where it can't be read
}

// list lists a container whole; one that isn't there is empty.
func (w *scene) list(c *container.Client) map[string]blobInfo {
	found := map[string]blobInfo{}
	pages := c.NewListBlobsFlatPager(nil)
	for pages.More() {
		page, err := pages.NextPage(w.ctx)
		if storage.Status(err) == http.StatusNotFound {
			return found
		}
		w.must(err)
		for _, item := range page.Segment.BlobItems {
			found[*item.Name] = blobInfo{
				etag: string(*item.Properties.ETag), size: *item.Properties.ContentLength,
				rests: item.Properties.AccessTier != nil && *item.Properties.AccessTier == container.AccessTierArchive,
			}
		}
	}
	return found
}

// hash is the SHA-256 of a blob's bytes in one version, read once.
func (w *scene) hash(c *container.Client, name, etag string) string {
	id := c.URL() + " " + name + " " + etag
	if w.hashes[id] == "" {
		resp, err := c.NewBlobClient(name).DownloadStream(w.ctx, nil)
		w.must(err)
		defer resp.Body.Close()
		data, err := io.ReadAll(resp.Body)
		w.must(err)
		sum := sha256.Sum256(data)
		w.hashes[id] = hex.EncodeToString(sum[:])
	}
	return w.hashes[id]
}

// addPictures uploads more pictures with a tag.
func (j *judge) addPictures(n int) {
	if j.tag == "" {
		j.tag = j.Tag(j.project, "cup")
	}
	j.AddPictures(j.project, j.tagged, n, j.tag)
	j.tagged += n
}

func (w *scene) completed() (found []emulator.IterationView) {
	for _, it := range w.iterations() {
		if it.Status == "Completed" {
			found = append(found, it)
		}
	}
	return found
}

// iterations are the project's, newest first; none once it is deleted.
func (w *scene) iterations() []emulator.IterationView {
	if w.vanished {
		return nil
	}
	return w.Service.View().Projects[0].Iterations
}
