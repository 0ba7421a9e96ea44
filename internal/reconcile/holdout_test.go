package reconcile

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/holdout"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
)

const detector = "a27d5ca5-bb19-49d8-a70a-fec086c47f5b" // the domain General (compact) of object detection

// heldOut is a world whose policy measures by a hold-out set of so many pictures of cups and
// forks, and more keys of promote.
func heldOut(t *testing.T, pictures int, more string) (w *app, project string) {
	w = newWorld(t, "")
	w.options.Policy = parsed(t, `{"projects":[{"project":"*","promote":{"name":"production","predictionId":"`+predictor+`","holdOut":"`+w.Names.HoldOut+`"`+more+`}}]}`)
	project = w.project(world.Compact)
	for _, tag := range []string{"cup", "fork"} {
		w.Tag(project, tag)
	}
	if pictures > 0 {
		w.HoldOutPictures(pictures, "cup", "fork")
	}
	return w, project
}

// asked are the quick tests that a cause makes.
func (w *app) asked(cause func()) int {
	w.t.Helper()
	return w.calls(cause)["QuickTestImage"]
}

// tests matches quick tests.
func tests(req *http.Request) bool { return strings.HasSuffix(req.URL.Path, "/quicktest/image") }

func TestTheGateGoesByAHoldOutSet(t *testing.T) {
	t.Parallel()
	w, project := heldOut(t, 40, `,"minimum":{"precision":0.8}`)
	first := w.train(project, 1)
	calls := w.calls(func() {
		assert.Equal(t, []string{"describe", "measure", "settle", "publish"}, steps(w.pass(project).Done))
	})
	assert.Equal(t, 40, calls["QuickTestImage"])
	assert.Equal(t, 1, calls["GetIterationPerformance"], "for the proofs alone")
	assert.Equal(t, first.Iteration, w.holder(project))
	assert.Empty(t, w.Call(http.MethodPost, project, "predictions/query", map[string]any{"orderBy": "Newest"})["results"], "nothing is stored at the service")
	assert.Zero(t, w.asked(func() { w.pass(project); w.sweep() }))

	worse := w.train(project, 0.6)
	assert.Equal(t, 40, w.asked(func() { w.pass(project) }), "the champion's figures are known")
	c := w.promotion(worse)
	assert.Equal(t, state.GateFailed, c.Code)
	assert.Contains(t, c.Why, "the policy's gate at threshold 0.5 by the 40 pictures of "+w.Names.HoldOut+": precision is 0.")
	assert.Contains(t, c.Why, "Iteration 1 has 1, and 0.02 less is allowed")
	assert.Contains(t, c.Why, "of the tag cup is 0.")
	found := w.Remembered(project).Iterations[worse.Iteration]
	assert.Nil(t, found.Measuring)
	assert.InDelta(t, 0.6, *found.Figures.Recall, 0.15)
	assert.Zero(t, w.asked(func() { w.pass(project); w.sweep() }))

	good := w.train(project, 1)
	assert.Equal(t, 40, w.asked(func() { w.pass(project) }))
	assert.Equal(t, good.Iteration, w.holder(project))
}

// The champion is measured by the same pictures, whatever the gate went by before.
func TestAnotherHoldOutSetMeasuresBothAnew(t *testing.T) {
	t.Parallel()
	w, project := heldOut(t, 10, `,"minimum":{"precision":0.8}`)
	w.train(project, 1)
	w.pass(project)
	bad := w.train(project, 0.3)
	w.pass(project)
	require.Equal(t, state.GateFailed, w.promotion(bad).Code)
	w.HoldOutPictures(14, "cup", "fork")
	assert.Equal(t, 2*14, w.asked(func() { w.pass(project) }))
	assert.Contains(t, w.promotion(bad).Why, "by the 14 pictures of")
	assert.Zero(t, w.asked(func() { w.pass(project) }))
}

// It takes long: neither a message nor what a sweep has to archive waits for it.
func TestHoldOutPicturesAreAskedAfterTheSweep(t *testing.T) {
	t.Parallel()
	w, project := heldOut(t, 10, "")
	first := w.train(project, 1)
	r := New(w.options)
	assert.Zero(t, w.asked(func() {
		w.reconcile(first)
		swept, err := r.Sweep(t.Context(), Before{})
		require.NoError(t, err)
		assert.Equal(t, []string{project}, swept.Unmeasured)
	}))
	assert.Empty(t, w.holder(project))
	assert.Equal(t, 10, w.asked(func() { require.NoError(t, r.MeasureHoldOuts(t.Context(), []string{project})) }))
	assert.Equal(t, first.Iteration, w.holder(project), "what follows from it follows at once")
	swept, err := r.Sweep(t.Context(), Before{})
	require.NoError(t, err)
	assert.Empty(t, swept.Unmeasured)
}

// The time is up after some of the pictures, or the process ends.
func TestAMeasureThatWasCutGoesOnWhereItEnded(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]func(w *app, cancel func()) world.Fault{
		"the time is up": func(_ *app, cancel func()) world.Fault {
			return world.Nth(5, func(req *http.Request, send world.Send) (*http.Response, error) {
				cancel()
				return nil, req.Context().Err()
			})
		},
		"an answer fails": func(*app, func()) world.Fault { return world.Nth(5, world.Refuse(500)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, project := heldOut(t, 10, "")
			w.overLine()
			first := w.train(project, 1)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w.line.While(world.On(tests, cut(w, cancel)), func() {
				New(w.options).pass(ctx, Request{Key: Key{Project: project}}.scope())
			})
			m := w.Remembered(project).Iterations[first.Iteration].Measuring
			require.NotNil(t, m)
			assert.Equal(t, 4, m.Asked)
			assert.Empty(t, w.holder(project))
			assert.Equal(t, 6, w.asked(func() { w.pass(project) }))
			assert.Equal(t, first.Iteration, w.holder(project))
			assert.Empty(t, w.Remembered(project).Conditions)
		})
	}
}

func TestAMeasureEndsWhenOthersWait(t *testing.T) {
	t.Parallel()
	w, project := heldOut(t, 10, "")
	w.overLine()
	first := w.train(project, 1)
	r := New(w.options)
	var message sync.WaitGroup
	w.line.While(world.On(tests, world.Nth(3, func(req *http.Request, send world.Send) (*http.Response, error) {
		message.Go(func() {
			_, err := r.Reconcile(t.Context(), Request{Key: first})
			assert.NoError(t, err)
		})
		world.Eventually(t, "the message waits", func() bool { return r.pace.awaited(project) })
		return send(req)
	})), func() {
		report, err := r.Reconcile(t.Context(), Request{Key: Key{Project: project}})
		require.NoError(t, err)
		assert.True(t, report.Unmeasured)
		message.Wait()
	})
	assert.Equal(t, 3, w.Remembered(project).Iterations[first.Iteration].Measuring.Asked)
	assert.Equal(t, 7, w.asked(func() { w.pass(project) }))
}

// A sweep asks the pictures, and so does a person, from another process.
func TestTwoRunsDoNotAskTheSamePictures(t *testing.T) {
	t.Parallel()
	w, project := heldOut(t, 10, "")
	w.overLine()
	first := w.train(project, 1)
	w.line.While(world.On(tests, world.Nth(3, func(req *http.Request, send world.Send) (*http.Response, error) {
		report, err := New(w.options).Reconcile(t.Context(), Request{Key: Key{Project: project}, Ask: &Ask{Promote: first.Iteration}})
		assert.NoError(t, err)
		assert.NotEmpty(t, report.Waiting)
		return send(req)
	})), func() {
		assert.Equal(t, 10, w.asked(func() { w.pass(project) }))
	})
	assert.Equal(t, first.Iteration, w.holder(project))
}

// The run that asked is lost: another one goes on after a while.
func TestAMeasureIsTakenOverFromADeadRun(t *testing.T) {
	t.Parallel()
	w, project := heldOut(t, 4, "")
	first := w.train(project, 1)
	w.reconcile(first)
	record, err := w.State.Load(t.Context(), project)
	require.NoError(t, err)
	require.NoError(t, w.State.Update(t.Context(), record, func(p *state.Project) error {
		p.Iteration(first.Iteration).Measuring = &state.Measuring{Token: "dead", Until: w.Service.Now().Add(askingFor)}
		return nil
	}))
	assert.Zero(t, w.asked(func() { w.pass(project) }))
	w.Service.Advance(askingFor + w.options.Times.IntentGrace + time.Second)
	assert.Equal(t, 4, w.asked(func() { w.pass(project) }))
}

func TestAHoldOutSetThatCannotBeUsedIsACondition(t *testing.T) {
	t.Parallel()
	many := func(w *app) {
		for n := range 501 {
			w.PutHoldOut(fmt.Sprintf("cup/%d.png", n), world.Picture(n))
		}
	}
	for name, c := range map[string]struct {
		put  func(w *app)
		want string
		mend func(w *app, project string)
	}{
		"no container":  {func(*app) {}, "the archive's account has no container", func(w *app, _ string) {}},
		"empty":         {func(w *app) { w.PutHoldOut("readme.txt", nil) }, "there is no picture in it", func(*app, string) {}},
		"too many":      {many, "it has 501 pictures, and takes 500 at most", nil},
		"unknown label": {func(w *app) { w.PutHoldOut("spoon/1.png", world.Picture(1)) }, `the project has no tag "spoon"`, func(w *app, project string) { w.Tag(project, "spoon") }},
		"no picture":    {func(w *app) { w.PutHoldOut("cup/1.jpg", []byte("text")) }, `Custom Vision refuses the picture "cup/1.jpg"`, func(w *app, _ string) { w.PutHoldOut("cup/1.jpg", world.Picture(1)) }},
		"boxes": {func(w *app) {
			w.PutHoldOut("1.png", world.Picture(1))
			w.PutHoldOut("instances.json", []byte(`{"images":[{"id":1,"width":4,"height":3,"file_name":"1.png"}]}`))
		}, "the project finds boxes, and the set has none, or the other way round", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, project := heldOut(t, 0, `,"perTag":false`)
			c.put(w)
			first := w.train(project, 1)
			w.pass(project)
			conditions := w.Remembered(project).Conditions
			require.Len(t, conditions, 1)
			assert.Equal(t, state.HoldOutUnusable, conditions[0].Code)
			assert.Contains(t, conditions[0].Why, c.want)
			assert.Contains(t, conditions[0].Why, w.Names.HoldOut)
			assert.Empty(t, w.holder(project))
			report := w.ask(Key{Project: project}, Ask{Promote: first.Iteration})
			assert.ErrorContains(t, report.Err(""), c.want)
			for range 5 {
				w.pass(project)
			}
			assert.Less(t, w.asked(func() {
				for range 5 {
					w.pass(project)
				}
			}), 2, "the pauses grow")
			if c.mend == nil {
				return
			}
			for range 8 {
				w.Service.Advance(time.Hour)
				w.pass(project)
			}
			w.HoldOutPictures(4, "cup", "fork")
			c.mend(w, project)
			w.Service.Advance(time.Hour)
			w.pass(project)
			w.pass(project)
			assert.Equal(t, first.Iteration, w.holder(project))
			assert.Empty(t, w.Remembered(project).Conditions)
		})
	}
}

// A condition is of the set as it is, and the set of a gate that asks for it.
func TestTheConditionOfAHoldOutSetEndsWithTheGate(t *testing.T) {
	t.Parallel()
	w, project := heldOut(t, 0, "")
	first := w.train(project, 1)
	w.pass(project)
	require.Len(t, w.Remembered(project).Conditions, 1)
	require.NoError(t, w.ask(Key{Project: project}, Ask{Promote: first.Iteration, Force: true}).Err(""))
	w.pass(project)
	assert.Empty(t, w.Remembered(project).Conditions)
}

// An outage of storage is no fault of the set.
func TestAHoldOutSetThatCannotBeListedNowIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	w, project := heldOut(t, 4, "")
	first := w.train(project, 1)
	set := func(req *http.Request) bool { return strings.Contains(req.URL.Path, w.Names.HoldOut) }
	w.line.While(world.On(set, world.Refuse(503)), func() {
		_, err := w.try(Key{Project: project})
		assert.ErrorContains(t, err, "list the hold-out set")
	})
	w.pass(project)
	assert.Equal(t, first.Iteration, w.holder(project))
	assert.Empty(t, w.Remembered(project).Conditions)
}

func TestAPersonPromotesByTheHoldOutSet(t *testing.T) {
	t.Parallel()
	w, project := heldOut(t, 20, `,"minimum":{"recall":0.9}`)
	first := w.train(project, 1)
	require.NoError(t, w.ask(Key{Project: project}, Ask{Promote: first.Iteration}).Err(""))
	assert.Equal(t, first.Iteration, w.holder(project))
	bad := w.train(project, 0.4)
	report := w.ask(Key{Project: project}, Ask{Promote: bad.Iteration})
	assert.ErrorContains(t, report.Err(""), "wanted is 0.9")
	assert.Equal(t, state.GateFailed, CodeOf(report.Err("")))
}

func TestThePlanSaysHowManyPicturesAreAsked(t *testing.T) {
	t.Parallel()
	w, project := heldOut(t, 10, "")
	w.train(project, 1)
	w.pass(project)
	w.train(project, 1)
	w.HoldOutPictures(12, "cup", "fork")
	var planned []Action
	assert.Zero(t, w.asked(func() {
		var err error
		planned, _, err = New(w.options).Preview(t.Context(), Request{Key: Key{Project: project}})
		require.NoError(t, err)
	}))
	sum := 0
	for _, a := range planned {
		sum += a.QuickTests
		if a.Kind == Measure {
			assert.Contains(t, a.Why, "what it sees in the 12 pictures of the hold-out set "+w.Names.HoldOut)
		}
	}
	assert.Equal(t, 2*12, sum)
}

// A person may ask for one iteration alone.
func TestAPersonWhoNamesTheIterationHearsOfTheMeasure(t *testing.T) {
	t.Parallel()
	w, project := heldOut(t, 4, "")
	first := w.train(project, 1)
	w.reconcile(first)
	req := Request{Key: first, Patient: true}
	planned, _, err := New(w.options).Preview(t.Context(), req)
	require.NoError(t, err)
	assert.Equal(t, []string{"measure"}, steps(planned))
	assert.Equal(t, 4, w.asked(func() {
		_, err := New(w.options).Reconcile(t.Context(), req)
		require.NoError(t, err)
	}))
	assert.Equal(t, first.Iteration, w.holder(project))
}

// Boxes are right where they have half in common with those of the set.
func TestADetectorIsMeasuredByItsBoxes(t *testing.T) {
	t.Parallel()
	w, _ := heldOut(t, 0, "")
	project := w.project(detector)
	w.Tag(project, "cup")
	var images, annotations []string
	for n := range 20 {
		picture := world.Picture(5000 + n)
		w.Service.Show(picture, emulator.Label{Tag: "cup", Left: 0.25, Top: 0.25, Width: 0.5, Height: 0.5})
		w.PutHoldOut(fmt.Sprintf("val/%d.png", n), picture)
		images = append(images, fmt.Sprintf(`{"id":%d,"width":400,"height":300,"file_name":"%d.png"}`, n, n))
		annotations = append(annotations, fmt.Sprintf(`{"image_id":%d,"category_id":1,"bbox":[100,75,200,150]}`, n))
	}
	w.PutHoldOut("annotations/instances_val.json", []byte(`{"images":[`+strings.Join(images, ",")+`],"annotations":[`+strings.Join(annotations, ",")+`],"categories":[{"id":1,"name":"cup"}]}`))
	first := w.train(project, 1)
	w.pass(project)
	require.Equal(t, first.Iteration, w.holder(project), "%+v", w.Remembered(project).Conditions)
	bad := w.train(project, 0.5)
	w.pass(project)
	assert.Equal(t, first.Iteration, w.holder(project))
	f := w.Remembered(project).Iterations[bad.Iteration].Figures
	assert.InDelta(t, 0.5, *f.Recall, 0.2)

	fork := w.Tag(project, "fork")
	unseeing := w.train(project, 1)
	w.overLine()
	w.line.While(world.On(tests, world.Spoil(func(body []byte) []byte {
		return bytes.ReplaceAll(body, []byte(fork), []byte("00000000-0000-4000-8000-000000000000"))
	})), func() { w.pass(project) })
	assert.Contains(t, w.Remembered(project).Iterations[unseeing.Iteration].Figures.Tags, fork, "it knows what it never sees")
}

// The policy may name another one by now.
func TestTheHoldOutSetOfThePolicyBeforeIsNone(t *testing.T) {
	t.Parallel()
	o := completed()
	o.HoldOut = &holdout.Set{Place: "before", Hash: "hash"}
	o.Project.Iterations = map[string]*state.Iteration{first: {Figures: &state.Figures{Threshold: 0.5, Set: "hash"}}}
	for place, want := range map[string]bool{"before": true, "now": false} {
		r := rules()
		r.Promote = &policy.Promote{Name: "production", Threshold: 0.5, HoldOut: place}
		p := &plan{Rules: r, o: o}
		_, known := p.figures(first)
		assert.Equal(t, want, known, place)
		assert.Equal(t, !want, p.lacksSet, place)
	}
}

// A set may lie beside the app.
func TestAHoldOutSetInAFolderOfTheApp(t *testing.T) {
	t.Parallel()
	w, project := heldOut(t, 0, "")
	w.options.HoldOuts.Root = t.TempDir()
	w.options.Policy = parsed(t, `{"projects":[{"project":"*","promote":{"name":"production","predictionId":"`+predictor+`","holdOut":"./holdout"}}]}`)
	for n, tag := range []string{"cup", "fork"} {
		folder := filepath.Join(w.options.HoldOuts.Root, "holdout", tag)
		require.NoError(t, os.MkdirAll(folder, 0o777))
		require.NoError(t, os.WriteFile(filepath.Join(folder, "1.png"), world.Picture(7000+n), 0o666))
		w.Service.Show(world.Picture(7000+n), emulator.Label{Tag: tag})
	}
	first := w.train(project, 1)
	assert.Equal(t, 2, w.asked(func() { w.pass(project) }))
	assert.Equal(t, first.Iteration, w.holder(project))
}

// A run that is silent for longer than the grace is taken for lost, though it only waits for
// an answer: when that comes, the other one asks.
func TestARunThatWasTakenOverAsksNoMore(t *testing.T) {
	t.Parallel()
	w, project := heldOut(t, 10, "")
	w.overLine()
	first := w.train(project, 1)
	w.line.While(world.On(tests, world.Nth(3, func(req *http.Request, send world.Send) (*http.Response, error) {
		w.Service.Advance(askingFor + w.options.Times.IntentGrace + time.Second)
		assert.Equal(t, 10, w.asked(func() { w.pass(project) }), "the two from before weren't written yet")
		return send(req)
	})), func() {
		assert.Equal(t, 10+3, w.asked(func() { w.pass(project) }))
	})
	assert.Equal(t, first.Iteration, w.holder(project))
	assert.Empty(t, w.Remembered(project).Conditions)
}

// What a person asks for needn't be the newest one.
func TestASweepLeavesAlonePicturesThatAPersonAsks(t *testing.T) {
	t.Parallel()
	w, project := heldOut(t, 10, "")
	w.overLine()
	w.train(project, 1)
	w.pass(project)
	old := w.train(project, 0.3)
	w.pass(project)
	w.train(project, 0.2)
	w.pass(project)
	n := 0
	w.line.While(world.On(tests, func(req *http.Request, send world.Send) (*http.Response, error) {
		w.Service.Advance(saveEvery) // each answer is written
		if n++; n == 6 {
			require.NotNil(t, w.Remembered(project).Iterations[old.Iteration].Measuring)
			w.pass(project)
			assert.NotNil(t, w.Remembered(project).Iterations[old.Iteration].Measuring)
		}
		return send(req)
	}), func() {
		report := w.ask(Key{Project: project}, Ask{Promote: old.Iteration})
		assert.Equal(t, state.GateFailed, CodeOf(report.Err("")), "%v", report.Err(""))
	})
	assert.Equal(t, 10, n)
}

// Nothing compares the figures of an iteration that a person published all the same.
func TestTheConditionOfAPictureEndsWithTheGate(t *testing.T) {
	t.Parallel()
	w, project := heldOut(t, 4, "")
	w.PutHoldOut("cup/1.jpg", []byte("text"))
	first := w.train(project, 1)
	w.pass(project)
	require.Len(t, w.Remembered(project).Conditions, 1)
	require.NoError(t, w.ask(Key{Project: project}, Ask{Promote: first.Iteration, Force: true}).Err(""))
	w.pass(project)
	assert.Empty(t, w.Remembered(project).Conditions)

	second := w.train(project, 1)
	w.pass(project)
	assert.Len(t, w.Remembered(project).Conditions, 2)
	require.NoError(t, w.ask(Key{Project: project}, Ask{Promote: second.Iteration, Force: true}).Err(""))
	require.NoError(t, w.ask(Key{Project: project}, Ask{Rollback: true}).Err(""))
	w.pass(project)
	assert.Empty(t, w.Remembered(project).Conditions, "a person decided")
}

// The policy names another set while the pictures are asked.
func TestNothingIsPublishedByAnotherSetThanThePolicys(t *testing.T) {
	t.Parallel()
	w, project := heldOut(t, 4, "")
	w.overLine()
	w.train(project, 1)
	rules := &changing{}
	rules.Store(new(w.options.Policy.(policy.Policy)))
	w.options.Policy = rules
	other := parsed(t, `{"projects":[{"project":"*","promote":{"name":"production","predictionId":"`+predictor+`","holdOut":"`+w.Names.HoldOut+`/other"}}]}`)
	w.line.While(world.On(tests, world.Nth(4, func(req *http.Request, send world.Send) (*http.Response, error) {
		rules.Store(&other)
		return send(req)
	})), func() { w.pass(project) })
	assert.Empty(t, w.holder(project))
}

// Of a project whose pictures have one tag each, a picture with two could be half right at
// most.
func TestPicturesWithSeveralLabelsAreNoMeasureOfOneTagEach(t *testing.T) {
	t.Parallel()
	w, _ := heldOut(t, 0, "")
	project := w.Create(customvision.CreateProjectOptions{DomainID: world.Compact, ClassificationType: "Multiclass", ExportModelContainerURI: w.Containers.Models.URL()}).ID
	require.NoError(t, New(w.options).ConnectionTested(t.Context(), project))
	for _, tag := range []string{"cup", "fork"} {
		w.Tag(project, tag)
	}
	w.PutHoldOut("1.png", world.Picture(1))
	w.PutHoldOut("metadata.jsonl", []byte(`{"file_name": "1.png", "labels": ["cup", "fork"]}`))
	w.train(project, 1)
	assert.Zero(t, w.asked(func() { w.pass(project) }))
	require.Len(t, w.Remembered(project).Conditions, 1)
	assert.Contains(t, w.Remembered(project).Conditions[0].Why, `the picture "1.png" has several labels, and those of the project have one tag each`)
}

// A refusal may be about one picture.
func TestARefusalNamesThePicture(t *testing.T) {
	t.Parallel()
	w, project := heldOut(t, 4, "")
	w.overLine()
	w.train(project, 1)
	w.line.While(world.On(tests, world.Nth(2, func(req *http.Request, _ world.Send) (*http.Response, error) {
		return world.Answer(req, http.StatusBadRequest, http.Header{"Content-Type": {"application/json"}}, []byte(`{"code":"BadRequestOther","message":"no"}`)), nil
	})), func() { w.pass(project) })
	require.Len(t, w.Remembered(project).Conditions, 1)
	assert.Contains(t, w.Remembered(project).Conditions[0].Why, `the picture "cup/002.png"`)
}

// short is a limit of calls by which no turn comes in the time that is left.
type short struct{ atomic.Bool }

func (s *short) Wait(context.Context) error {
	if s.Load() {
		return context.DeadlineExceeded
	}
	return nil
}

// Others call meanwhile, so the time is up before the next picture's turn would come.
func TestAMeasureEndsWhenItsTurnWouldComeTooLate(t *testing.T) {
	t.Parallel()
	w, project := heldOut(t, 10, "")
	limit := &short{}
	client, err := customvision.NewClientWithKey(w.API, world.Key, &customvision.ClientOptions{ClientOptions: azcore.ClientOptions{Transport: w.line}, Limit: limit})
	require.NoError(t, err)
	w.options.Service = client
	first := w.train(project, 1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	w.line.While(world.On(tests, world.Nth(4, func(req *http.Request, send world.Send) (*http.Response, error) {
		limit.Store(true)
		return send(req)
	})), func() { assert.NoError(t, New(w.options).MeasureHoldOuts(ctx, []string{project})) })
	limit.Store(false)
	assert.Equal(t, 4, w.Remembered(project).Iterations[first.Iteration].Measuring.Asked)
	assert.Empty(t, w.Remembered(project).Conditions)
	assert.Equal(t, 6, w.asked(func() { w.pass(project) }))
}
