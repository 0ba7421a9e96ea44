package reconcile

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite"
	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/dev/emulator"
	"visionkeeper/dev/leak"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
	"visionkeeper/internal/storage"
)

func TestMain(m *testing.M) { os.Exit(leak.Run(func() int { return azuritetest.Run(m) })) }

const (
	trainingKey = "0123456789abcdef-the-training-key"
	compact     = "0732100f-1a38-4e49-a514-c9b44c697ab5" // the domain General (compact)
	general     = "ee85a74c-405e-4adc-bb47-ffa8ca0c9f31" // its models can't be exported

	trainTime  = time.Minute
	exportTime = 5 * time.Second
)

// world is the emulated service, containers of its own, and what reconciling
// needs to reach them. The emulator's clock stands still but for the tests and
// the Reconciler, whose sleep moves it on.
type world struct {
	t       *testing.T
	service *emulator.Server
	client  *customvision.Client
	api     string // URL
	front   *front
	models  *container.Client
	state   *container.Client
	options Options
}

// newWorld makes a world with a policy; change may alter the emulator's options.
func newWorld(t *testing.T, rules string, change ...func(*emulator.Options)) *world {
	t.Helper()
	w := &world{t: t, front: newFront(t, azuritetest.Start(t))}
	customer, archives := w.front.account(azurite.Customer), w.front.account(azurite.Archive)

	o := emulator.Options{
		Key: trainingKey, Storage: customer, ServiceStorage: w.front.account(azurite.Service), NoValidation: true,
		ModelSize: 20_000, TrainTime: trainTime, ExportTime: exportTime, Frozen: time.Now(), Logf: t.Logf,
	}
	for _, f := range change {
		f(&o)
	}
	var err error
	w.service, err = emulator.New(o)
	require.NoError(t, err)
	t.Cleanup(w.service.Close)
	api := httptest.NewServer(w.service)
	t.Cleanup(api.Close)
	w.api = api.URL
	w.client, err = customvision.NewClientWithKey(api.URL, trainingKey, &customvision.ClientOptions{RatePerSecond: -1})
	require.NoError(t, err)

	modelBlobs, err := customer.Blob(nil)
	require.NoError(t, err)
	archiveBlobs, err := archives.Blob(nil)
	require.NoError(t, err)
	modelsName, archiveName, stateName := azuritetest.Name("models"), azuritetest.Name("archive"), azuritetest.Name("state")
	w.models, w.state = modelBlobs.NewContainerClient(modelsName), archiveBlobs.NewContainerClient(stateName)
	for _, c := range []*container.Client{w.models, archiveBlobs.NewContainerClient(archiveName), w.state} {
		_, err := c.Create(t.Context(), nil)
		require.NoError(t, err)
	}
	p := policy.ArchiveOnly
	if rules != "" {
		p, err = policy.Parse([]byte(rules))
		require.NoError(t, err)
	}
	w.options = Options{
		Policy: p, Service: w.client,
		Archive:   archive.Open(archiveBlobs, archiveName, archive.Options{}),
		State:     state.Open(archiveBlobs, stateName),
		Models:    OpenModels(customer, modelBlobs, modelsName),
		Downloads: Downloads{Suffix: "blob.core.windows.net", Loopback: []string{w.front.host()}},
		Times:     Times{LookInterval: 10 * time.Second, SettledFor: 7 * 24 * time.Hour, StuckAfter: 6 * time.Hour, IntentGrace: 2 * time.Minute},
		Clock:     emulated{w.service},
	}
	return w
}

// emulated is the emulator's clock; to sleep moves it on.
type emulated struct{ *emulator.Server }

func (e emulated) Sleep(ctx context.Context, d time.Duration) error {
	e.Advance(d)
	return ctx.Err()
}

// answering makes the emulator answer a question so.
func answering(q emulator.Question, answer string) func(*emulator.Options) {
	return func(o *emulator.Options) {
		if o.Answers == nil {
			o.Answers = map[emulator.Question]string{}
		}
		o.Answers[q] = answer
	}
}

// project creates a project on a domain, connected to the model container, and
// known to the app from the beginning.
func (w *world) project(domain string) string {
	w.t.Helper()
	p, err := w.client.CreateProject(w.t.Context(), customvision.CreateProjectOptions{
		Name: azuritetest.Name("project"), DomainID: domain, ExportModelContainerURI: w.models.URL(),
	})
	require.NoError(w.t, err)
	if w.options.Service != nil {
		require.NoError(w.t, New(w.options).ConnectionTested(w.t.Context(), p.ID))
	}
	return p.ID
}

// train trains the project to an end, as a person would, and gives the iteration.
func (w *world) train(project string) string {
	w.t.Helper()
	it, err := w.client.Train(w.t.Context(), project, customvision.TrainOptions{Force: true})
	require.NoError(w.t, err)
	w.service.Advance(trainTime)
	return it.ID
}

// trained is a new project on a compact domain with one trained iteration.
func (w *world) trained() Key {
	w.t.Helper()
	project := w.project(compact)
	return Key{Project: project, Iteration: w.train(project)}
}

// export makes an export to an end, as a person would.
func (w *world) export(key Key, name string) {
	w.t.Helper()
	platform, flavor := split(name)
	_, err := w.client.Export(w.t.Context(), key.Project, key.Iteration, platform, flavor)
	require.NoError(w.t, err)
	w.service.Advance(exportTime)
}

// reconcile makes one look by a Reconciler of its own, as after a restart.
func (w *world) reconcile(key Key) Report {
	w.t.Helper()
	report, err := New(w.options).Reconcile(w.t.Context(), key)
	require.NoError(w.t, err)
	return report
}

// settle looks until nothing is waited for any more, and gives all that was done.
func (w *world) settle(key Key) []string {
	w.t.Helper()
	r := New(w.options)
	var done []Action
	for range 20 {
		report, err := r.Reconcile(w.t.Context(), key)
		require.NoError(w.t, err)
		if done = append(done, report.Done...); len(report.Waiting) == 0 {
			return steps(done)
		}
	}
	w.t.Fatal("it waits and waits")
	return nil
}

// backups are the verdicts of what the archive holds of a key, by name.
func (w *world) backups(key Key) map[string]archive.Verdict {
	w.t.Helper()
	found := map[string]archive.Verdict{}
	for _, b := range w.kept(key) {
		found[b.Key.String()] = b.Verdict
	}
	return found
}

func (w *world) kept(key Key) []archive.Backup {
	w.t.Helper()
	list, err := w.options.Archive.Backups(w.t.Context(), key.Project, key.Iteration)
	require.NoError(w.t, err)
	return list
}

// remembered is the state of a project.
func (w *world) remembered(project string) state.Project {
	w.t.Helper()
	r, err := w.options.State.Load(w.t.Context(), project)
	require.NoError(w.t, err)
	return r.Project
}

// loseState deletes all that is remembered of a project.
func (w *world) loseState(project string) {
	w.t.Helper()
	_, err := w.state.NewBlobClient("projects/"+project+".json").Delete(w.t.Context(), nil)
	require.NoError(w.t, err)
}

// logged is a context whose log is kept.
func logged(t *testing.T) (context.Context, *bytes.Buffer) {
	var b bytes.Buffer
	return zerolog.New(zerolog.SyncWriter(&b)).WithContext(t.Context()), &b
}

// front stands before Azurite's blob service and counts what is sent to it. It
// is on another port, which no signature covers.
type front struct {
	t      *testing.T
	behind *url.URL
	azure  *azurite.Server
	server *httptest.Server

	mu     sync.Mutex
	sent   []string // method, path, and what the query asks for
	refuse string   // requests that begin so are answered 403; "" refuses none
}

func newFront(t *testing.T, azure *azurite.Server) *front {
	behind, err := url.Parse(azure.BlobURL(azurite.Customer))
	require.NoError(t, err)
	f := &front{t: t, behind: behind, azure: azure}
	f.server = httptest.NewServer(f)
	t.Cleanup(f.server.Close)
	return f
}

func (f *front) host() string { return f.server.Listener.Addr().String() }

// account is one of Azurite's, reached through the front.
func (f *front) account(name string) storage.Account {
	account, err := storage.ParseConnectionString(f.azure.ConnectionString(name))
	require.NoError(f.t, err)
	account.BlobURL = f.server.URL + "/" + name
	return account
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// To copy, Azurite asks for the source's properties: no request of ours.
	if !strings.HasPrefix(r.UserAgent(), "axios/") {
		request := strings.TrimSpace(r.Method + " " + r.URL.Path + " " + r.URL.Query().Get("comp"))
		f.mu.Lock()
		f.sent = append(f.sent, request)
		refused := f.refuse != "" && strings.HasPrefix(request, f.refuse)
		f.mu.Unlock()
		if refused {
			w.WriteHeader(http.StatusForbidden)
			return
		}
	}
	req, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+f.behind.Host+r.RequestURI, r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	req.Host, req.Header, req.ContentLength = r.Host, r.Header, r.ContentLength
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	for k, v := range resp.Header {
		w.Header()[k] = v
	}
	w.WriteHeader(resp.StatusCode)
	io.Copy(w, resp.Body)
}

// refusing refuses requests, named as in sent by their beginning, while f runs.
func (f *front) refusing(requests string, during func()) {
	set := func(to string) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.refuse = to
	}
	set(requests)
	defer set("")
	during()
}

// requests are those that a cause makes.
func (f *front) requests(cause func()) []string {
	f.mu.Lock()
	before := len(f.sent)
	f.mu.Unlock()
	cause()
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.sent[before:])
}

// calls are the operations of the API that a cause calls, with their counts.
func (w *world) calls(cause func()) map[string]int {
	before := w.service.Counts()
	cause()
	after := w.service.Counts()
	for name, n := range before {
		if after[name] -= n; after[name] == 0 {
			delete(after, name)
		}
	}
	return after
}
