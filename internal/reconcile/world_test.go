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
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/rs/zerolog"

	"visionkeeper/dev/azurite"
	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/dev/emulator"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/reconcile"
	"visionkeeper/internal/state"
	"visionkeeper/internal/storage"
)

const (
	trainingKey = "0123456789abcdef-the-training-key"
	compact     = "0732100f-1a38-4e49-a514-c9b44c697ab5" // the domain General (compact)

	trainTime  = time.Minute
	exportTime = 5 * time.Second
	stuckAfter = 6 * time.Hour
)

// tester is a *testing.T or a *rapid.T.
type tester interface {
	Helper()
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// world is one project of the emulated service on a clock that stands still but
// for the tests, containers of its own in a real Azurite, and a judge who watches.
type world struct {
	t   tester
	ctx context.Context

	service  *emulator.Server
	person   *customvision.Client // past all faults and counts
	project  string
	accounts map[string]storage.Account
	models   *container.Client
	packages *container.Client // the service's own
	archive  *container.Client
	state    *container.Client
	judge    *judge
	policy   policy.Policy
	noAPI    bool // the app has no endpoint: it archives what lands in the model container
	vanished bool // the person has deleted the project
	answers  map[emulator.Question]string
	requests atomic.Int64 // of the machines
	hashes   map[string]string
}

// newWorld makes a world in Azurite. End it with close.
func newWorld(t tester, azure *azurite.Server, answers map[emulator.Question]string, rules policy.Policy) *world {
	t.Helper()
	w := &world{t: t, ctx: zerolog.Nop().WithContext(context.Background()), policy: rules, answers: answers, accounts: map[string]storage.Account{}, hashes: map[string]string{}}
	clients := map[string]*service.Client{}
	for _, name := range []string{azurite.Customer, azurite.Archive, azurite.Service} {
		account, err := storage.ParseConnectionString(azure.ConnectionString(name))
		w.must(err)
		w.accounts[name] = account
		clients[name], err = account.Blob(nil)
		w.must(err)
	}
	w.models = clients[azurite.Customer].NewContainerClient(azuritetest.Name("models"))
	w.archive = clients[azurite.Archive].NewContainerClient(azuritetest.Name("archive"))
	w.state = clients[azurite.Archive].NewContainerClient(azuritetest.Name("state"))
	for _, c := range []*container.Client{w.models, w.archive, w.state} {
		_, err := c.Create(w.ctx, nil)
		w.must(err)
	}
	var err error
	w.service, err = emulator.New(emulator.Options{
		Key: trainingKey, Storage: w.accounts[azurite.Customer], ServiceStorage: w.accounts[azurite.Service], NoValidation: true,
		ModelSize: 2_000, TrainTime: trainTime, ExportTime: exportTime, Frozen: time.Now(), Answers: answers,
	})
	w.must(err)
	// No message reaches a queue: Messages lists them, and the test is the host.
	w.must(w.service.FaultNotifications(1_000_000, emulator.Drop, 0))
	w.project, err = w.service.CreateProject("parts", compact, w.models.URL(), w.accounts[azurite.Customer].QueueURL+"/notifications")
	w.must(err)
	w.packages = clients[azurite.Service].NewContainerClient("m-" + strings.ReplaceAll(w.project, "-", ""))
	w.person, err = customvision.NewClientWithKey("http://"+apiHost, trainingKey,
		&customvision.ClientOptions{ClientOptions: azcore.ClientOptions{Transport: visitor{w}}, RatePerSecond: -1})
	w.must(err)
	w.judge = newJudge(w)
	return w
}

// visitor is the person's transport.
type visitor struct{ *world }

func (v visitor) Do(req *http.Request) (*http.Response, error) { return v.callAPI(req) }

func (w *world) close() {
	w.service.Close()
	for _, c := range []*container.Client{w.models, w.archive, w.state, w.packages} {
		c.Delete(context.Background(), nil)
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("%v", err)
	}
}

// options are a machine's, whose requests go through o.
func (w *world) options(o *azcore.ClientOptions, api *customvision.Client) reconcile.Options {
	models, err := w.accounts[azurite.Customer].Blob(o)
	w.must(err)
	archives, err := w.accounts[azurite.Archive].Blob(o)
	w.must(err)
	host := strings.TrimPrefix(w.accounts[azurite.Service].BlobURL, "http://")
	host, _, _ = strings.Cut(host, "/")
	if w.noAPI {
		api = nil
	}
	return reconcile.Options{
		Policy: w.policy, Service: api,
		Archive:   archive.Open(archives, nameOf(w.archive), archive.Options{Now: w.service.Now, Sources: *o}),
		State:     state.Open(archives, nameOf(w.state)),
		Models:    reconcile.OpenModels(w.accounts[azurite.Customer], models, nameOf(w.models)),
		Downloads: reconcile.Downloads{Suffix: "blob.core.windows.net", Loopback: []string{host}},
		Times:     reconcile.Times{LookInterval: 10 * time.Second, SettledFor: 7 * 24 * time.Hour, StuckAfter: stuckAfter, IntentGrace: 2 * time.Minute},
	}
}

func nameOf(c *container.Client) string { return c.URL()[strings.LastIndexByte(c.URL(), '/')+1:] }

// blobInfo is what a listing tells of a blob.
type blobInfo struct {
	etag string
	size int64
}

// list lists a container whole; one that isn't there is empty.
func (w *world) list(c *container.Client) map[string]blobInfo {
	found := map[string]blobInfo{}
	pages := c.NewListBlobsFlatPager(nil)
	for pages.More() {
		page, err := pages.NextPage(w.ctx)
		if storage.Status(err) == http.StatusNotFound {
			return found
		}
		w.must(err)
		for _, item := range page.Segment.BlobItems {
			found[*item.Name] = blobInfo{string(*item.Properties.ETag), *item.Properties.ContentLength}
		}
	}
	return found
}

// hash is the SHA-256 of a blob's bytes in one version, read once.
func (w *world) hash(c *container.Client, name, etag string) string {
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

// remembered is the state of the project, as the app left it.
func (w *world) remembered() state.Project {
	blobs, err := w.accounts[azurite.Archive].Blob(nil)
	w.must(err)
	record, err := state.Open(blobs, nameOf(w.state)).Load(w.ctx, w.project)
	w.must(err)
	return record.Project
}

// backups are what the archive holds of the project.
func (w *world) backups() []archive.Backup {
	blobs, err := w.accounts[azurite.Archive].Blob(nil)
	w.must(err)
	list, err := archive.Open(blobs, nameOf(w.archive), archive.Options{}).Backups(w.ctx, w.project, "")
	w.must(err)
	return list
}

// iterations are the project's, newest first; none once it is deleted.
func (w *world) iterations() []emulator.IterationView {
	if w.vanished {
		return nil
	}
	return w.service.View().Projects[0].Iterations
}
