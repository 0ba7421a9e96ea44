package functions_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/world"
	"visionkeeper/handler"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/reconcile"
	"visionkeeper/internal/state"
	"visionkeeper/internal/storage"
)

// projects adds as many, and gives all of the world's in the order of a sweep.
func (w *app) projects(more int) []string {
	all := []string{w.project}
	for range more {
		w.create(setting{container: true})
		all = append(all, w.project)
	}
	slices.Sort(all)
	return all
}

// within sweeps once, in an invocation that may take so long.
func (w *app) within(d time.Duration) error {
	ctx, cancel := context.WithTimeout(w.t.Context(), d)
	defer cancel()
	return w.sweep(ctx)
}

// archives reports whether a request writes a package into the archive, by whatever way.
func (w *app) archives(req *http.Request) bool {
	return req.Method == http.MethodPut && strings.Contains(req.URL.Path, "/"+w.Names.Archive+"/") &&
		strings.HasSuffix(req.URL.Path, ".zip")
}

// counts are the numbers that a round of sweeps came to.
type counts struct{ Projects, Covered, Failed, Unproven int }

func countsOf(h state.Health) counts { return counts{h.Projects, h.Covered, h.Failed, h.Unproven} }

func (w *app) verdicts() []archive.Verdict {
	var verdicts []archive.Verdict
	for _, b := range w.kept() {
		verdicts = append(verdicts, b.Verdict)
	}
	return verdicts
}

// three are three projects with an export each that is done.
func (w *app) three() []string {
	projects := w.projects(2)
	w.sweeping.Now = time.Now // as invocations have it
	for _, w.project = range projects {
		w.export(w.train())
	}
	return projects
}

func TestASweepWithNothingToDoMakesFourRequestsToStorage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{policy: onnx, container: true})
	w.three()
	requests := func() []world.Request {
		sent := w.line.During(func() { require.NoError(t, w.sweep(t.Context())) })
		return slices.DeleteFunc(slices.Clone(sent), func(r world.Request) bool { return strings.HasPrefix(r.URL.Path, "/customvision/") })
	}
	requests()
	w.Service.Advance(time.Hour) // the exports that were asked for are done
	requests()
	requests()
	assert.Equal(t, counts{Projects: 3, Covered: 3}, countsOf(w.Health()))
	assert.Len(t, requests(), 4, "the state and the model container listed, the poison queue read, health.json written")
}

// A project that hangs takes half of the time at most: the others have theirs.
func TestASweepGoesOnPastAProjectThatHangs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{policy: onnx, container: true})
	projects := w.three()
	w.line.Use(world.On(w.archives, func(req *http.Request, send world.Send) (*http.Response, error) {
		switch {
		case strings.Contains(req.URL.Path, projects[0]):
			return world.Refuse(403)(req, send)
		case strings.Contains(req.URL.Path, projects[1]):
			<-req.Context().Done()
			return nil, req.Context().Err()
		}
		return send(req)
	}))
	require.ErrorContains(t, w.within(24*time.Second), "more than half of the time")
	health := w.Health()
	assert.Equal(t, counts{Projects: 3, Covered: 3, Unproven: 2}, countsOf(health))
	assert.Empty(t, health.Resume)
	assert.Len(t, health.Conditions, 2)
	assert.Equal(t, []archive.Verdict{archive.Proven}, w.verdicts(), "of the third project")
}

// The sweep after one that was cut goes on behind the project where that was, and says
// what the whole round came to.
func TestARoundOfSweepsGoesOnWhereOneWasCut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{policy: onnx, container: true})
	projects := w.three()
	ctx, cut := context.WithCancel(t.Context())
	w.line.Use(world.On(w.archives, func(req *http.Request, send world.Send) (*http.Response, error) {
		switch {
		case strings.Contains(req.URL.Path, projects[0]):
			return world.Refuse(403)(req, send)
		case strings.Contains(req.URL.Path, projects[1]):
			cut()
			return nil, req.Context().Err()
		}
		return send(req)
	}))

	require.Error(t, w.sweep(ctx))
	first := w.Health()
	assert.Equal(t, projects[1], first.Resume)
	assert.Equal(t, counts{Projects: 3, Covered: 1, Failed: 1, Unproven: first.Unproven}, countsOf(first), "all of the first was looked at, and what it couldn't is a condition")
	assert.Positive(t, first.Unproven, "of the one that was cut it may not be known any more")
	assert.False(t, first.Oldest.IsZero())

	require.NoError(t, w.sweep(t.Context()), "the third is all that was left")
	whole := w.Health()
	assert.Equal(t, counts{Projects: 3, Covered: 2, Failed: 1, Unproven: first.Unproven}, countsOf(whole))
	assert.Equal(t, first.Oldest, whole.Oldest)
	assert.Empty(t, whole.Resume)
	assert.True(t, whole.Round.IsZero(), "the round wasn't whole")
	assert.Equal(t, []archive.Verdict{archive.Proven}, w.verdicts(), "of the third project")

	w.line.Use(nil)
	require.NoError(t, w.sweep(t.Context()))
	mended := w.Health()
	assert.Equal(t, counts{Projects: 3, Covered: 3}, countsOf(mended))
	assert.Equal(t, mended.Ended, mended.Round)
	assert.Len(t, w.verdicts(), 3)
}

// A part of a round that didn't see the list of projects may have missed one that nobody
// else knows: the parts that follow make no whole round of it.
func TestARoundThatBeganWithoutTheListOfProjectsIsNotWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{policy: onnx, container: true})
	projects := w.three()
	ctx, cut := context.WithCancel(t.Context())
	w.line.Use(func(req *http.Request, send world.Send) (*http.Response, error) {
		switch {
		case w.is("GetProjects")(req):
			return world.Refuse(403)(req, send)
		case w.archives(req) && strings.Contains(req.URL.Path, projects[1]):
			resp, err := send(req)
			cut()
			return resp, err
		}
		return send(req)
	})
	require.Error(t, w.sweep(ctx))
	first := w.Health()
	require.Equal(t, projects[1], first.Resume)
	first.Covered, first.Failed = 2, 0 // as if the time had been up a moment later
	require.NoError(t, w.sweeping.State.SetHealth(t.Context(), first))

	w.line.Use(nil)
	require.NoError(t, w.sweep(t.Context()))
	assert.True(t, w.Health().Round.IsZero(), "its first part was not whole")
	require.NoError(t, w.sweep(t.Context()))
	assert.False(t, w.Health().Round.IsZero())
}

// A package that nothing waits for is noted before it is read only where the sweep
// before may have died of it.
func TestASweepNotesWhatItBeginsAfterOneThatDidNotEnd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		timer string
		notes int
	}{
		"the sweep before ended":          {`{"ScheduleStatus":{"Last":"2020-01-01T00:00:00+00:00"}}`, 0},
		"it ended, and the host is local": {`{"ScheduleStatus":{"Last":"2020-01-01T00:00:00"}}`, 0},
		"there was none":                  {`{"ScheduleStatus":{"Last":"0001-01-01T00:00:00"}}`, 0},
		"it began and didn't end":         {`{"ScheduleStatus":{"Last":"2999-01-01T00:00:00+00:00"}}`, 1},
		"it is late":                      {`{"IsPastDue":true,"ScheduleStatus":{"Last":"2020-01-01T00:00:00+00:00"}}`, 1},
		"the schedule isn't monitored":    {`{"ScheduleStatus":null}`, 1},
		"a person called it":              {`"now"`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, setting{policy: onnx, container: true})
			require.NoError(t, w.sweep(t.Context()))
			w.export(w.train())
			writes := 0
			w.line.Use(func(req *http.Request, send world.Send) (*http.Response, error) {
				if w.operation(req) == "state PUT" {
					writes++
				}
				return send(req)
			})
			require.NoError(t, w.sweepAt(t.Context(), c.timer))
			assert.Equal(t, 1+c.notes, writes)
			assert.Equal(t, []archive.Verdict{archive.Proven}, w.verdicts())
		})
	}
}

// A project whose id is no GUID has no state: health.json alone remembers it.
func TestSinceWhenAProjectCannotBeHandledIsRemembered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{policy: onnx})
	w.line.Use(world.On(func(req *http.Request) bool { return strings.HasSuffix(req.URL.Path, "/projects") }, world.Spoil(func(body []byte) []byte {
		return append([]byte(`[{"id":"no GUID","name":"odd"},`), bytes.TrimPrefix(body, []byte("["))...)
	})))
	require.NoError(t, w.sweep(t.Context()))
	first := w.Health()
	require.Len(t, first.Conditions, 1)
	assert.Equal(t, state.BadName, first.Conditions[0].Code)
	began := first.Conditions[0].First

	w.Service.Advance(24 * time.Hour)
	require.NoError(t, w.sweep(t.Context()))
	later := w.Health()
	require.Len(t, later.Conditions, 1)
	assert.Equal(t, began, later.Conditions[0].First)
	assert.Equal(t, 24*time.Hour, later.Conditions[0].Last.Sub(began))

	later.Resume = nobody // the round isn't over
	require.NoError(t, w.sweeping.State.SetHealth(t.Context(), later))
	require.NoError(t, w.sweep(t.Context()))
	cut := w.Health()
	require.Len(t, cut.Conditions, 1, "a round counts it once")
	assert.Equal(t, 1, cut.Blocked)
	assert.Equal(t, began, cut.Conditions[0].First)
}

// That the projects can't be listed has no state either: each sweep says so, once in a
// round, until they can.
func TestSinceWhenTheProjectsCannotBeListedIsRemembered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{policy: onnx, container: true})
	require.NoError(t, w.sweep(t.Context()))
	w.line.Use(world.On(w.is("GetProjects"), world.Refuse(403)))
	began := w.Service.Now()
	for n := range 3 {
		require.Error(t, w.sweep(t.Context()))
		health := w.Health()
		require.Len(t, health.Conditions, 1)
		c := health.Conditions[0]
		assert.Equal(t, state.Unseen, c.Code)
		assert.Contains(t, c.Why, "list the projects")
		assert.WithinDuration(t, began, c.First, time.Minute)
		assert.Equal(t, n+1, c.Attempts)
		assert.Equal(t, 1, health.Blocked)
		assert.Equal(t, n+1, health.Covered, "the project that the state knows, in each sweep")
		w.Service.Advance(24 * time.Hour)

		health.Resume = "0" // the round isn't over, and every project comes after it
		require.NoError(t, w.sweeping.State.SetHealth(t.Context(), health))
	}
	w.line.Use(nil)
	require.NoError(t, w.sweep(t.Context()))
	health := w.Health()
	assert.Empty(t, health.Conditions)
	assert.Zero(t, health.Blocked)
}

// The messages are about a project that waits for its export: each has to wait
// until it may be looked at again.
func TestPoisonDoesNotKeepTheSweepWaiting(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{policy: onnx, container: true})
	n := trained(w)
	w.Service.StallExports(1)
	require.NoError(t, w.tell(t.Context(), n))
	w.create(setting{container: true})
	w.export(w.train())
	w.options.Clock = reconcile.SystemClock{}
	w.options.Times.LookInterval = 2 * time.Second
	w.restart()
	w.sweeping.Now = time.Now
	const messages = 20
	for i := range messages {
		text := fmt.Sprintf(`{"version":"1.0","type":"Training","Content":{"projectId":"%s","iterationId":"%s","trainingStatus":"TrainingCompleted"}}%*s`, n.ProjectID, n.IterationID, i, "")
		_, err := w.Poison.EnqueueMessage(t.Context(), base64.StdEncoding.EncodeToString([]byte(text)), nil)
		require.NoError(t, err)
	}
	for range 4 { // more often than a message is tried
		require.Error(t, w.within(8*time.Second), "most of them are left")
		assert.Less(t, w.Health().Poison, messages)
	}
	assert.Equal(t, []archive.Verdict{archive.Proven}, w.verdicts(), "the other project is swept all the same")
	assert.Equal(t, 2, w.Health().Projects)
	assert.Empty(t, w.Letters(), "none is given up that there was no time for")
}

// There are often many copies: one is dealt with, and each ends in a line of its own.
func TestEachPoisonMessageEndsInOneLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{policy: onnx})
	unconfirmed, err := json.Marshal(customvision.Notification{Kind: customvision.KindTraining, ProjectID: w.project, IterationID: nobody, TrainingStatus: customvision.NotifiedTrainingCompleted})
	require.NoError(t, err)
	for _, text := range []string{noNotification, noNotification, string(unconfirmed), string(unconfirmed)} {
		_, err := w.Poison.EnqueueMessage(t.Context(), text, nil)
		require.NoError(t, err)
	}
	var printed bytes.Buffer
	log := zerolog.New(&printed)
	require.NoError(t, w.sweeping.Invoke(log.WithContext(t.Context()), &handler.Invocation{Log: log}))
	ends := map[string]int{}
	for line := range strings.Lines(printed.String()) {
		var said struct{ Level, Message string }
		require.NoError(t, json.Unmarshal([]byte(line), &said))
		if strings.HasPrefix(said.Message, "message ") {
			assert.Equal(t, "info", said.Level, line)
			what, _, _ := strings.Cut(said.Message, ":")
			ends[what]++
		}
	}
	assert.Equal(t, map[string]int{"message kept as a dead letter": 1, "message left to the sweep": 1, "message dealt with": 2}, ends)
	assert.Equal(t, 4, w.Health().Poison)
}

// A copy may seem damaged, and copying it again fail: the blob is still good.
func TestADamagedCopyIsNotTheBlob(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{policy: `{"projects":[{"project":"*"}]}`, container: true})
	it := w.train()
	data := zipped("cvexport.manifest", `{"IterationId":"OWN","Platform":"ONNX","Flavor":null,"ModelFileName":"model.onnx","ModelFileSHA1":"`+sha1Hex("model")+`"}`, "model.onnx", "model")(it)
	_, err := w.Containers.Models.NewBlockBlobClient(customvision.BlobName(w.project, it, "ONNX")).UploadBuffer(t.Context(), data, nil)
	require.NoError(t, err)
	reads := 0
	w.spoil("archive GET", func(req *http.Request, send world.Send) (*http.Response, error) {
		if reads++; reads == 2 { // both alike: else it is taken for spoilt on its way
			w.line.Use(world.On(w.archives, world.Refuse(403)))
		}
		return world.Spoil(func(body []byte) []byte {
			body[60] ^= 1
			return body
		})(req, send)
	})
	require.Error(t, w.sweep(t.Context()))
	require.Equal(t, []archive.Verdict{archive.Damaged}, w.verdicts())

	w.line.Use(nil)
	require.NoError(t, w.sweep(t.Context()))
	assert.Contains(t, w.verdicts(), archive.Proven)
	assert.Zero(t, w.Health().Blocked)
}

// docs/set-up.md gives the app a role in the archive that can't delete.
func TestABackupNeedsNoRightToDeleteInTheArchive(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{policy: onnx, container: true})
	w.line.Use(world.On(func(req *http.Request) bool {
		return req.Method == http.MethodDelete && strings.Contains(req.URL.Path, "/"+w.Names.Archive)
	}, func(req *http.Request, _ world.Send) (*http.Response, error) {
		t.Errorf("%s %s", req.Method, req.URL.Path)
		return nil, world.Killed{}
	}))
	w.export(w.train())
	require.NoError(t, w.sweep(t.Context()))
	assert.Equal(t, []archive.Verdict{archive.Proven}, w.verdicts())
	archives := w.Archives.Blobs(&azcore.ClientOptions{Transport: w.line})
	require.NoError(t, storage.MayList(t.Context(), archives, w.Names.Archive))
	require.NoError(t, storage.MayWrite(t.Context(), archives, w.Names.Archive), "what check asks")
}

// forgotten buries a letter that the next sweep has to delete.
func (w *app) forgotten() {
	_, err := w.State.Bury(w.t.Context(), []byte("no message"), "malformed", w.Service.Now())
	require.NoError(w.t, err)
	w.Service.Advance(400 * 24 * time.Hour)
}

// Deleting very many letters would take all the time that there is.
func TestDeadLettersDoNotKeepTheSweepWaiting(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{policy: onnx, container: true})
	w.forgotten()
	var met atomic.Bool
	w.line.Use(world.On(w.is("dead letter DELETE"), func(r *http.Request, _ world.Send) (*http.Response, error) {
		met.Store(true)
		<-r.Context().Done()
		return nil, r.Context().Err()
	}))
	assert.NoError(t, w.within(30*time.Second), "the next sweep deletes the others")
	require.True(t, met.Load(), "the sweep came to the letters")
	assert.Equal(t, counts{Projects: 1, Covered: 1}, countsOf(w.Health()))
}

// The next sweep continues by it.
func TestHealthIsWrittenThoughTheTimeIsUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{policy: onnx, container: true})
	ctx, end := context.WithCancel(t.Context())
	defer end()
	w.line.Use(world.On(w.is("GetIterations"), func(*http.Request, world.Send) (*http.Response, error) {
		end()
		return nil, ctx.Err()
	}))
	require.Error(t, w.sweep(ctx))
	health := w.Health()
	assert.False(t, health.Ended.IsZero())
	assert.Equal(t, 1, health.Failed)
}

// Custom Vision is gone, and the last round was cut.
func TestDeadLettersAreDeletedThoughTheServiceIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{policy: onnx, container: true})
	w.forgotten()
	require.NoError(t, w.State.SetHealth(t.Context(), state.Health{Resume: "11111111-1111-4111-8111-111111111111"}))
	w.Retire()
	w.sweep(t.Context())
	left, err := w.State.DeadLetters(t.Context())
	require.NoError(t, err)
	assert.Empty(t, left)
}

// What only the state remembers isn't gone over then: the next sweep has to.
func TestASweepThatCannotListTheStateIsNotWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{policy: onnx, container: true})
	require.NoError(t, w.sweep(t.Context()))
	before := w.Health()
	require.NotEmpty(t, before.Lists)
	w.Service.Advance(time.Hour)
	w.create(setting{container: true})
	w.line.Use(world.On(func(req *http.Request) bool {
		return req.URL.Query().Get("comp") == "list" && strings.Contains(req.URL.Path, "/"+w.Names.State)
	}, world.Refuse(403)))
	require.ErrorContains(t, w.sweep(t.Context()), "list the state")
	health := w.Health()
	assert.Equal(t, counts{Projects: 2, Covered: 2}, countsOf(health), "the service lists them")
	assert.True(t, health.Gap)
	assert.Empty(t, health.Lists)
	assert.Equal(t, before.Round, health.Round)
}

// A page shows the health.json before meanwhile.
func TestASweepThatGoesOnChangesNothingOfTheOneBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{policy: onnx, container: true})
	conditions := []state.ProjectCondition{
		{Condition: state.Condition{Code: state.Unseen, Why: "the list"}},
		{Project: w.project, Condition: state.Condition{Code: state.NoLink, Why: "no link"}},
	}
	require.NoError(t, w.options.State.SetHealth(t.Context(), state.Health{Resume: w.project, Conditions: conditions}))
	view, err := w.options.State.View(t.Context())
	require.NoError(t, err)
	require.NoError(t, w.sweep(t.Context()))
	assert.Equal(t, conditions, view.Health.Conditions)
}
