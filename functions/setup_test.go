// Package functions_test drives both functions in process, with a fault at each
// request that they send.
package functions_test

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite"
	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/dev/emulator"
	"visionkeeper/dev/leak"
	"visionkeeper/functions/notifications"
	"visionkeeper/functions/sweep"
	"visionkeeper/handler"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/reconcile"
	"visionkeeper/internal/state"
	"visionkeeper/internal/storage"
)

func TestMain(m *testing.M) { os.Exit(leak.Run(func() int { return azuritetest.Run(m) })) }

const (
	trainingKey = "0123456789abcdef-the-training-key"
	compact     = "0732100f-1a38-4e49-a514-c9b44c697ab5" // the domain General (compact)

	trainTime  = time.Minute
	exportTime = 5 * time.Second
)

// world is both functions with all they reach: the app's requests go over line,
// the test's own do not.
type world struct {
	t       *testing.T
	service *emulator.Server
	client  *customvision.Client
	line    *line

	models   *service.Client
	names    names
	modelURL string
	poison   *azqueue.QueueClient
	archive  *archive.Archive
	state    *state.Store
	project  string

	options  reconcile.Options
	messages notifications.Function
	sweeping sweep.Function
}

// names are what requests are told apart by.
type names struct{ models, archive, state, queue, api string }

// setting is what differs between worlds.
type setting struct {
	policy     string
	emulator   emulator.Options
	archive    archive.Options
	container  bool          // the project has the model container
	unknown    bool          // no connection test told the app of the project
	tryTimeout time.Duration // as production has one for small requests
}

func newWorld(t *testing.T, s setting) *world {
	t.Helper()
	azure := azuritetest.Start(t)
	account := func(name string) storage.Account {
		a, err := storage.ParseConnectionString(azure.ConnectionString(name))
		require.NoError(t, err)
		return a
	}
	customer, archives := account(azurite.Customer), account(azurite.Archive)
	w := &world{t: t, names: names{
		models: azuritetest.Name("models"), archive: azuritetest.Name("archive"), state: azuritetest.Name("state"),
		queue: azuritetest.Name("notifications") + "-poison",
	}}

	o := s.emulator
	o.Key, o.Storage, o.ServiceStorage, o.NoValidation = trainingKey, customer, account(azurite.Service), true
	o.ModelSize, o.TrainTime, o.ExportTime, o.Frozen = 20_000, trainTime, exportTime, time.Now()
	var err error
	w.service, err = emulator.New(o)
	require.NoError(t, err)
	t.Cleanup(w.service.Close)
	api := httptest.NewServer(w.service)
	t.Cleanup(api.Close)
	w.names.api = api.Listener.Addr().String()
	w.client, err = customvision.NewClientWithKey(api.URL, trainingKey, &customvision.ClientOptions{RatePerSecond: -1})
	require.NoError(t, err)

	w.line = newLine(t, w.names)
	large := azcore.ClientOptions{Transport: w.line}
	large.Retry.RetryDelay = time.Millisecond
	small := large
	small.Retry.TryTimeout = s.tryTimeout
	w.open(customer, archives, small, large, s)

	p, err := policy.Parse([]byte(s.policy))
	require.NoError(t, err)
	w.options.Policy = p
	w.options.Service, err = customvision.NewClientWithKey(api.URL, trainingKey, &customvision.ClientOptions{ClientOptions: small, RatePerSecond: -1})
	require.NoError(t, err)
	w.options.Downloads = reconcile.Downloads{Suffix: "blob.core.windows.net", Loopback: []string{host(t, customer.BlobURL), w.names.api}}
	w.options.Times = reconcile.Times{LookInterval: time.Millisecond, SettledFor: 7 * 24 * time.Hour, StuckAfter: 6 * time.Hour, IntentGrace: 2 * time.Minute}
	w.options.Clock = emulated{w.service}
	w.restart()
	w.create(s)
	return w
}

// open makes the containers and the clients of the app and of the test.
func (w *world) open(customer, archives storage.Account, small, large azcore.ClientOptions, s setting) {
	blobs := func(a storage.Account, o *azcore.ClientOptions) *service.Client {
		c, err := a.Blob(o)
		require.NoError(w.t, err)
		return c
	}
	w.models = blobs(customer, nil)
	own := blobs(archives, nil)
	for _, made := range []struct {
		at   *service.Client
		name string
	}{{w.models, w.names.models}, {own, w.names.archive}, {own, w.names.state}} {
		_, err := made.at.CreateContainer(w.t.Context(), made.name, nil)
		require.NoError(w.t, err)
	}
	w.modelURL = w.models.NewContainerClient(w.names.models).URL()
	w.archive, w.state = archive.Open(own, w.names.archive, archive.Options{}), state.Open(own, w.names.state)

	queues, err := customer.Queue(&small)
	require.NoError(w.t, err)
	w.sweeping.Poison = queues.NewQueueClient(w.names.queue)
	queues, err = customer.Queue(nil)
	require.NoError(w.t, err)
	w.poison = queues.NewQueueClient(w.names.queue)
	_, err = w.poison.Create(w.t.Context(), nil)
	require.NoError(w.t, err)

	s.archive.Sources = large
	w.options.Archive = archive.Open(blobs(archives, &large), w.names.archive, s.archive)
	w.options.State = state.Open(blobs(archives, &small), w.names.state)
	w.options.Models = reconcile.OpenModels(customer, blobs(customer, &small), w.names.models)
}

// restart makes both functions anew, as after a restart of the process.
func (w *world) restart() {
	r := reconcile.New(w.options)
	w.messages = notifications.Function{Reconciler: r, State: r.State, ModelContainer: w.modelURL, Now: w.service.Now}
	w.sweeping.Reconciler, w.sweeping.Notifications, w.sweeping.State, w.sweeping.Now = r, w.messages, r.State, w.service.Now
}

func (w *world) create(s setting) {
	o := customvision.CreateProjectOptions{Name: azuritetest.Name("project"), DomainID: compact}
	if s.container {
		o.ExportModelContainerURI = w.modelURL
	}
	p, err := w.client.CreateProject(w.t.Context(), o)
	require.NoError(w.t, err)
	w.project = p.ID
	if s.unknown {
		return
	}
	require.NoError(w.t, w.messages.Reconciler.ConnectionTested(w.t.Context(), p.ID))
}

// train trains as a person would, to the end, and gives the iteration.
func (w *world) train() string {
	it, err := w.client.Train(w.t.Context(), w.project, customvision.TrainOptions{Force: true})
	require.NoError(w.t, err)
	w.service.Advance(trainTime)
	return it.ID
}

// export exports as a person would, to the end.
func (w *world) export(iteration string) {
	_, err := w.client.Export(w.t.Context(), w.project, iteration, "ONNX", "")
	require.NoError(w.t, err)
	w.service.Advance(exportTime)
}

// sweep sweeps once.
func (w *world) sweep(ctx context.Context) error {
	log := zerolog.Nop()
	return w.sweeping.Invoke(log.WithContext(ctx), &handler.Invocation{Log: log})
}

// tell deals with a notification, as the queue trigger does.
func (w *world) tell(ctx context.Context, n customvision.Notification) error {
	text, err := json.Marshal(n)
	require.NoError(w.t, err)
	return w.messages.Deal(ctx, text, false)
}

// emulated is the emulator's clock; to sleep moves it on.
type emulated struct{ *emulator.Server }

func (e emulated) Sleep(ctx context.Context, d time.Duration) error {
	e.Advance(d)
	return ctx.Err()
}

func host(t *testing.T, address string) string {
	u, err := url.Parse(address)
	require.NoError(t, err)
	return u.Host
}
