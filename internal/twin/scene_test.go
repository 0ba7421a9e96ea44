package twin

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/dev/emulator"
	"visionkeeper/dev/leak"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/dataset"
	"visionkeeper/internal/models"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/reconcile"
	"visionkeeper/internal/state"
)

func TestMain(m *testing.M) { os.Exit(leak.Run(func() int { return azuritetest.Run(m) })) }

// rules ask for much of every project, so that a twin which was taken for one would show.
const rules = `{"projects":[{"project":"*","exports":["ONNX","TensorFlow"],"twin":{"budgetHours":2},
	"retrain":{"afterFailure":1,"onImages":1},"keep":1}]}`

// scene is a project whose model can't be exported.
type scene struct {
	*world.World
	t        testing.TB
	policy   policy.Policy
	original customvision.Project
	model    string // its iteration
}

func newScene(t testing.TB, text string, o emulator.Options) *scene {
	t.Helper()
	w := &scene{t: t, World: world.New(t, world.Options{Emulator: o, Still: true})}
	w.follow(text)
	w.story()
	return w
}

func (w *scene) follow(text string) {
	var err error
	w.policy, err = policy.Parse([]byte(text))
	require.NoError(w.t, err)
}

// story makes another such project.
func (w *scene) story() {
	w.original = w.Create(customvision.CreateProjectOptions{DomainID: world.General})
	w.AddPictures(w.original.ID, 0, 2, w.Tag(w.original.ID, "cup"))
	w.Service.Advance(time.Minute)
	w.model = w.Train(w.original.ID).ID
	w.Service.Advance(time.Minute)
}

// options are those of a process whose requests go over a line.
func (w *scene) options(line *world.Interceptor) reconcile.Options {
	line.Send = w.Timed
	over := azcore.ClientOptions{Transport: line}
	over.Retry.RetryDelay = time.Millisecond
	blobs := w.Archives.Blobs(&over)
	return reconcile.Options{
		Policy: w.policy, Service: w.Open(over),
		Archive:   archive.Open(blobs, w.Names.Archive, archive.Options{Sources: over, Version: "test"}),
		State:     state.Open(blobs, w.Names.State),
		Sets:      dataset.Open(blobs, w.Names.Archive, "test"),
		Models:    models.Open(w.Customer.Account, w.Customer.Blobs(&over), w.Names.Models),
		Downloads: reconcile.Downloads{Suffix: "blob.core.windows.net", Loopback: []string{world.Host(w.t, w.Provider.BlobURL)}},
		Times:     reconcile.Times{LookInterval: 10 * time.Second, SettledFor: 7 * 24 * time.Hour, StuckAfter: 6 * time.Hour, IntentGrace: 2 * time.Minute},
		Clock:     world.Clock{Server: w.Service, Interceptor: line},
	}
}

func (w *scene) maker() *Maker { return w.process(world.NewInterceptor(w.t)) }

func (w *scene) process(line *world.Interceptor) *Maker { return &Maker{Options: w.options(line)} }

// begin is a person's yes.
func (w *scene) begin() {
	w.t.Helper()
	takes, err := w.maker().Takes(context.Background(), w.original)
	require.NoError(w.t, err)
	require.NoError(w.t, w.maker().Begin(context.Background(), w.original, takes))
}

// run is one run of a process of its own.
func (w *scene) run() *state.Twin {
	w.t.Helper()
	twin, err := w.maker().Run(context.Background(), w.original)
	require.NoError(w.t, err)
	return twin
}

// sweep is a sweep without what is about twins.
func (w *scene) sweep() {
	w.t.Helper()
	_, err := reconcile.New(w.options(world.NewInterceptor(w.t))).Sweep(context.Background(), reconcile.Before{})
	require.NoError(w.t, err)
}

// ends sweeps and runs until the twin has ended.
func (w *scene) ends() state.Twin {
	w.t.Helper()
	for range 30 {
		w.sweep()
		if twin := w.run(); !twin.Open() {
			return *twin
		}
		w.Service.Advance(10 * time.Minute)
	}
	record, _ := w.State.Load(context.Background(), w.original.ID)
	require.FailNow(w.t, "it comes to no end", "%+v %+v", record.Twin, record.Conditions)
	return state.Twin{}
}

// others are the projects besides the original.
func (w *scene) others() []customvision.Project {
	w.t.Helper()
	list, err := w.Client.Projects(context.Background())
	require.NoError(w.t, err)
	var others []customvision.Project
	for _, p := range list {
		if p.ID != w.original.ID {
			others = append(others, p)
		}
	}
	return others
}

// recorded are the twins of the original that the archive has.
func (w *scene) recorded() []archive.Twin {
	w.t.Helper()
	list, err := w.Archive.Twins(context.Background(), w.original.ID)
	require.NoError(w.t, err)
	return list
}
