// Package functions_test drives the functions of queue and timer in process, with a fault at each
// request that they send.
package functions_test

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/dev/emulator"
	"visionkeeper/dev/leak"
	"visionkeeper/dev/world"
	"visionkeeper/functions/sweep"
	"visionkeeper/handler"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/dataset"
	"visionkeeper/internal/events"
	"visionkeeper/internal/holdout"
	"visionkeeper/internal/messages"
	"visionkeeper/internal/models"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/reconcile"
	"visionkeeper/internal/state"
)

func TestMain(m *testing.M) { os.Exit(leak.Run(func() int { return azuritetest.Run(m) })) }

// app is these functions in a world: all their requests go over line.
type app struct {
	*world.World
	t       *testing.T
	line    *world.Interceptor
	project string

	options  reconcile.Options
	small    azcore.ClientOptions // of small requests
	postman  *events.Postman
	events   *azqueue.QueueClient // nil where nobody is told what happens
	messages messages.Handler
	sweeping sweep.Function
}

// setting is what differs between apps.
type setting struct {
	policy     string // HOLDOUT in it is the container of the hold-out set
	emulator   emulator.Options
	archive    archive.Options
	container  bool          // the project has the model container
	told       bool          // others are told by a queue what happens
	unknown    bool          // no connection test told the app of the project
	tryTimeout time.Duration // as production has one for small requests
}

func newWorld(t *testing.T, s setting) *app {
	t.Helper()
	w := &app{World: world.New(t, world.Options{Still: true, Emulator: s.emulator}), t: t, line: world.NewInterceptor(t)}
	_, err := w.Poison.Create(t.Context(), nil)
	require.NoError(t, err)
	large := azcore.ClientOptions{Transport: w.line}
	large.Retry.RetryDelay = time.Millisecond
	small := large
	small.Retry.TryTimeout = s.tryTimeout
	w.small, w.postman = small, &events.Postman{}
	s.archive.Sources = large

	rules, err := policy.Parse([]byte(strings.ReplaceAll(s.policy, "HOLDOUT", w.Names.HoldOut)))
	require.NoError(t, err)
	w.options = reconcile.Options{
		Policy: rules, Service: w.Open(small),
		Archive:   archive.Open(w.Archives.Blobs(&large), w.Names.Archive, s.archive),
		Sets:      dataset.Open(w.Archives.Blobs(&small), w.Names.Archive, "test"),
		Models:    models.Open(w.Customer.Account, w.Customer.Blobs(&small), w.Names.Models),
		HoldOuts:  holdout.Sets{Blobs: w.Archives.Blobs(&small)},
		Downloads: reconcile.Downloads{Suffix: "blob.core.windows.net", Loopback: []string{world.Host(t, w.Customer.BlobURL), world.Host(t, w.API)}},
		Times:     reconcile.Times{LookInterval: time.Millisecond, SettledFor: 7 * 24 * time.Hour, StuckAfter: 6 * time.Hour, IntentGrace: 2 * time.Minute},
		Clock:     world.Clock{Server: w.Service},
	}
	w.sweeping.Warnings = func() []string { return nil }
	w.sweeping.Poison = w.Customer.Queues(&small).NewQueueClient(w.Names.Queue + "-poison")
	if s.told {
		w.line.Send = w.Timed
		w.events = w.telling()
	}
	w.restart()
	w.create(s)
	return w
}

// restart makes both functions anew, as after a restart of the process.
func (w *app) restart() {
	w.options.State = state.Open(w.Archives.Blobs(&w.small), w.Names.State)
	w.postman.State = w.options.State
	r := reconcile.New(w.options)
	w.messages = messages.Handler{Reconciler: r, State: r.State, Now: w.Service.Now, Events: w.postman}
	w.sweeping.Events = w.postman
	w.sweeping.Reconciler, w.sweeping.Messages, w.sweeping.State, w.sweeping.Now = r, w.messages, r.State, w.Service.Now
}

func (w *app) create(s setting) {
	o := customvision.CreateProjectOptions{}
	if s.container {
		o.ExportModelContainerURI = w.Containers.Models.URL()
	}
	w.project = w.Create(o).ID
	if !s.unknown {
		require.NoError(w.t, w.messages.Reconciler.ConnectionTested(w.t.Context(), w.project))
	}
}

// train trains as a person would, to the end, and gives the iteration.
func (w *app) train() string { return w.Train(w.project).ID }

// export exports as a person would, to the end.
func (w *app) export(iteration string) { w.Export(w.project, iteration, "ONNX", "") }

// kept is all that the archive holds.
func (w *app) kept() []archive.Backup { return w.Backups("", "") }

// sweep sweeps once, after one that ended.
func (w *app) sweep(ctx context.Context) error { return w.sweepAt(ctx, `{"ScheduleStatus":{}}`) }

// sweepAt sweeps once, with what the host says of the timer.
func (w *app) sweepAt(ctx context.Context, timer string) error {
	log := zerolog.Nop()
	return w.sweeping.Invoke(log.WithContext(ctx), &handler.Invocation{
		Log: log, Data: map[string]json.RawMessage{"timer": json.RawMessage(timer)},
	})
}

// tell deals with a notification, as the queue trigger does.
func (w *app) tell(ctx context.Context, n customvision.Notification) error {
	text, err := json.Marshal(n)
	require.NoError(w.t, err)
	return w.messages.Deal(ctx, messages.Message{Raw: text})
}

// tryAnew makes all that couldn't be done due now: another version of the program runs.
func (w *app) tryAnew() {
	w.options.Fingerprint += "'"
	w.restart()
}
