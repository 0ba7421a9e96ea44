package reconcile

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
)

func TestANameThatCannotBeTakenOverIsFreedAndTaken(t *testing.T) {
	t.Parallel()
	w, project := publisher(t, answering(emulator.PublishOverwrite, "fails"))
	w.train(project, 0.9)
	w.settle(Key{Project: project})
	second := w.train(project, 0.95)
	w.settle(Key{Project: project})
	assert.Equal(t, second.Iteration, w.holder(project))
	assert.Equal(t, 1, w.Service.Counts()["UnpublishIteration"])
	assert.Equal(t, 3, w.Service.Counts()["PublishIteration"], "one was refused")
}

func TestANameThatWasFreedIsGivenBackIfTheOtherCannotHaveIt(t *testing.T) {
	t.Parallel()
	w, project := publisher(t, answering(emulator.PublishOverwrite, "fails"))
	first := w.train(project, 0.9)
	w.settle(Key{Project: project})
	second := w.train(project, 0.95)
	require.NoError(t, w.Service.FaultCalls("PublishIteration", 1, emulator.CallFault{Status: 400, Code: "BadRequestInvalidPublishName"}))
	require.NoError(t, w.Service.FaultCalls("PublishIteration", 1, emulator.CallFault{Status: 400, Code: "BadRequestInvalidPublishTarget"}))
	w.settle(Key{Project: project})
	assert.Equal(t, first.Iteration, w.holder(project))
	assert.Equal(t, state.PublishRefused, w.promotion(second).Code)
	assert.Nil(t, w.Remembered(project).Promotion.Move)

	w.Service.Advance(time.Hour)
	w.settle(Key{Project: project})
	assert.Equal(t, second.Iteration, w.holder(project), "it is tried again")
}

// The run's time is up, or the host ends the process, as the name is free.
func TestANameThatWasFreedIsTakenThoughTheTimeIsUp(t *testing.T) {
	t.Parallel()
	w, project := publisher(t, answering(emulator.PublishOverwrite, "fails"))
	w.overLine()
	w.train(project, 0.9)
	w.settle(Key{Project: project})
	second := w.train(project, 0.95)
	ctx, cancel := context.WithCancel(t.Context())
	frees := func(req *http.Request) bool {
		return req.Method == http.MethodDelete && strings.HasSuffix(req.URL.Path, "/publish")
	}
	w.line.While(world.On(frees, func(req *http.Request, send world.Send) (*http.Response, error) {
		resp, err := send(req)
		cancel()
		return resp, err
	}), func() {
		_, err := New(w.options).pass(ctx, Request{Key: Key{Project: project}}.scope())
		assert.ErrorIs(t, err, context.Canceled)
	})
	require.Equal(t, 1, w.Service.Counts()["UnpublishIteration"])
	assert.Equal(t, second.Iteration, w.holder(project))
	assert.Nil(t, w.Remembered(project).Promotion.Move)
}

// freed is a project in which the name was freed of the first iteration and not given to the
// second: the process died in between.
func freed(t *testing.T) (w *app, project string, first, second Key) {
	t.Helper()
	w, project = publisher(t, answering(emulator.PublishOverwrite, "fails"))
	w.overLine()
	first = w.train(project, 0.9)
	w.settle(Key{Project: project})
	second = w.train(project, 0.95)
	publishes := world.On(func(req *http.Request) bool {
		return req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/publish")
	}, world.From(2, world.Break))
	w.line.While(publishes, func() { w.try(Key{Project: project}) })
	require.Empty(t, w.holder(project))
	require.NotNil(t, w.Remembered(project).Promotion.Move)
	return w, project, first, second
}

// midPromotion is a project in which a promotion is announced and got no answer.
func midPromotion(t *testing.T) (*app, string) {
	t.Helper()
	w, project := publisher(t)
	w.train(project, 0.9)
	require.NoError(t, w.Service.FaultCalls("PublishIteration", 1, emulator.CallFault{Reset: true}))
	_, err := w.try(Key{Project: project})
	require.Error(t, err)
	require.NotNil(t, w.Remembered(project).Promotion.Move)
	return w, project
}

// If the process dies between freeing the name and taking it, that is finished soon.
func TestTheSenderOfAPromotionHasAMinute(t *testing.T) {
	t.Parallel()
	w, project := midPromotion(t)
	m := w.Remembered(project).Promotion.Move
	assert.Equal(t, publishTime, m.Until.Sub(m.Asked))
	w.Service.Advance(publishTime + w.options.Times.IntentGrace)
	w.settle(Key{Project: project})
	assert.NotEmpty(t, w.holder(project))
}

// Neither the new one nor the one before can be published now.
func TestANameThatCouldNotBeGivenBackIsGivenBackLater(t *testing.T) {
	t.Parallel()
	w, project := publisher(t, answering(emulator.PublishOverwrite, "fails"))
	w.train(project, 0.9)
	w.settle(Key{Project: project})
	w.train(project, 0.95)
	for _, f := range []emulator.CallFault{
		{Status: 400, Code: "BadRequestInvalidPublishName"}, {Status: 400, Code: "BadRequestInvalidPublishTarget"}, {Reset: true},
	} {
		require.NoError(t, w.Service.FaultCalls("PublishIteration", 1, f))
	}
	w.try(Key{Project: project})
	require.Empty(t, w.holder(project))
	w.Service.Advance(time.Hour)
	w.settle(Key{Project: project})
	assert.NotEmpty(t, w.holder(project))
	assert.Nil(t, w.Remembered(project).Promotion.Move)
}

// The one that had the name can't have it back: that is said, and a person may give it to
// another one.
func TestAFreedNameThatCannotBeGivenBackIsAPersonsToGive(t *testing.T) {
	t.Parallel()
	w, project := publisher(t, answering(emulator.PublishOverwrite, "fails"))
	w.overLine()
	first := w.train(project, 0.9)
	w.settle(Key{Project: project})
	second := w.train(project, 0.95)
	publishes := func(req *http.Request) bool {
		return req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/publish")
	}
	refuse := func(req *http.Request, _ world.Send) (*http.Response, error) {
		return world.Answer(req, http.StatusBadRequest, nil, []byte(`{"code":"BadRequestInvalidPublishTarget","message":"no such resource"}`)), nil
	}
	back := world.On(func(req *http.Request) bool { return strings.Contains(req.URL.Path, first.Iteration) }, refuse)
	w.line.While(world.On(publishes, world.From(2, refuse)), func() { w.try(Key{Project: project}) })
	require.Empty(t, w.holder(project))
	w.line.Use(world.On(publishes, back))
	for range 2 {
		w.Service.Advance(time.Hour)
		w.try(Key{Project: project})
		assert.Contains(t, w.promotion(first).Why, "no such resource", "the name is free, which has to be said")
	}
	w.Service.Advance(time.Hour)
	report := w.ask(Key{Project: project}, Ask{Promote: second.Iteration})
	require.NoError(t, report.Err(""))
	assert.Equal(t, second.Iteration, w.holder(project))
	w.settle(Key{Project: project})
	known := w.Remembered(project).Promotion
	assert.Nil(t, known.Move)
	assert.Equal(t, state.ByPerson, known.By)
	assert.Empty(t, w.Remembered(project).Conditions)
}

// Both that a freed name could go to are gone: nothing is left to finish.
func TestAPromotionThatNobodyCanFinishEnds(t *testing.T) {
	t.Parallel()
	w, project, first, second := freed(t)
	bad := w.train(project, 0.3)
	for _, key := range []Key{first, second} {
		require.NoError(t, w.Client.DeleteIteration(t.Context(), project, key.Iteration))
	}
	w.Service.Advance(time.Hour)
	w.settle(Key{Project: project})
	w.settle(Key{Project: project})
	assert.Equal(t, state.GateFailed, w.promotion(bad).Code)
	assert.Nil(t, w.Remembered(project).Promotion.Move)
}

// Of a project that is deleted nothing is to be finished either.
func TestAPromotionEndsWithItsProject(t *testing.T) {
	t.Parallel()
	w, project := midPromotion(t)
	require.NoError(t, w.Client.DeleteProject(t.Context(), project))
	w.Service.Advance(time.Hour)
	for range 2 {
		w.sweep()
	}
	assert.Nil(t, w.Remembered(project).Promotion)
}

// The process died as the name was free, and the policy only observes since: nobody takes
// the name, which has to be said.
func TestAFreedNameIsAConditionWhileThePolicyOnlyObserves(t *testing.T) {
	t.Parallel()
	w, project, _, second := freed(t)
	acts := w.options.Policy
	observes := parsed(t, promoting)
	observes.Mode = policy.Observe
	w.options.Policy = observes
	w.Service.Advance(time.Hour)
	for range 3 {
		report := w.pass(project)
		assert.Contains(t, steps(report.Observed), "publish")
		c := w.promotion(second)
		assert.Equal(t, state.LeftToPerson, c.Code)
		assert.Contains(t, c.Why, `the name "production" was freed for it, and no iteration has it`)
		assert.Empty(t, w.holder(project))
		w.Service.Advance(time.Hour)
	}
	planned, report, err := New(w.options).Preview(t.Context(), Request{Key: Key{Project: project}})
	require.NoError(t, err)
	assert.Contains(t, steps(planned), "publish")
	assert.Len(t, report.Conditions, 1)

	w.options.Policy = acts
	w.settle(Key{Project: project})
	assert.Equal(t, second.Iteration, w.holder(project))
	assert.Empty(t, w.Remembered(project).Conditions)
}
