package reconcile

import (
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
)

const (
	predictor = "/subscriptions/s/resourceGroups/g/providers/Microsoft.CognitiveServices/accounts/seeing"
	promoting = `{"projects":[{"project":"*","exports":["ONNX"],"iterations":["published"],"promote":{"name":"production","predictionId":"` + predictor + `","perTag":false,"minimum":{"precision":0.8}}}]}`
)

// publisher is a world in which the policy publishes.
func publisher(t *testing.T, change ...func(*emulator.Options)) (w *app, project string) {
	w = newWorld(t, promoting, change...)
	return w, w.project(world.Compact)
}

// train trains an iteration that predicts so well.
func (w *app) train(project string, quality float64) Key {
	w.t.Helper()
	w.Service.SetQuality(quality)
	return Key{project, w.Train(project).ID}
}

// publish publishes an iteration as a person does in Custom Vision's page.
func (w *app) publish(key Key, name string) {
	w.t.Helper()
	require.NoError(w.t, w.Client.Publish(w.t.Context(), key.Project, key.Iteration, name, predictor, true))
}

// holder is the iteration that is published under the policy's name.
func (w *app) holder(project string) string {
	w.t.Helper()
	all, err := w.Client.Iterations(w.t.Context(), project)
	require.NoError(w.t, err)
	return holderOf(all, "production")
}

// pass looks at the whole project.
func (w *app) pass(project string) Report {
	w.t.Helper()
	report := w.reconcile(Key{Project: project})
	require.NoError(w.t, report.Err(""))
	return report
}

// promotion is the condition of an iteration's promotion.
func (w *app) promotion(key Key) state.Condition {
	w.t.Helper()
	remembered := w.Remembered(key.Project)
	if c := remembered.Condition(promotionOf(key.Iteration)); c != nil {
		return *c
	}
	return state.Condition{}
}

func TestTheNewestIterationThatPassesTheGateIsPublishedAndExported(t *testing.T) {
	t.Parallel()
	w, project := publisher(t)
	first := w.train(project, 0.9)
	assert.Equal(t, []string{"describe", "measure", "settle", "publish", "export ONNX"}, steps(w.pass(project).Done), "the export follows in the same run")
	assert.Equal(t, first.Iteration, w.holder(project))
	w.settle(Key{Project: project})
	assert.Equal(t, proven, w.backups(first))

	second := w.train(project, 0.95)
	w.settle(Key{Project: project})
	assert.Equal(t, second.Iteration, w.holder(project))
	assert.Equal(t, proven, w.backups(second))
	known := w.Remembered(project).Promotion
	assert.Equal(t, state.ByPolicy, known.By)
	assert.Equal(t, []string{first.Iteration}, known.Before)
	assert.Nil(t, known.Move)
	assert.Equal(t, 2, w.Service.Counts()["PublishIteration"])
	assert.Equal(t, 2+2, w.Service.Counts()["GetIterationPerformance"], "for the gate once each, and for the proofs")
	calls := w.calls(func() { w.pass(project) })
	delete(calls, "GetProject") // which may be left out
	assert.Equal(t, map[string]int{"GetIterations": 1}, calls, "then it costs nothing more")
}

func TestAnIterationThatDoesNotPassTheGateIsAConditionWithFigures(t *testing.T) {
	t.Parallel()
	w, project := publisher(t)
	first := w.train(project, 0.95)
	w.settle(Key{Project: project})
	worse := w.train(project, 0.9)
	w.settle(Key{Project: project})
	assert.Equal(t, first.Iteration, w.holder(project))
	c := w.promotion(worse)
	assert.Equal(t, state.GateFailed, c.Code)
	assert.Equal(t, "it does not pass the policy's gate at threshold 0.5: precision is 0.9475, Iteration 1 has 0.97375, and 0.02 less is allowed; "+
		"recall is 0.855, Iteration 1 has 0.9025, and 0.02 less is allowed; averagePrecision is 0.9, Iteration 1 has 0.95, and 0.02 less is allowed", c.Why)

	bad := w.train(project, 0.3)
	w.settle(Key{Project: project})
	assert.Empty(t, w.promotion(worse), "another one is the newest")
	assert.Contains(t, w.promotion(bad).Why, "precision is 0.6325, wanted is 0.8; precision is 0.6325, Iteration 1 has")

	w.options.Policy = parsed(t, `{"projects":[{"project":"*","promote":{"name":"production","predictionId":"`+predictor+`","perTag":false,"notWorseBy":1}}]}`)
	w.settle(Key{Project: project})
	assert.Equal(t, bad.Iteration, w.holder(project), "by another policy it passes at once")
	assert.Empty(t, w.promotion(bad))
	assert.Equal(t, 3+3, w.Service.Counts()["GetIterationPerformance"], "for the gate once each, and for the proofs")
}

// The policy has another name by now; what was announced for the one before came to nothing.
func TestAPromotionUnderAnotherNameIsOneOfItsOwn(t *testing.T) {
	t.Parallel()
	o := completed()
	o.Project.Promotion = &state.Promotion{Name: "before", Holder: second, Move: &state.Move{From: second, To: first}}
	o.Iterations = append(o.Iterations, trainedAt(second, noon.Add(-2*time.Hour)))
	o.Iterations[1].PublishName = "before"
	r := rules()
	r.Promote = &policy.Promote{Name: "production", PredictionID: predictor}
	v := &visit{Reconciler: New(Options{Clock: SystemClock{}}), rules: r, seen: o}
	v.announce(&v.seen.Project, Action{Step: Step{Kind: Publish, Scope: promotionOf(first)}}, sending{token: "token", until: noon})
	known := v.seen.Project.Promotion
	assert.Equal(t, "production", known.Name)
	assert.Empty(t, known.Move.From, "nobody has that name")
}

// What others do with the name is theirs, until there is a newer iteration.
func TestWhatOthersPublishIsLeftToThem(t *testing.T) {
	t.Parallel()
	for name, others := range map[string]func(w *app, first, second Key){
		"another iteration": func(w *app, first, _ Key) { w.publish(first, "production") },
		"none": func(w *app, first, second Key) {
			require.NoError(w.t, w.Client.Unpublish(w.t.Context(), second.Project, second.Iteration))
		},
		"the one before, by a rollback": func(w *app, first, second Key) {
			report := w.ask(Key{Project: first.Project}, Ask{Rollback: true})
			require.Contains(w.t, steps(report.Done), "promote")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, project := publisher(t)
			first := w.train(project, 0.9)
			w.settle(Key{Project: project})
			second := w.train(project, 0.95)
			w.settle(Key{Project: project})
			require.Equal(t, second.Iteration, w.holder(project))
			w.Service.Advance(time.Hour)
			others(w, first, second)
			theirs := w.holder(project)
			require.NotEqual(t, second.Iteration, theirs)
			for range 5 {
				w.settle(Key{Project: project})
				w.Service.Advance(24 * time.Hour)
			}
			assert.Equal(t, theirs, w.holder(project))

			third := w.train(project, 0.95)
			w.settle(Key{Project: project})
			assert.Equal(t, third.Iteration, w.holder(project), "the newer one counts")
			assert.Empty(t, w.Remembered(project).Conditions)
		})
	}
}

// The new iteration isn't published yet when a person publishes another one.
func TestWhatOthersPublishMeanwhileIsAConditionAndLeftToThem(t *testing.T) {
	t.Parallel()
	w, project := publisher(t)
	w.train(project, 0.9)
	w.settle(Key{Project: project})
	second := w.train(project, 0.3) // which doesn't pass
	w.settle(Key{Project: project})
	third := w.train(project, 0.95)
	w.Service.Advance(time.Hour)
	w.publish(second, "production")
	for range 3 {
		w.settle(Key{Project: project})
		assert.Equal(t, second.Iteration, w.holder(project))
		c := w.promotion(third)
		assert.Equal(t, state.LeftToPerson, c.Code)
		assert.Contains(t, c.Why, `somebody else published Iteration 2 as "production"`)
		w.Service.Advance(time.Hour)
	}
	w.ask(Key{Project: project}, Ask{Promote: third.Iteration})
	assert.Equal(t, third.Iteration, w.holder(project))
	w.settle(Key{Project: project})
	assert.Empty(t, w.Remembered(project).Conditions)
}

func TestAPersonPromotesAndRollsBack(t *testing.T) {
	t.Parallel()
	w, project := publisher(t)
	first := w.train(project, 0.9)
	w.settle(Key{Project: project})
	bad := w.train(project, 0.3)
	w.settle(Key{Project: project})

	report := w.ask(Key{Project: project}, Ask{Promote: bad.Iteration})
	assert.ErrorContains(t, report.Err(""), "precision is 0.6325, wanted is 0.8")
	assert.Equal(t, first.Iteration, w.holder(project))
	report = w.ask(Key{Project: project}, Ask{Promote: bad.Iteration, Force: true})
	require.NoError(t, report.Err(""))
	assert.Equal(t, bad.Iteration, w.holder(project))
	w.settle(Key{Project: project})
	assert.Empty(t, w.Remembered(project).Conditions)

	report = w.ask(Key{Project: project}, Ask{Rollback: true})
	require.NoError(t, report.Err(""))
	assert.Equal(t, first.Iteration, w.holder(project))
	w.settle(Key{Project: project})
	assert.Equal(t, first.Iteration, w.holder(project))
	assert.Empty(t, w.Remembered(project).Conditions, "a person decided, and knows")
	report = w.ask(Key{Project: project}, Ask{Rollback: true})
	assert.Empty(t, report.Done, "no other had it before")
	w.ask(Key{Project: project}, Ask{Promote: first.Iteration})
	assert.Equal(t, first.Iteration, w.holder(project))
}

// A person went back past an iteration: it isn't published when the newest one is deleted.
func TestWhatAPersonWentBackPastIsNotPublishedWhenTheNewestIsGone(t *testing.T) {
	t.Parallel()
	w, project := publisher(t)
	first := w.train(project, 0.9)
	w.settle(Key{Project: project})
	w.train(project, 0.92)
	w.settle(Key{Project: project})
	third := w.train(project, 0.95)
	w.settle(Key{Project: project})
	require.Equal(t, third.Iteration, w.holder(project))
	w.Service.Advance(time.Hour)
	for range 2 {
		require.NoError(t, w.ask(Key{Project: project}, Ask{Rollback: true}).Err(""))
	}
	require.Equal(t, first.Iteration, w.holder(project))
	require.NoError(t, w.Client.DeleteIteration(t.Context(), project, third.Iteration))
	for range 3 {
		w.Service.Advance(24 * time.Hour)
		w.settle(Key{Project: project})
	}
	assert.Equal(t, first.Iteration, w.holder(project))
	newer := w.train(project, 0.95)
	w.settle(Key{Project: project})
	assert.Equal(t, newer.Iteration, w.holder(project), "the newer one counts")
}

// A person gave the iteration another name, and takes it away as the condition says.
func TestAnIterationWithAnotherNameIsPublishedOnceItIsFree(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	project := w.project(world.Compact)
	w.pass(project)
	first := w.train(project, 0.9)
	w.publish(first, "trial")
	w.options.Policy = parsed(t, promoting)
	for range 5 {
		w.Service.Advance(24 * time.Hour)
		w.settle(Key{Project: project})
	}
	require.Contains(t, w.promotion(first).Why, `it is published as "trial" already`)
	require.NoError(t, w.Client.Unpublish(t.Context(), project, first.Iteration))
	w.settle(Key{Project: project})
	w.settle(Key{Project: project})
	assert.Equal(t, first.Iteration, w.holder(project), "at once")
	assert.Empty(t, w.promotion(first))
}

func TestObserveSaysWhatItWouldPublish(t *testing.T) {
	t.Parallel()
	w, project := publisher(t)
	first := w.train(project, 0.9)
	p := parsed(t, promoting)
	p.Mode = "observe"
	w.options.Policy = p
	report := w.pass(project)
	require.Len(t, report.Observed, 1)
	assert.Equal(t, Publish, report.Observed[0].Kind)
	assert.Equal(t, "it passes the policy's gate at threshold 0.5: precision 0.9475, recall 0.855, averagePrecision 0.9", report.Observed[0].Why)
	assert.Empty(t, w.holder(project))
	planned, _, err := New(w.options).Preview(t.Context(), Request{Key: Key{Project: project}})
	require.NoError(t, err)
	assert.Equal(t, []string{"publish"}, steps(planned))
	assert.Zero(t, w.Service.Counts()["PublishIteration"])

	w.ask(Key{Project: project}, Ask{Promote: first.Iteration})
	assert.Equal(t, first.Iteration, w.holder(project), "a person's wish is one all the same")
}

// What was trained before the app knew the project may have been taken back by a person,
// however short before.
func TestWhatIsFromBeforeIsLeftToAPerson(t *testing.T) {
	t.Parallel()
	for name, ago := range map[string]time.Duration{"an hour": time.Hour, "a second": time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, project := publisher(t)
			old := w.train(project, 0.9)
			w.settle(Key{Project: project})
			w.publish(w.train(project, 0.3), "other")
			w.train(project, 0.95)
			require.Equal(t, old.Iteration, w.holder(project))
			w.loseState(project)
			w.Service.Advance(ago)
			for range 2 {
				w.sweep()
			}
			assert.Equal(t, old.Iteration, w.holder(project))
			require.Len(t, w.Remembered(project).Conditions, 1)
			assert.Equal(t, state.LeftToPerson, w.Remembered(project).Conditions[0].Code)
			newer := w.train(project, 0.95)
			w.settle(Key{Project: project})
			assert.Equal(t, newer.Iteration, w.holder(project))
		})
	}
}

func TestManyMachinesPublishOnce(t *testing.T) {
	t.Parallel()
	for range 3 {
		w, project := publisher(t)
		w.train(project, 0.9)
		var machines sync.WaitGroup
		for range 4 {
			machines.Go(func() {
				_, err := New(w.options).Reconcile(t.Context(), Request{Key: Key{Project: project}})
				assert.NoError(t, err)
			})
		}
		machines.Wait()
		assert.Equal(t, 1, w.Service.Counts()["PublishIteration"], "refused ones counted")
	}
}

func TestOthersAreToldOfAPromotionOnce(t *testing.T) {
	t.Parallel()
	w, project := publisher(t)
	w.options.Events = []string{"hook"}
	w.pass(project)
	first := w.train(project, 0.9)
	w.settle(Key{Project: project})
	second := w.train(project, 0.95)
	w.settle(Key{Project: project})
	w.Service.Advance(time.Hour)
	w.publish(first, "production")
	w.settle(Key{Project: project})
	w.settle(Key{Project: project})
	type told struct{ Iteration, Previous, By string }
	var all []told
	for _, e := range w.Remembered(project).Outbox.Events {
		if e.Type != "model.promoted" {
			continue
		}
		var data struct {
			Iteration, Previous struct{ ID string }
			By, Name            string
		}
		require.NoError(t, json.Unmarshal(e.Data, &data))
		assert.Equal(t, "production", data.Name)
		all = append(all, told{data.Iteration.ID, data.Previous.ID, data.By})
	}
	assert.Equal(t, []told{{first.Iteration, "", "policy"}, {second.Iteration, first.Iteration, "policy"}, {first.Iteration, second.Iteration, "others"}}, all)
}
