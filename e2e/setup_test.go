package e2e

import (
	"bytes"
	"context"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2/queueerror"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite"
	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/dev/emulator"
	"visionkeeper/dev/funchost"
	"visionkeeper/dev/leak"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
	"visionkeeper/internal/storage"
)

// key is the emulated service's Training-Key: a secret that must never be printed.
const key = "0123456789abcdef-the-training-key"

// compact is the domain General (compact), whose models can be exported.
const compact = "0732100f-1a38-4e49-a514-c9b44c697ab5"

// laidOut is what `make dist` made for this machine.
var laidOut string

// TestMain runs the tests in the repository's root, with the app as `make dist`
// lays it out.
func TestMain(m *testing.M) {
	if err := os.Chdir(".."); err != nil {
		panic(err)
	}
	dir, err := os.MkdirTemp("", "visionkeeper")
	if err != nil {
		panic(err)
	}
	laidOut = filepath.Join(dir, "app")
	build := exec.Command("make", "-s", "dist", "DIST="+laidOut, "GOOS="+goEnv("GOHOSTOS"), "GOARCH="+goEnv("GOHOSTARCH"))
	if out, err := build.CombinedOutput(); err != nil {
		panic("make dist: " + string(out))
	}
	code := leak.Run(func() int { return azuritetest.Run(m) })
	os.RemoveAll(dir)
	os.Exit(code)
}

func goEnv(name string) string {
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		panic(err)
	}
	return strings.TrimSpace(string(out))
}

// app is the real binary under the stand-in for the host, with a real queue and
// real containers of its own, and the emulated service beside it.
type app struct {
	t       *testing.T
	service *emulator.Server
	client  *customvision.Client
	host    *funchost.Host
	printed *buffer

	queue    *azqueue.QueueClient
	poison   *azqueue.QueueClient
	queueURL string
	models   string // the model container's URL
	archive  *archive.Archive
	state    *state.Store
	blobs    *service.Client // of the archive's account
	// archiveName is the container's.
	archiveName string
	hosting     funchost.Options

	mu          sync.Mutex
	invocations []funchost.Invocation
}

// options of an app under test.
type options struct {
	policy   string            // policy.json; "" keeps the one that ships
	settings map[string]string // further settings; "" removes one
	emulator emulator.Options
	// Connection strings of the three accounts; "" takes the shared Azurite's.
	customer, archive, service string
	front                      *front // everything is reached through it; nil for none
}

// named makes a client of storage that can be told from the app's.
var named = &azcore.ClientOptions{Telemetry: policy.TelemetryOptions{ApplicationID: "test"}}

func newApp(t *testing.T, o options) *app {
	t.Helper()
	if o.customer == "" {
		server := azuritetest.Start(t)
		o.customer, o.archive, o.service = server.ConnectionString(azurite.Customer), server.ConnectionString(azurite.Archive), server.ConnectionString(azurite.Service)
	}
	if o.front != nil {
		o.customer, o.archive, o.service = o.front.replace.Replace(o.customer), o.front.replace.Replace(o.archive), o.front.replace.Replace(o.service)
	}
	customer, archives := open(t, o.customer), open(t, o.archive)
	a := &app{t: t, printed: &buffer{}}

	o.emulator.Key = key
	o.emulator.Storage, o.emulator.ServiceStorage = customer, open(t, o.service)
	o.emulator.NoValidation = true
	if o.emulator.ModelSize == 0 {
		o.emulator.ModelSize = 100_000
	}
	var err error
	a.service, err = emulator.New(o.emulator)
	require.NoError(t, err)
	t.Cleanup(a.service.Close)
	api := httptest.NewServer(a.service)
	t.Cleanup(api.Close)
	endpoint := api.URL
	if o.front != nil {
		endpoint = o.front.before(api.URL)
	}
	a.client, err = customvision.NewClientWithKey(api.URL, key, &customvision.ClientOptions{RatePerSecond: -1})
	require.NoError(t, err)

	settings := map[string]string{
		"FUNCTIONS_WORKER_RUNTIME": "custom",
		"AzureWebJobsStorage":      o.archive,
		"CustomVisionStorage":      o.customer,
		"ArchiveStorage":           o.archive,
		"CUSTOMVISION_ENDPOINT":    endpoint,
		"CUSTOMVISION_KEY":         key,
		"NOTIFICATION_QUEUE":       azuritetest.Name("notifications"),
		"MODEL_CONTAINER":          azuritetest.Name("models"),
		"ARCHIVE_CONTAINER":        azuritetest.Name("archive"),
		"STATE_CONTAINER":          azuritetest.Name("state"),
		"SWEEP_SCHEDULE":           "0 0 0 1 1 *", // by hand in tests

		"VISIONKEEPER_LOOK_INTERVAL":                                    "100ms",
		"AzureFunctionsJobHost__extensions__queues__maxPollingInterval": "00:00:00.1",
		"AzureFunctionsJobHost__extensions__queues__visibilityTimeout":  "00:00:01",
	}
	queues, err := customer.Queue(named)
	require.NoError(t, err)
	a.queue = queues.NewQueueClient(settings["NOTIFICATION_QUEUE"])
	a.poison = queues.NewQueueClient(settings["NOTIFICATION_QUEUE"] + "-poison")
	_, err = a.queue.Create(t.Context(), nil)
	require.NoError(t, err)
	modelBlobs, err := customer.Blob(named)
	require.NoError(t, err)
	a.blobs, err = archives.Blob(named)
	require.NoError(t, err)
	create := func(c *service.Client, name string) {
		_, err := c.CreateContainer(t.Context(), name, nil)
		require.NoError(t, err)
	}
	create(modelBlobs, settings["MODEL_CONTAINER"])
	create(a.blobs, settings["ARCHIVE_CONTAINER"])
	create(a.blobs, settings["STATE_CONTAINER"])
	a.queueURL, a.models = a.queue.URL(), modelBlobs.NewContainerClient(settings["MODEL_CONTAINER"]).URL()
	a.archiveName = settings["ARCHIVE_CONTAINER"]
	a.archive = archive.Open(a.blobs, a.archiveName, archive.Options{})
	a.state = state.Open(a.blobs, settings["STATE_CONTAINER"])

	for name, value := range o.settings {
		settings[name] = value
	}
	for name, value := range settings {
		if value == "" {
			delete(settings, name)
		}
	}
	root := filepath.Join(t.TempDir(), "app")
	layOut(t, root)
	if o.policy != "" {
		require.NoError(t, os.WriteFile(filepath.Join(root, "policy.json"), []byte(o.policy), 0o644))
	}
	var env []string
	for name, value := range settings {
		env = append(env, name+"="+value)
	}
	a.hosting = funchost.Options{Root: root, Env: env, Output: a.printed, OnInvocation: a.invoked}
	a.host = a.another()
	t.Cleanup(func() {
		for _, secret := range slices.Concat([]string{key, "AccountKey=", "sig="}, customer.Secrets(), archives.Secrets()) {
			assert.NotContains(t, a.printed.String(), secret, "no secret is ever printed")
		}
		if t.Failed() {
			t.Logf("the app printed:\n%s", a.printed)
		}
	})
	return a
}

// layOut makes a root for an app. The program itself is linked: hundreds of copies
// of it would be gigabytes.
func layOut(t *testing.T, root string) {
	t.Helper()
	require.NoError(t, fs.WalkDir(os.DirFS(laidOut), ".", func(name string, d fs.DirEntry, err error) error {
		from, to := filepath.Join(laidOut, name), filepath.Join(root, name)
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return os.MkdirAll(to, 0o755)
		case name == "visionkeeper":
			return os.Link(from, to)
		}
		data, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		return os.WriteFile(to, data, 0o644)
	}))
}

// withoutForks writes programs: a process forked meanwhile would inherit them open
// for writing, and for as long nobody could start them ("text file busy").
func withoutForks(write func()) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	write()
}

func open(t *testing.T, connection string) storage.Account {
	t.Helper()
	account, err := storage.ParseConnectionString(connection)
	require.NoError(t, err)
	return account
}

// another starts a host of the same app, as the platform does on another machine.
func (a *app) another() *funchost.Host {
	a.t.Helper()
	host, err := funchost.Start(context.Background(), a.hosting)
	require.NoError(a.t, err)
	a.t.Cleanup(func() { host.Close() })
	return host
}

func (a *app) invoked(i funchost.Invocation) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.invocations = append(a.invocations, i)
}

// ended counts the invocations of a function that have ended, and how many failed.
func (a *app) ended(function string) (all, failed int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, i := range a.invocations {
		if i.Function == function {
			all++
			if i.Err != nil {
				failed++
			}
		}
	}
	return all, failed
}

// create creates a project.
func (a *app) create(o customvision.CreateProjectOptions) customvision.Project {
	a.t.Helper()
	p, err := a.client.CreateProject(a.t.Context(), o)
	require.NoError(a.t, err)
	require.Equal(a.t, o.NotificationQueueURI, p.Settings.NotificationQueueURI, "the service keeps the queue")
	return p
}

// connect creates a project with queue and container.
func (a *app) connect(name, domain string) customvision.Project {
	a.t.Helper()
	return a.create(customvision.CreateProjectOptions{
		Name: name, DomainID: domain, ExportModelContainerURI: a.models, NotificationQueueURI: a.queueURL,
	})
}

// train trains a project as a person would, changed or not, and waits for the end.
func (a *app) train(project string) customvision.Iteration {
	a.t.Helper()
	it, err := a.client.Train(a.t.Context(), project, customvision.TrainOptions{Force: true})
	require.NoError(a.t, err)
	a.eventually("the training ends", func() bool {
		it, err = a.client.Iteration(a.t.Context(), project, it.ID)
		require.NoError(a.t, err)
		return it.Status != customvision.StatusTraining
	})
	return it
}

// put puts a message on the queue as it is.
func (a *app) put(text string) {
	a.t.Helper()
	_, err := a.queue.EnqueueMessage(a.t.Context(), text, nil)
	require.NoError(a.t, err)
}

// poisoned counts the messages in the poison queue.
func (a *app) poisoned() int {
	a.t.Helper()
	p, err := a.poison.GetProperties(a.t.Context(), nil)
	if queueerror.HasCode(err, queueerror.QueueNotFound) {
		return 0
	}
	require.NoError(a.t, err)
	return int(*p.ApproximateMessagesCount)
}

// backups are the archive's packages of an iteration by name and verdict.
func (a *app) backups(project, iteration string) map[string]archive.Verdict {
	a.t.Helper()
	list, err := a.archive.Backups(a.t.Context(), project, iteration)
	require.NoError(a.t, err)
	found := map[string]archive.Verdict{}
	for _, b := range list {
		found[b.Key.String()] = b.Verdict
	}
	return found
}

// project is the state of a project.
func (a *app) project(id string) state.Project {
	a.t.Helper()
	r, err := a.state.Load(a.t.Context(), id)
	require.NoError(a.t, err)
	return r.Project
}

// patience bounds every wait; it is only ever reached by a failure.
const patience = 5 * time.Minute

// eventually waits for a condition.
func (a *app) eventually(what string, condition func() bool) {
	a.t.Helper()
	require.Eventually(a.t, condition, patience, 50*time.Millisecond, what)
}

// settles waits until the queue is empty and every invocation so far was answered.
func (a *app) settles() {
	a.t.Helper()
	a.eventually("the queue runs empty", func() bool {
		p, err := a.queue.GetProperties(a.t.Context(), nil)
		require.NoError(a.t, err)
		return *p.ApproximateMessagesCount == 0
	})
}

// buffer collects what many goroutines print.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// sweep runs the sweep by hand and waits for its end.
func (a *app) sweep() {
	a.t.Helper()
	begun, _ := a.ended("sweep")
	resp, err := http.Post(a.host.URL()+"/admin/functions/sweep", "application/json", strings.NewReader("{}"))
	require.NoError(a.t, err)
	resp.Body.Close()
	require.Equal(a.t, http.StatusAccepted, resp.StatusCode)
	a.eventually("the sweep ends", func() bool { all, _ := a.ended("sweep"); return all > begun })
}
