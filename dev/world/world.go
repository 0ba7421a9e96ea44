// Package world is what tests run the app against: the emulated Custom Vision
// service, a queue and three containers with names of their own in a real Azurite,
// and clients of them all. An Interceptor stands between the app and this world: it
// records the app's requests, and refuses, spoils or ends what it is told to. For
// tests only. Start reading at New and at Interceptor.
package world

import (
	"context"
	"net/http/httptest"
	"net/url"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"
	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"visionkeeper/dev/azurite"
	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/dev/emulator"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

const (
	// Key is the emulated service's Training-Key: a secret that must never be printed.
	Key = "0123456789abcdef-the-training-key"

	Compact = "0732100f-1a38-4e49-a514-c9b44c697ab5" // the domain General (compact)
	General = "ee85a74c-405e-4adc-bb47-ffa8ca0c9f31" // its models can't be exported

	// TrainTime and ExportTime are how long both take on a clock that stands still.
	TrainTime  = time.Minute
	ExportTime = 5 * time.Second
)

// T is a test: a testing.TB or a *rapid.T.
type T interface {
	Helper()
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	FailNow()
	Cleanup(func())
	Context() context.Context
}

// Options says how a world is set up. The zero value is a world on the real clock
// in the Azurite that the package's tests share.
type Options struct {
	// Emulator is the service's set-up. Key, storage and validation are New's.
	Emulator emulator.Options
	// Still lets the service's clock stand still until a test moves it on.
	Still bool
	// Connections gives the connection strings of Azurite's three accounts; nil
	// takes the shared Azurite's.
	Connections func(account string) string
	// Front, if set, stands as a server before Azurite and the service. An app in
	// a process of its own, which has the Settings, reaches them over it alone.
	Front *Interceptor
}

// World is one. Its clients are the test's own: no Interceptor sees their requests.
type World struct {
	t T

	Service *emulator.Server
	API     string // the service's URL
	Client  *customvision.Client

	Customer Account // has the queue and the model container
	Archives Account // has the archive and the state
	Provider Account // is the service's own

	Names      Names
	Queue      *azqueue.QueueClient
	Poison     *azqueue.QueueClient // not created
	Containers Containers
	Archive    *archive.Archive
	State      *state.Store

	server   *httptest.Server
	settings map[string]string
	still    bool
}

// Names are those of a world's queues and containers.
type Names struct{ Queue, Events, Models, Archive, State, HoldOut string }

// Containers are a world's three.
type Containers struct{ Models, Archive, State *container.Client }

// New makes a world. What it starts ends with the test.
func New(t T, o Options) *World {
	t.Helper()
	w := &World{t: t, still: o.Still, Names: Names{
		Queue: azuritetest.Name("notifications"), Events: azuritetest.Name("events"), Models: azuritetest.Name("models"),
		Archive: azuritetest.Name("archive"), State: azuritetest.Name("state"), HoldOut: azuritetest.Name("holdout"),
	}}
	if o.Connections == nil {
		o.Connections = azuritetest.Start(t).ConnectionString
	}
	w.Customer, w.Archives = w.account(o, azurite.Customer), w.account(o, azurite.Archive)
	w.Provider = w.account(o, azurite.Service)
	w.serve(o.Emulator)
	endpoint := w.API
	if o.Front != nil {
		endpoint = o.Front.Before(w.API)
	}
	w.create()
	t.Cleanup(w.clear)
	w.settings = map[string]string{
		"AzureWebJobsStorage":        w.Customer.Connection,
		"CustomVisionStorage":        w.Customer.Connection,
		"ArchiveStorage":             w.Archives.Connection,
		"CUSTOMVISION_ENDPOINT":      endpoint,
		"CUSTOMVISION_KEY":           Key,
		"NOTIFICATION_QUEUE":         w.Names.Queue,
		"MODEL_CONTAINER":            w.Names.Models,
		"ARCHIVE_CONTAINER":          w.Names.Archive,
		"STATE_CONTAINER":            w.Names.State,
		"VISIONKEEPER_LOOK_INTERVAL": "100ms", "VISIONKEEPER_CALLS_PER_SECOND": "40",
	}
	return w
}

// serve starts the emulated service.
func (w *World) serve(o emulator.Options) {
	o.Key, o.Storage, o.NoValidation = Key, w.Customer.Account, true
	if o.URL == "" { // else it hands out its packages itself, from there
		o.ServiceStorage = w.Provider.Account
	}
	if o.ModelSize == 0 {
		o.ModelSize = 20_000
	}
	if w.still {
		o.TrainTime, o.ExportTime, o.Frozen = TrainTime, ExportTime, time.Now()
	}
	var err error
	w.Service, err = emulator.New(o)
	require.NoError(w.t, err)
	w.t.Cleanup(w.Service.Close)
	w.server = httptest.NewServer(w.Service)
	w.t.Cleanup(w.server.Close)
	w.API = w.server.URL
	w.Client = w.Open(azcore.ClientOptions{})
}

// Retire lets the service be gone, as it will be.
func (w *World) Retire() { w.server.Close() }

// create creates queue and containers, and the clients of both.
func (w *World) create() {
	queues := w.Customer.Queues(mine())
	w.Queue, w.Poison = queues.NewQueueClient(w.Names.Queue), queues.NewQueueClient(w.Names.Queue+"-poison")
	_, err := w.Queue.Create(w.t.Context(), nil)
	require.NoError(w.t, err)
	customer, archives := w.Customer.Blobs(mine()), w.Archives.Blobs(mine())
	w.Containers = Containers{
		Models:  customer.NewContainerClient(w.Names.Models),
		Archive: archives.NewContainerClient(w.Names.Archive), State: archives.NewContainerClient(w.Names.State),
	}
	for _, c := range []*container.Client{w.Containers.Models, w.Containers.Archive, w.Containers.State} {
		_, err := c.Create(w.t.Context(), nil)
		require.NoError(w.t, err)
	}
	w.Archive = archive.Open(archives, w.Names.Archive, archive.Options{})
	w.State = state.Open(archives, w.Names.State)
}

// clear deletes what the world has in Azurite, which goes over all that it has with each
// request. What a test has deleted, or leased, stays as it is.
func (w *World) clear() {
	ctx := context.Background()
	for _, c := range []*container.Client{w.Containers.Models, w.Containers.Archive, w.Containers.State} {
		_, _ = c.Delete(ctx, nil)
	}
	for _, q := range []*azqueue.QueueClient{w.Queue, w.Poison} {
		_, _ = q.Delete(ctx, nil)
	}
}

// mine are the options of the test's own clients, whose requests a Front lets
// through unseen.
func mine() *azcore.ClientOptions {
	return &azcore.ClientOptions{Telemetry: policy.TelemetryOptions{ApplicationID: "test"}}
}

// Open opens a client of the service.
func (w *World) Open(o azcore.ClientOptions) *customvision.Client {
	w.t.Helper()
	c, err := customvision.NewClientWithKey(w.API, Key, &customvision.ClientOptions{ClientOptions: o, Limit: rate.NewLimiter(rate.Inf, 1)})
	require.NoError(w.t, err)
	return c
}

// Settings are those of an app in this world, by name.
func (w *World) Settings() map[string]string { return w.settings }

// Clock is the service's time for an app in this process: who sleeps moves it on,
// unless an Interceptor has killed the sleeper.
type Clock struct {
	*emulator.Server
	Interceptor *Interceptor // nil for none
}

// Sleep implements reconcile.Clock.
func (c Clock) Sleep(ctx context.Context, d time.Duration) error {
	if c.Interceptor != nil && c.Interceptor.Dead() {
		return Killed{}
	}
	c.Advance(d)
	return ctx.Err()
}

// Host is the host and port of an address.
func Host(t T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	return u.Host
}
