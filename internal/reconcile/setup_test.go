package reconcile

import (
	"bytes"
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/dev/emulator"
	"visionkeeper/dev/leak"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/dataset"
	"visionkeeper/internal/holdout"
	"visionkeeper/internal/models"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
)

func TestMain(m *testing.M) { os.Exit(leak.Run(func() int { return azuritetest.Run(m) })) }

// app is a world with what reconciling needs to reach it. Its requests to storage
// go over line. The clock stands still but for the tests and the Reconciler.
type app struct {
	*world.World
	t       *testing.T
	line    *world.Interceptor
	options Options
	seen    string // the lists that the last sweep saw
}

// newWorld makes a world with a policy; change may alter the emulator's options.
func newWorld(t *testing.T, rules string, change ...func(*emulator.Options)) *app {
	t.Helper()
	service := emulator.Options{Logf: t.Logf}
	for _, f := range change {
		f(&service)
	}
	w := &app{World: world.New(t, world.Options{Still: true, Emulator: service}), t: t, line: world.NewInterceptor(t)}
	w.line.Send = w.Timed
	over := azcore.ClientOptions{Transport: w.line}
	w.options = Options{
		Policy: policy.ArchiveOnly, Service: w.Client,
		Archive:   archive.Open(w.Archives.Blobs(&over), w.Names.Archive, archive.Options{Sources: over}),
		State:     state.Open(w.Archives.Blobs(&over), w.Names.State),
		Sets:      dataset.Open(w.Archives.Blobs(&over), w.Names.Archive, "test"),
		Models:    models.Open(w.Customer.Account, w.Customer.Blobs(&over), w.Names.Models),
		HoldOuts:  holdout.Sets{Blobs: w.Archives.Blobs(&over)},
		Downloads: Downloads{Suffix: "blob.core.windows.net", Loopback: []string{world.Host(t, w.Provider.BlobURL)}},
		Times:     Times{LookInterval: 10 * time.Second, SettledFor: 7 * 24 * time.Hour, StuckAfter: 6 * time.Hour, IntentGrace: 2 * time.Minute},
		Clock:     world.Clock{Server: w.Service},
	}
	if rules != "" {
		w.options.Policy = parsed(t, rules)
	}
	return w
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
func (w *app) project(domain string) string {
	w.t.Helper()
	p := w.Create(customvision.CreateProjectOptions{DomainID: domain, ExportModelContainerURI: w.Containers.Models.URL()})
	if w.options.Service != nil {
		require.NoError(w.t, New(w.options).ConnectionTested(w.t.Context(), p.ID))
	}
	return p.ID
}

// trained is a new project on a compact domain with one trained iteration.
func (w *app) trained() Key {
	w.t.Helper()
	project := w.project(world.Compact)
	return Key{Project: project, Iteration: w.Train(project).ID}
}

// export makes an export to an end, as a person would.
func (w *app) export(key Key, name string) {
	w.t.Helper()
	platform, flavor := split(name)
	w.Export(key.Project, key.Iteration, platform, flavor)
}

// reconcile makes one look by a Reconciler of its own, as after a restart.
func (w *app) reconcile(key Key) Report {
	w.t.Helper()
	report, err := New(w.options).Reconcile(w.t.Context(), Request{Key: key})
	require.NoError(w.t, err)
	return report
}

// try makes one look, and joins what failed in it: what a message is answered by.
func (w *app) try(key Key) (Report, error) {
	w.t.Helper()
	report, err := New(w.options).Reconcile(w.t.Context(), Request{Key: key})
	return report, errors.Join(err, report.Err(""))
}

// condition is that of an export, or of a whole iteration where name is empty.
func (w *app) condition(key Key, name string) state.Condition {
	w.t.Helper()
	remembered := w.Remembered(key.Project)
	if c := remembered.Condition(state.Scope{Iteration: key.Iteration, Export: name}); c != nil {
		return *c
	}
	return state.Condition{}
}

// settle looks until nothing is waited for any more, and gives all that was done.
func (w *app) settle(key Key) []string {
	w.t.Helper()
	r := New(w.options)
	var done []Action
	for range 20 {
		report, err := r.Reconcile(w.t.Context(), Request{Key: key})
		require.NoError(w.t, err)
		if done = append(done, report.Done...); len(report.Waiting) == 0 {
			return steps(done)
		}
	}
	w.t.Fatal("it waits and waits")
	return nil
}

// backups are the verdicts of what the archive holds of a key, by name.
func (w *app) backups(key Key) map[string]archive.Verdict {
	w.t.Helper()
	return w.Verdicts(key.Project, key.Iteration)
}

func (w *app) kept(key Key) []archive.Backup {
	w.t.Helper()
	return w.Backups(key.Project, key.Iteration)
}

// loseState deletes all that is remembered of a project.
func (w *app) loseState(project string) {
	w.t.Helper()
	_, err := w.Containers.State.NewBlobClient("projects/"+project+".json").Delete(w.t.Context(), nil)
	require.NoError(w.t, err)
}

// logged is a context whose log is kept.
func logged(t *testing.T) (context.Context, *bytes.Buffer) {
	var b bytes.Buffer
	return zerolog.New(zerolog.SyncWriter(&b)).WithContext(t.Context()), &b
}

// calls are the operations of the API that a cause calls, with their counts.
func (w *app) calls(cause func()) map[string]int {
	before := w.Service.Counts()
	cause()
	after := w.Service.Counts()
	for name, n := range before {
		if after[name] -= n; after[name] == 0 {
			delete(after, name)
		}
	}
	return after
}
