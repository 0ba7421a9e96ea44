package e2e

import (
	"bytes"
	"context"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2/queueerror"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/dev/funchost"
	"visionkeeper/dev/leak"
	"visionkeeper/dev/world"
	"visionkeeper/internal/customvision"
)

// executable is the app's program for this machine, which `make build` makes.
var executable string

// TestMain runs the tests in the repository's root, which is the function app,
// after `make dist`, which builds it.
func TestMain(m *testing.M) {
	if err := os.Chdir(".."); err != nil {
		panic(err)
	}
	if out, err := exec.Command("make", "-s", "dist").CombinedOutput(); err != nil {
		panic("make dist: " + string(out))
	}
	var err error
	if executable, err = filepath.Abs("build/visionkeeper"); err != nil {
		panic(err)
	}
	os.Exit(leak.Run(func() int { return azuritetest.Run(m) }))
}

// override is the setting by which a host starts the program for this machine, in
// the place of the one that is published.
const override = "AzureFunctionsJobHost__customHandler__description__defaultExecutablePath"

// app is the real binary under the stand-in for the host, in a world.
type app struct {
	*world.World
	t       testing.TB
	host    *funchost.Host
	printed *buffer
	hosting funchost.Options

	mu          sync.Mutex
	invocations []funchost.Invocation
	ends        []time.Time // of the invocations
}

// options of an app under test.
type options struct {
	policy   string            // policy.json; "" keeps the one that ships. HOLDOUT in it is the container of the hold-out set
	settings map[string]string // further settings; "" removes one
	linked   string            // setting for a link by which others may write the archive; "" for none
	told     bool              // others are told by a queue what happens
	lock     time.Duration     // how long a received message is hidden; 0 means the host's
	world    world.Options
}

func newApp(t testing.TB, o options) *app {
	t.Helper()
	if o.world.Emulator.ModelSize == 0 {
		o.world.Emulator.ModelSize = 100_000
	}
	a := &app{World: world.New(t, o.world), t: t, printed: &buffer{}}
	settings := a.Settings()
	maps.Copy(settings, map[string]string{
		"FUNCTIONS_WORKER_RUNTIME": "custom",
		"SWEEP_SCHEDULE":           "0 0 0 1 1 *", // by hand in tests
		override:                   executable,
		"AzureFunctionsJobHost__extensions__queues__maxPollingInterval": "00:00:00.1",
		"AzureFunctionsJobHost__extensions__queues__visibilityTimeout":  "00:00:01",
	})
	if o.told {
		settings["EVENTS_QUEUE"] = a.Names.Events
	}
	if o.linked != "" {
		link, err := a.Containers.Archive.GetSASURL(sas.ContainerPermissions{Create: true, Write: true}, time.Now().Add(time.Hour), nil)
		require.NoError(t, err)
		settings[o.linked] = link
	}
	maps.Copy(settings, o.settings)
	var env []string
	for name, value := range settings {
		if value != "" {
			env = append(env, name+"="+value)
		}
	}
	root := t.TempDir()
	for _, name := range published {
		if name != "visionkeeper" {
			copyFile(t, name, filepath.Join(root, name))
		}
	}
	if o.policy != "" {
		require.NoError(t, os.WriteFile(filepath.Join(root, "policy.json"), []byte(strings.ReplaceAll(o.policy, "HOLDOUT", a.Names.HoldOut)), 0o644))
	}
	a.hosting = funchost.Options{Root: root, Env: env, Output: a.printed, OnInvocation: a.invoked, MessageLock: o.lock}
	a.host = a.another()
	t.Cleanup(func() {
		for _, secret := range slices.Concat([]string{world.Key, "AccountKey=", "sig="}, a.Customer.Secrets(), a.Archives.Secrets()) {
			assert.NotContains(t, a.printed.String(), secret, "no secret is ever printed")
		}
		if t.Failed() {
			t.Logf("the app printed:\n%s", a.printed)
		}
	})
	return a
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o755))
	require.NoError(t, os.WriteFile(to, data, 0o644))
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
	a.invocations, a.ends = append(a.invocations, i), append(a.ends, time.Now())
}

// endedBetween reports whether an invocation ended between two times.
func (a *app) endedBetween(from, to time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.ContainsFunc(a.ends, func(end time.Time) bool { return end.After(from) && end.Before(to) })
}

// longest is how long an invocation has taken at most.
func (a *app) longest() (d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, i := range a.invocations {
		d = max(d, i.Took)
	}
	return d
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

// connect creates a project with queue and container.
func (a *app) connect(name, domain string) customvision.Project {
	a.t.Helper()
	return a.Create(customvision.CreateProjectOptions{
		Name: name, DomainID: domain, ExportModelContainerURI: a.Containers.Models.URL(), NotificationQueueURI: a.Queue.URL(),
	})
}

// put puts a message on the queue as it is.
func (a *app) put(text string) {
	a.t.Helper()
	_, err := a.Queue.EnqueueMessage(a.t.Context(), text, nil)
	require.NoError(a.t, err)
}

// poisoned counts the messages in the poison queue.
func (a *app) poisoned() int {
	a.t.Helper()
	p, err := a.Poison.GetProperties(a.t.Context(), nil)
	if queueerror.HasCode(err, queueerror.QueueNotFound) {
		return 0
	}
	require.NoError(a.t, err)
	return int(*p.ApproximateMessagesCount)
}

// settles waits until the queue is empty and every invocation so far was answered.
func (a *app) settles() {
	a.t.Helper()
	a.Eventually("the queue runs empty", func() bool {
		p, err := a.Queue.GetProperties(a.t.Context(), nil)
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
	a.Eventually("the sweep ends", func() bool { all, _ := a.ended("sweep"); return all > begun })
}
