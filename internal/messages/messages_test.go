package messages_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite"
	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/dev/emulator"
	"visionkeeper/dev/leak"
	"visionkeeper/dev/world"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/dataset"
	"visionkeeper/internal/messages"
	"visionkeeper/internal/models"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/reconcile"
	"visionkeeper/internal/state"
)

func TestMain(m *testing.M) { os.Exit(leak.Run(func() int { return azuritetest.Run(m) })) }

// app deals with messages in a world whose clock stands still.
type app struct {
	*world.World
	t       *testing.T
	line    *world.Interceptor
	options reconcile.Options
}

func newWorld(t *testing.T, rules string) *app {
	t.Helper()
	w := &app{World: world.New(t, world.Options{Still: true}), t: t, line: world.NewInterceptor(t)}
	w.line.Send = w.Timed
	over := azcore.ClientOptions{Transport: w.line}
	parsed, err := policy.Parse([]byte(rules))
	require.NoError(t, err)
	w.options = reconcile.Options{
		Policy: parsed, Service: w.Open(over),
		Archive:   archive.Open(w.Archives.Blobs(&over), w.Names.Archive, archive.Options{Sources: over}),
		State:     state.Open(w.Archives.Blobs(&over), w.Names.State),
		Sets:      dataset.Open(w.Archives.Blobs(&over), w.Names.Archive, "test"),
		Models:    models.Open(w.Customer.Account, w.Customer.Blobs(&over), w.Names.Models),
		Downloads: reconcile.Downloads{Suffix: "blob.core.windows.net", Loopback: []string{world.Host(t, w.Provider.BlobURL)}},
		Times:     reconcile.Times{LookInterval: 10 * time.Second, SettledFor: 7 * 24 * time.Hour, StuckAfter: 6 * time.Hour, IntentGrace: 2 * time.Minute},
		Clock:     world.Clock{Server: w.Service},
	}
	return w
}

// project is one with the model container, known to the app.
func (w *app) project(name string) string {
	w.t.Helper()
	p := w.Create(customvision.CreateProjectOptions{Name: name, ExportModelContainerURI: w.Containers.Models.URL()})
	require.NoError(w.t, reconcile.New(w.options).ConnectionTested(w.t.Context(), p.ID))
	return p.ID
}

func trained(project, iteration string) customvision.Notification {
	return customvision.Notification{Kind: customvision.KindTraining, ProjectID: project, IterationID: iteration, TrainingStatus: customvision.NotifiedTrainingCompleted}
}

// exported is the message about an export, with the blob that it names.
func (w *app) exported(project, iteration, platform string) customvision.Notification {
	return customvision.Notification{Kind: customvision.KindExport, ProjectID: project, IterationID: iteration, ExportStatus: customvision.NotifiedExportCompleted,
		ModelURI: w.Containers.Models.URL() + "/" + customvision.BlobName(project, iteration, platform)}
}

// deal deals with a message in a process of its own, and gives what it logged.
func (w *app) deal(n customvision.Notification, m messages.Message) (log string, err error) {
	w.t.Helper()
	return w.dealBy(reconcile.New(w.options), n, m)
}

// dealBy deals with a message in the process that has a Reconciler.
func (w *app) dealBy(r *reconcile.Reconciler, n customvision.Notification, m messages.Message) (log string, err error) {
	w.t.Helper()
	if m.Raw == nil {
		m.Raw, err = json.Marshal(n)
		require.NoError(w.t, err)
	}
	var lines bytes.Buffer
	h := messages.Handler{Reconciler: r, State: r.State, Now: w.Service.Now}
	err = h.Deal(zerolog.New(&lines).WithContext(w.t.Context()), m)
	return lines.String(), err
}

const onnx = `{"projects":[{"project":"in","exports":["ONNX"]}]}`

func TestEachMessageEndsInOneLineThatSaysWhatCameOfIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	project := w.project("in")
	iteration := w.Train(project).ID
	other := w.project("out")
	last := func(log string) string {
		lines := strings.Split(strings.TrimSpace(log), "\n")
		n := 0
		for _, line := range lines {
			if strings.Contains(line, `"message":"message `) {
				n++
			}
		}
		assert.Equal(t, 1, n, "one line is about the message: %s", log)
		return lines[len(lines)-1]
	}
	step := func(n customvision.Notification, m messages.Message, want ...string) {
		t.Helper()
		log, _ := w.deal(n, m)
		for _, text := range want {
			assert.Contains(t, last(log), text)
		}
	}
	info := `"level":"info"`
	own := []string{info, `"project":"` + project, `"iteration":"` + iteration}
	step(trained(project, iteration), messages.Message{}, append(own, `"outcome":"waiting: it is being exported"`)...)
	step(w.exported(project, iteration, "ONNX"), messages.Message{}, append(own, "does not show yet", "message comes again")...)
	step(w.exported(project, iteration, "ONNX"), messages.Message{Last: true}, append(own, "left to the sweep")...)
	w.Service.Advance(world.ExportTime)
	step(w.exported(project, iteration, "ONNX"), messages.Message{}, append(own, `"outcome":"done"`)...)
	w.Service.Advance(time.Minute)
	step(w.exported(project, iteration, "ONNX"), messages.Message{Inserted: w.Service.Now().Add(-time.Hour)}, append(own, "everything was done already since")...)
	step(trained(other, iteration), messages.Message{}, info, "the policy leaves the project alone")
	step(customvision.Notification{Kind: customvision.KindConnectionTest, ProjectID: project}, messages.Message{}, info, "Custom Vision reaches the queue")
	require.NoError(t, w.Service.FaultCalls("ExportIteration", 1, emulator.CallFault{Status: 400, Code: "BadRequestExceededQuota"}))
	again := w.Train(project).ID
	step(trained(project, again), messages.Message{}, info, `"outcome":"can't be done now: the service refuses to export it`)
	step(customvision.Notification{}, messages.Message{Raw: []byte("no message")}, info, "dead letter")
	step(trained("11111111-2222-4333-8444-555555555555", iteration), messages.Message{}, info, "dead letter", "there is no such project")
	w.line.Use(world.On(world.Begins("GET /"+azurite.Archive+"/"+w.Names.State), world.Refuse(403)))
	step(trained(project, again), messages.Message{}, append(own[:2:2], "message comes again")...)
	step(trained(project, again), messages.Message{GiveUp: "it failed 3 times"}, append(own[:2:2], "message comes again")...)
	w.line.Use(world.On(world.Begins("PUT /"+azurite.Archive+"/"+w.Names.State), world.Refuse(403)))
	step(customvision.Notification{}, messages.Message{Raw: []byte("no message either")}, info, "message comes again")
}

// A step that fails has a line of its own; what ends before a step fails is told by the
// message's line. Neither is to be said again.
func TestEachFailureOfAMessageIsOneLine(t *testing.T) {
	t.Parallel()
	for name, begins := range map[string]string{
		"a step":  "PUT /" + azurite.Archive + "/archive",
		"the run": "GET /" + azurite.Archive + "/state",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, onnx)
			project := w.project("in")
			iteration := w.Train(project).ID
			w.Export(project, iteration, "ONNX", "")
			w.line.Use(world.On(world.Begins(begins), world.Refuse(403)))
			log, err := w.deal(w.exported(project, iteration, "ONNX"), messages.Message{})
			require.Error(t, err)
			assert.Equal(t, 1, strings.Count(log, `"error":`), log)
			var said interface{ Logged() bool }
			require.ErrorAs(t, err, &said)
			assert.True(t, said.Logged())
		})
	}
}

// What no outage explains is given up. An outage of either service is none of the
// message's tries.
func TestAnOutageUsesUpNoTries(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		begin func(*app)
		given int
	}{
		"of the service": {func(w *app) {
			w.line.Use(world.On(func(req *http.Request) bool { return req.URL.Host == world.Host(t, w.API) }, world.Refuse(500)))
		}, 0},
		"of the connection": {func(w *app) {
			w.line.Use(world.On(func(req *http.Request) bool { return req.URL.Host == world.Host(t, w.API) }, world.Break))
		}, 0},
		"of the state": {func(w *app) {
			w.line.Use(world.On(world.Begins("GET /"+azurite.Archive+"/"+w.Names.State), world.Refuse(403)))
		}, 0},
		"of the archive": {func(w *app) {
			w.line.Use(world.On(world.Begins("PUT /"+azurite.Archive+"/"+w.Names.Archive), world.Refuse(403)))
		}, 0},
		"none, but a fault of the program": {func(w *app) { w.options.Policy = panicking{} }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, onnx)
			project := w.project("in")
			key := w.Train(project).ID
			w.Export(project, key, "ONNX", "")
			c.begin(w)
			log, err := w.deal(w.exported(project, key, "ONNX"), messages.Message{Last: true, GiveUp: "it failed 3 times"})
			assert.Equal(t, c.given == 0, err != nil, "it comes again: %s", log)
			w.line.Use(nil)
			assert.Len(t, w.Letters(), c.given)
		})
	}
}

// panicking is a fault of the program.
type panicking struct{}

func (panicking) Now(context.Context) (policy.InForce, error) { panic("a fault") }

func TestAMessageForWhatIsSettledSinceItWasSentCostsOneReadOfTheState(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx) // by its name, which the state has
	project := w.project("in")
	iteration := w.Train(project).ID
	w.Export(project, iteration, "ONNX", "")
	sent := w.Service.Now()
	w.Service.Advance(time.Minute)
	_, err := w.deal(w.exported(project, iteration, "ONNX"), messages.Message{Inserted: sent})
	require.NoError(t, err)
	for range 3 { // copies of the message, and those about the other ends
		requests := w.line.During(func() {
			_, err := w.deal(w.exported(project, iteration, "ONNX"), messages.Message{Inserted: sent})
			assert.NoError(t, err)
		})
		require.Len(t, requests, 1)
		assert.True(t, world.Begins("GET /"+azurite.Archive+"/"+w.Names.State)(requests[0].Request), requests)
	}
	// One that was sent after the look is a look.
	requests := w.line.During(func() {
		w.deal(w.exported(project, iteration, "ONNX"), messages.Message{Inserted: w.Service.Now().Add(time.Minute)})
	})
	assert.Greater(t, len(requests), 1)
}

// Copies of a message come close together. A process that has looked since they were sent
// needs not even the state for them, but reads it again after an interval.
func TestCopiesOfAMessageCostTheProcessThatLookedNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	project := w.project("in")
	iteration, other := w.Train(project).ID, w.Train(project).ID
	w.Export(project, iteration, "ONNX", "")
	sent := w.Service.Now()
	w.Service.Advance(time.Minute)
	r := reconcile.New(w.options)
	requests := func(n customvision.Notification, inserted time.Time, outcome string) int {
		return len(w.line.During(func() {
			log, err := w.dealBy(r, n, messages.Message{Inserted: inserted})
			assert.NoError(t, err)
			assert.Contains(t, log, outcome)
		}))
	}
	assert.NotZero(t, requests(w.exported(project, iteration, "ONNX"), sent, `"outcome":"done"`))
	for range 2 {
		for range 9 {
			assert.Zero(t, requests(w.exported(project, iteration, "ONNX"), sent, "everything was done already since"))
			w.Service.Advance(time.Second)
		}
		w.Service.Advance(time.Second)
		assert.Equal(t, 1, requests(w.exported(project, iteration, "ONNX"), sent, "everything was done already since"))
	}
	assert.NotZero(t, requests(trained(project, other), sent, `"outcome":"done"`), "nobody asked for a look at this one")
	assert.NotZero(t, requests(w.exported(project, iteration, "ONNX"), w.Service.Now(), `"outcome":"done"`), "sent after the look")
}

// The service's list of exports may be late. A look that didn't show what a message claims
// is no answer to it, though everything that it showed was done.
func TestASettledIterationDoesNotAnswerForAnExportThatItsLookDidNotShow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"in","exports":[]}]}`)
	project := w.project("in")
	iteration := w.Train(project).ID
	w.Export(project, iteration, "CoreML", "")
	sent := w.Service.Now()
	w.Service.Advance(time.Minute)
	_, err := w.deal(w.exported(project, iteration, "CoreML"), messages.Message{Inserted: sent})
	require.NoError(t, err)
	sent = w.Service.Now()
	w.Service.Advance(time.Minute)
	late := w.exported(project, iteration, "ONNX")
	_, err = w.deal(late, messages.Message{Inserted: sent})
	require.ErrorContains(t, err, "does not show yet")
	_, err = w.deal(late, messages.Message{Inserted: sent, Again: true})
	require.ErrorContains(t, err, "does not show yet", "nor is it answered by its own failed look")
	w.Export(project, iteration, "ONNX", "")
	log, err := w.deal(late, messages.Message{Inserted: sent, Again: true})
	require.NoError(t, err)
	assert.Contains(t, log, `"outcome":"done"`)
	assert.Equal(t, map[string]archive.Verdict{"CoreML": archive.Proven, "ONNX": archive.Proven}, w.Verdicts(project, iteration))
}

// A message is answered by what became of its own iteration, and of its own export.
func TestAMessageIsAnsweredByItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"in","exports":[]}]}`)
	project := w.project("in")
	old, young := w.Train(project).ID, w.Train(project).ID
	for _, it := range []string{old, young} {
		w.Export(project, it, "ONNX", "")
		w.Export(project, it, "CoreML", "")
	}
	// Of the old iteration nothing can be archived, of the young one no ONNX.
	w.line.Use(world.On(func(req *http.Request) bool {
		return req.Method == http.MethodPut && (strings.Contains(req.URL.Path, old) || strings.Contains(req.URL.Path, "/ONNX/"))
	}, world.Refuse(403)))
	_, err := w.deal(w.exported(project, young, "CoreML"), messages.Message{})
	assert.NoError(t, err)
	assert.Equal(t, map[string]archive.Verdict{"CoreML": archive.Proven}, w.Verdicts(project, young))
	_, err = w.deal(w.exported(project, young, "ONNX"), messages.Message{})
	assert.ErrorContains(t, err, "ONNX", "its own")
	assert.NotContains(t, err.Error(), old)
	for range 6 { // until its pause is longer than the host's
		_, err = w.deal(w.exported(project, young, "ONNX"), messages.Message{})
	}
	assert.NoError(t, err, "its condition is known, and tried again when due: no dead letter")
	assert.Empty(t, w.Letters())
}

// A message that names its export says what became of that, not what another export of
// the iteration meets.
func TestTheOutcomeIsThatOfTheMessagesOwnExport(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"in","exports":["CoreML"]}]}`)
	project := w.project("in")
	iteration := w.Train(project).ID
	require.NoError(t, w.Service.FaultCalls("ExportIteration", 1, emulator.CallFault{Status: 400, Code: "BadRequestExceededQuota"}))
	log, err := w.deal(trained(project, iteration), messages.Message{})
	require.NoError(t, err)
	assert.Contains(t, log, `"outcome":"can't be done now`, "the message about the training is about all of them")
	w.Export(project, iteration, "ONNX", "")
	log, err = w.deal(w.exported(project, iteration, "ONNX"), messages.Message{})
	require.NoError(t, err)
	require.Equal(t, map[string]archive.Verdict{"ONNX": archive.Proven}, w.Verdicts(project, iteration))
	assert.Contains(t, log, `"outcome":"done"`)
}

// With mode observe nothing comes of what is wanted, however often it is asked.
func TestTheOutcomeSaysThatThePolicyOnlyObserves(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"mode":"observe","projects":[{"project":"in","exports":["CoreML"],"retrain":{"afterFailure":1}}]}`)
	project := w.project("in")
	iteration := w.Train(project).ID
	for range 2 {
		log, err := w.deal(trained(project, iteration), messages.Message{})
		require.NoError(t, err)
		assert.Contains(t, log, `"outcome":"would export CoreML, but the policy only observes"`)
	}
	w.Export(project, iteration, "ONNX", "")
	log, err := w.deal(w.exported(project, iteration, "ONNX"), messages.Message{})
	require.NoError(t, err)
	assert.Contains(t, log, `"outcome":"done"`, "its own export is archived")
	w.Service.FailTrainings(1)
	failed := w.Train(project).ID
	log, err = w.deal(customvision.Notification{Kind: customvision.KindTraining, ProjectID: project, IterationID: failed, TrainingStatus: customvision.NotifiedTrainingFailed}, messages.Message{})
	require.NoError(t, err)
	assert.Contains(t, log, `"outcome":"would retrain, but the policy only observes"`)
}

// A fact that the service doesn't say is a condition. A message comes again for it while
// it is tried again at once, and not for hours.
func TestAFactThatIsLateFailsNoMessageForHours(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	project := w.project("in")
	iteration := w.Train(project).ID
	require.NoError(t, w.Service.FaultCalls("GetIterationPerformance", 1_000_000, emulator.CallFault{Status: 403}))
	w.Export(project, iteration, "ONNX", "")
	for n := range 12 {
		log, err := w.deal(w.exported(project, iteration, "ONNX"), messages.Message{})
		if n < 2 {
			require.ErrorContains(t, err, "performance")
			continue
		}
		require.NoError(t, err)
		assert.Contains(t, log, `"outcome":"done, but the performance, which its proofs record, is not known yet`)
		w.Service.Advance(time.Hour)
	}
	var missing []state.Scope
	for _, c := range w.Remembered(project).Conditions {
		missing = append(missing, c.Scope)
	}
	assert.ElementsMatch(t, []state.Scope{{Iteration: iteration, Fact: "performance"}, {Iteration: iteration, Export: "ONNX"}}, missing)
}

// Without an endpoint too, however the message writes the blob's address.
func TestWithoutAnEndpointAMessageIsAnsweredByItsOwn(t *testing.T) {
	t.Parallel()
	escaped := func(uri string) string { return strings.ReplaceAll(uri, " ", "%20") }
	for name, write := range map[string]func(uri string) string{
		"as it is":             func(uri string) string { return uri },
		"escaped and signed":   func(uri string) string { return escaped(uri) + "?sig=secret" },
		"by another host name": func(uri string) string { return escaped(strings.Replace(uri, "127.0.0.1", "LOCALHOST", 1)) },
		"by the account's zone": func(uri string) string {
			return "https://customer.z01.blob.core.windows.net:443/models" + escaped(uri[strings.LastIndex(uri, "/"):])
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, `{"projects":[{"project":"*"}]}`)
			project := w.project("in")
			iteration := w.Train(project).ID
			w.Export(project, iteration, "ONNX", "")
			w.Export(project, iteration, "CoreML", "")
			w.options.Service = nil
			w.line.Use(world.On(func(req *http.Request) bool {
				return req.Method == http.MethodPut && strings.Contains(req.URL.Path, "/ONNX/")
			}, world.Refuse(403)))
			for range 2 {
				n := w.exported(project, iteration, "CoreML")
				n.ModelURI = write(n.ModelURI)
				log, err := w.deal(n, messages.Message{})
				require.NoError(t, err)
				assert.Contains(t, log, `"outcome":"done"`)
			}
			assert.Equal(t, map[string]archive.Verdict{"CoreML": archive.Proven}, w.Verdicts(project, iteration))
			n := w.exported(project, iteration, "ONNX")
			n.ModelURI = write(n.ModelURI)
			_, err := w.deal(n, messages.Message{})
			assert.ErrorContains(t, err, "ONNX", "its own")

			n = w.exported(project, iteration, "TensorFlow")
			n.ModelURI = write(n.ModelURI)
			_, err = w.deal(n, messages.Message{})
			assert.ErrorContains(t, err, "TensorFlow", "the blob that it is about isn't there yet, though others are")
		})
	}
}

// A package without a model is kept, and isn't called archived.
func TestWithoutAnEndpointLabelsAloneAreNotArchived(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*"}]}`)
	project := w.project("in")
	iteration := w.Train(project).ID
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	labels, err := z.Create("labels.txt")
	require.NoError(t, err)
	_, err = labels.Write([]byte("a\nb"))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	name := customvision.BlobName(project, iteration, "ONNX")
	_, err = w.Containers.Models.NewBlockBlobClient(name).UploadBuffer(t.Context(), b.Bytes(), nil)
	require.NoError(t, err)
	w.options.Service = nil
	log, err := w.deal(w.exported(project, iteration, "ONNX"), messages.Message{})
	require.NoError(t, err)
	assert.NotContains(t, log, `"message":"archived"`)
	assert.Contains(t, log, `"outcome":"can't be done now: a copy is kept, but nothing shows`)
	assert.Equal(t, map[string]archive.Verdict{"ONNX": archive.Unidentified}, w.Verdicts(project, iteration))
	remembered := w.Remembered(project)
	require.Len(t, remembered.Conditions, 1)
	c := remembered.Conditions[0]
	assert.Equal(t, state.Scope{Iteration: iteration, Blob: name, ETag: c.ETag}, c.Scope)
	assert.Equal(t, state.Ambiguous, c.Code)
	assert.False(t, c.Final())
	assert.Empty(t, remembered.Iterations)
	swept, err := reconcile.New(w.options).Sweep(t.Context(), reconcile.Before{})
	require.NoError(t, err)
	assert.Equal(t, 1, swept.Blocked, "and stays counted")
}
