package reconcile

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
)

// planned is what a preview of a whole project shows of trainings.
func (w *app) planned(project string) []Action {
	w.t.Helper()
	plan, _, err := New(w.options).Preview(w.t.Context(), Request{Key: Key{Project: project}})
	require.NoError(w.t, err)
	var trainings []Action
	for _, a := range plan {
		if a.Kind == Retrain || a.Scope == trainingScope {
			trainings = append(trainings, a)
		}
	}
	return trainings
}

// trainedTimes counts those that the service got.
func (w *app) trainedTimes(project string) int {
	w.t.Helper()
	its, err := w.Client.Iterations(w.t.Context(), project)
	require.NoError(w.t, err)
	return countFunc(its, func(it customvision.Iteration) bool { return it.Status != customvision.StatusNew })
}

func TestAProjectIsTrainedOnceEnoughImagesAreTagged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","retrain":{"onImages":3}}]}`)
	key := w.trained()
	w.sweep()
	cup, fork := w.Tag(key.Project, "cup"), w.Tag(key.Project, "fork")
	w.AddPictures(key.Project, 0, 2, cup, fork) // an image with two tags is one image
	w.AddPictures(key.Project, 10, 5)           // without a tag they are none
	w.sweep()
	assert.Equal(t, 1, w.trainedTimes(key.Project), "two are too few")

	w.AddPictures(key.Project, 20, 1, cup)
	plan := w.planned(key.Project)
	require.Len(t, plan, 1)
	assert.Equal(t, "3 images were tagged since the last training", plan[0].Why)
	assert.Equal(t, 60, plan[0].Training.Minutes)
	w.sweep()
	assert.Equal(t, 2, w.trainedTimes(key.Project))
	remembered := w.Remembered(key.Project)
	require.Len(t, remembered.Trainings, 1)
	assert.Equal(t, state.Cause{Kind: state.Images, Of: "3"}, remembered.Trainings[0].Cause)
	for range 3 { // the count begins anew with the training
		w.Service.Advance(world.TrainTime)
		w.sweep()
	}
	assert.Equal(t, 2, w.trainedTimes(key.Project))

	w.AddPictures(key.Project, 30, 3, fork)
	w.Train(key.Project)
	w.sweep()
	assert.Equal(t, 3, w.trainedTimes(key.Project), "a person's training begins it anew as well")
}

func TestWhatCountingImagesCosts(t *testing.T) {
	t.Parallel()
	for rules, want := range map[string]map[string]int{
		`"afterFailure":1,"olderThan":"30d"`:  {"GetProjects": 1, "GetIterations": 1},
		`"onImages":1000`:                     {"GetProjects": 1, "GetIterations": 1, "GetImageCount": 1},
		`"onImages":1000,"onImagesPerTag":10`: {"GetProjects": 1, "GetIterations": 1, "GetImageCount": 1, "GetTags": 1},
	} {
		t.Run(rules, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, `{"projects":[{"project":"*","retrain":{`+rules+`}}]}`)
			key := w.trained()
			w.settle(key)
			w.sweep()
			w.sweep()
			assert.Equal(t, want, w.calls(func() { w.sweep() }), "a sweep of a project that didn't change")
			assert.Empty(t, w.calls(func() {
				_, err := New(w.options).Reconcile(t.Context(), Request{Key: key, Inserted: w.Service.Now().Add(-time.Hour)})
				require.NoError(t, err)
			}), "a message counts nothing")
		})
	}
}

// worth is a project whose last training ended an hour ago and saw 10 images, 5 of each of
// two tags, and what is counted now.
func worth(images, cups, forks int) Observed {
	o := completed()
	o.Project.Seen = noon.Add(-365 * 24 * time.Hour)
	o.Worth = &Worth{
		Now:  &state.Tally{Images: images, Tags: map[string]int{"cup": cups, "fork": forks}},
		Then: &state.Tally{Iteration: first, At: noon.Add(-time.Hour), Images: 10, Tags: map[string]int{"cup": 5, "fork": 5}},
	}
	return o
}

// retrains are rules that train for these causes.
func retrains(r policy.Retrain) Rules {
	rules := rules()
	if r.PerMonth == 0 {
		r.PerMonth = 10
	}
	r.Within = policy.Duration(24 * time.Hour)
	rules.Retrain = &r
	return rules
}

func TestPlanWhenATrainingIsWorthIt(t *testing.T) {
	t.Parallel()
	onImages, perTag := policy.Retrain{OnImages: 5}, policy.Retrain{OnImages: 5, OnImagesPerTag: 2}
	old, after := policy.Retrain{OlderThan: policy.Duration(30 * time.Minute)}, policy.Retrain{After: &policy.After{Project: "Parts", Event: policy.ModelPromoted}}
	with := func(o Observed, change func(*Observed)) Observed {
		change(&o)
		return o
	}
	happened := func(ago time.Duration, trainings ...*state.Training) Observed {
		return with(worth(10, 5, 5), func(o *Observed) {
			o.Worth.Of, o.Worth.After = second, state.Happened{Iteration: third, At: noon.Add(-ago)}
			o.Project.Trainings = trainings
		})
	}
	promoted := state.Cause{Kind: state.AfterEvent, Of: policy.ModelPromoted + " " + second + " " + third}
	running := func(o *Observed) {
		o.Iterations = append(o.Iterations, customvision.Iteration{ID: second, Status: customvision.StatusTraining})
	}
	for name, c := range map[string]struct {
		retrain policy.Retrain
		seen    Observed
		want    string // why, "" for no training
	}{
		"enough images":                       {onImages, worth(15, 5, 5), "5 images were tagged"},
		"too few":                             {onImages, worth(14, 5, 5), ""},
		"fewer than before":                   {policy.Retrain{OnImagesPerTag: 1}, worth(9, 6, 6), ""},
		"enough of each tag":                  {perTag, worth(15, 7, 8), "5 images were tagged"},
		"too few of one tag":                  {perTag, worth(15, 9, 6), ""},
		"of a new tag all count":              {perTag, with(worth(15, 7, 7), func(o *Observed) { o.Worth.Now.Tags["spoon"] = 2 }), "5 images"},
		"a new tag with too few":              {perTag, with(worth(15, 7, 7), func(o *Observed) { o.Worth.Now.Tags["spoon"] = 1 }), ""},
		"a tag that is gone asks for nothing": {perTag, with(worth(15, 7, 7), func(o *Observed) { delete(o.Worth.Now.Tags, "cup") }), "5 images"},
		"not while a training runs":           {onImages, with(worth(15, 5, 5), running), ""},
		"not while one may have been begun":   {onImages, with(worth(15, 5, 5), func(o *Observed) { o.Project.Trainings = []*state.Training{{Until: noon}} }), ""},
		"not while the list lacks a new one":  {onImages, with(worth(15, 5, 5), func(o *Observed) { o.Project.Trainings = []*state.Training{{Result: second, Until: noon}} }), ""},
		"for two minutes after its time": {onImages, with(worth(15, 5, 5), func(o *Observed) {
			o.Project.Trainings = []*state.Training{{Result: second, Until: noon.Add(-2 * time.Minute)}}
		}), "5 images"},
		"not what was counted before a training": {onImages, with(worth(15, 5, 5), func(o *Observed) { o.Iterations = append(o.Iterations, trainedAt(second, noon)) }), ""},
		"nor before one that failed":             {onImages, with(worth(15, 5, 5), func(o *Observed) { o.Iterations = append(o.Iterations, failure(second, noon)) }), ""},
		"nor does a rename make an earlier failure the last one": {onImages, with(worth(15, 5, 5), func(o *Observed) {
			o.Iterations[0].Created = noon.Add(-2 * time.Hour)
			renamed := failure(second, noon)
			renamed.Created = noon.Add(-3 * time.Hour)
			o.Iterations = append(o.Iterations, renamed)
		}), "5 images"},
		"a training that is gone counts":      {onImages, with(worth(15, 5, 5), func(o *Observed) { o.Worth.Then.Iteration, o.Worth.Then.At = second, noon }), "5 images"},
		"not what was never counted":          {onImages, with(worth(15, 5, 5), func(o *Observed) { o.Worth.Now, o.Worth.Then = nil, nil }), ""},
		"a project that was never trained":    {onImages, with(worth(5, 0, 0), func(o *Observed) { o.Iterations, o.Worth.Then = nil, &state.Tally{} }), "nothing was trained yet"},
		"not before a rebuilt state is whole": {onImages, with(worth(15, 5, 5), func(o *Observed) { o.Project.Rebuilt = true }), ""},
		"not while one can't be read":         {onImages, with(worth(15, 5, 5), func(o *Observed) { o.Missing = true }), ""},
		"an old training":                     {old, worth(10, 5, 5), "more than 30m ago"},
		"a young one":                         {policy.Retrain{OlderThan: policy.Duration(time.Hour)}, worth(10, 5, 5), ""},
		"a later one that is deleted is young": {old, with(worth(10, 5, 5), func(o *Observed) {
			o.Project.Trainings = []*state.Training{{Result: third, Asked: noon.Add(-time.Minute)}}
		}), ""},
		"what was never trained isn't old":        {old, with(worth(10, 5, 5), func(o *Observed) { o.Iterations = nil }), ""},
		"after an event":                          {after, happened(time.Minute), "model.promoted of the project Parts"},
		"not after an old event":                  {after, happened(25 * time.Hour), ""},
		"not when it was trained since":           {after, happened(2 * time.Hour), ""},
		"not when the event was answered":         {after, happened(time.Minute, &state.Training{Cause: promoted, Result: "deleted since"}), ""},
		"not when one answered it that is gone":   {after, happened(30*time.Minute, &state.Training{Cause: state.Cause{Kind: state.Images, Of: "5"}, Result: "deleted since", Asked: noon.Add(-20 * time.Minute)}), ""},
		"nor an event from before the app":        {after, with(happened(time.Minute), func(o *Observed) { o.Project.Seen = noon }), ""},
		"another event is another cause":          {after, happened(time.Minute, &state.Training{Cause: state.Cause{Kind: state.AfterEvent, Of: "another"}, Result: "deleted since"}), "model.promoted"},
		"what was begun before it doesn't answer": {after, happened(30*time.Minute, &state.Training{Result: first, Asked: noon.Add(-31 * time.Minute)}), "model.promoted"},
		"a failure comes first": {policy.Retrain{AfterFailure: 1, OnImages: 5}, with(worth(15, 5, 5), func(o *Observed) {
			o.Iterations = append(o.Iterations, failure(second, noon.Add(-time.Minute)))
		}), "its training failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var why []string
			for _, a := range Plan(retrains(c.retrain), c.seen) {
				if a.Kind == Retrain {
					why = append(why, a.Why)
				}
			}
			if c.want == "" {
				assert.Empty(t, why)
			} else if assert.Len(t, why, 1) {
				assert.Contains(t, why[0], c.want)
			}
		})
	}
}

// Whoever began a training, and whether it is known what came of it: it counts.
func TestPlanKeepsTheMonthlyBudget(t *testing.T) {
	t.Parallel()
	took := func(id string, ago time.Duration, kind string, reserved, minutes int) customvision.Iteration {
		it := trainedAt(id, noon.Add(-ago))
		it.TrainingType, it.ReservedBudgetInHours, it.TrainingTimeInMinutes = kind, reserved, minutes
		return it
	}
	failed := failure(second, noon.Add(-time.Hour))
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		retrain    policy.Retrain
		iterations []customvision.Iteration
		spent      []state.Spent
		want       string // minutes that it may cost, or when it is free
	}{
		"an hour, as long as nobody knows":         {policy.Retrain{MonthlyBudgetHours: 1}, nil, nil, "60"},
		"the budget bounds an advanced one":        {policy.Retrain{MonthlyBudgetHours: 4, Type: policy.Advanced, BudgetHours: 4}, nil, nil, "240"},
		"a regular one is as long as the longest":  {policy.Retrain{MonthlyBudgetHours: 10}, []customvision.Iteration{took(first, 40*day, "Regular", 0, 90)}, nil, "90"},
		"the service's minutes count once known":   {policy.Retrain{MonthlyBudgetHours: 2}, []customvision.Iteration{took(first, day, "Regular", 0, 60)}, nil, "60"},
		"a minute more is too much":                {policy.Retrain{MonthlyBudgetHours: 2}, []customvision.Iteration{took(first, day, "Regular", 0, 61)}, nil, "29d"},
		"what was reserved counts":                 {policy.Retrain{MonthlyBudgetHours: 8}, []customvision.Iteration{took(first, day, "Advanced", 8, 10)}, nil, "29d"},
		"a failed one counts as if nobody knew":    {policy.Retrain{MonthlyBudgetHours: 1}, []customvision.Iteration{failed}, nil, "719h"},
		"not even nothing was reserved, it seems":  {policy.Retrain{MonthlyBudgetHours: 1}, []customvision.Iteration{took(first, day, "Advanced", 0, 0)}, nil, "29d"},
		"another type costs what was reserved":     {policy.Retrain{MonthlyBudgetHours: 8}, []customvision.Iteration{took(first, day, "SomethingNew", 8, 10)}, nil, "29d"},
		"what has no time counts":                  {policy.Retrain{MonthlyBudgetHours: 1}, []customvision.Iteration{{ID: third, Status: customvision.StatusCompleted}}, nil, "30d"},
		"what is older than 30 days doesn't count": {policy.Retrain{MonthlyBudgetHours: 1}, []customvision.Iteration{took(first, 30*day, "Regular", 0, 60)}, nil, "60"},
		"what is deleted counts":                   {policy.Retrain{MonthlyBudgetHours: 1}, nil, []state.Spent{{Iteration: third, At: noon.Add(-day), Minutes: 1}}, "29d"},
		"what was asked for counts":                {policy.Retrain{MonthlyBudgetHours: 1}, nil, []state.Spent{{Token: "lost", At: noon.Add(-day), Minutes: 1}}, "29d"},
		"once":                                     {policy.Retrain{MonthlyBudgetHours: 2}, []customvision.Iteration{took(first, day, "Regular", 0, 60)}, []state.Spent{{Iteration: first, At: noon.Add(-day), Minutes: 60}}, "60"},
		"until enough is free":                     {policy.Retrain{MonthlyBudgetHours: 2}, nil, []state.Spent{{Token: "b", At: noon.Add(-day), Minutes: 100}, {Token: "a", At: noon.Add(-2 * day), Minutes: 10}}, "29d"},
		"perMonth counts too":                      {policy.Retrain{PerMonth: 1}, nil, nil, "719h"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.retrain.OnImages = 1
			o := worth(20, 5, 5)
			o.Iterations, o.Project.Spent = c.iterations, c.spent
			o.Worth.Then.At = noon // whatever is listed is older than what was counted
			if c.retrain.PerMonth > 0 {
				o.Project.Trainings = []*state.Training{{Cause: state.Cause{Kind: state.Age}, Result: "deleted since", Asked: noon.Add(-time.Hour)}}
			}
			plan := slices.DeleteFunc(Plan(retrains(c.retrain), o), func(a Action) bool { return a.Scope != trainingScope })
			require.Len(t, plan, 1)
			got := fmt.Sprint(policy.Duration(plan[0].Until.Sub(noon)))
			if plan[0].Kind == Retrain {
				got = strconv.Itoa(plan[0].Training.Minutes)
			} else {
				assert.Equal(t, state.BudgetSpent, plan[0].Code)
			}
			assert.Equal(t, c.want, got)
		})
	}
}

// A state that was lost has begun anew: who began what was trained before, nobody knows.
func TestPlanCountsTrainingsThatMayBeForgotten(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		seen, trained time.Duration // ago
		known         *state.Training
		want          int // trainings that are planned
	}{
		"one from before the app": {day, 2 * day, nil, 0},
		"a person's since":        {2 * day, day, nil, 1},
		"one of long ago":         {day, 31 * day, nil, 1},
		"a person's by the app":   {day, 2 * day, &state.Training{Result: first, Asked: noon.Add(-2 * day)}, 1},
	} {
		o := worth(20, 5, 5)
		o.Iterations = []customvision.Iteration{trainedAt(first, noon.Add(-c.trained))}
		o.Worth.Then.At, o.Project.Seen = noon.Add(-c.trained), noon.Add(-c.seen)
		if c.known != nil {
			o.Project.Trainings = []*state.Training{c.known}
		}
		plan := Plan(retrains(policy.Retrain{OnImages: 1, PerMonth: 1}), o)
		assert.Equal(t, c.want, countFunc(plan, func(a Action) bool { return a.Kind == Retrain }), name)
	}
}

func TestATrainingIsAskedForAsThePolicySays(t *testing.T) {
	t.Parallel()
	failed := failure(second, noon.Add(-time.Minute))
	failed.TrainingType = customvision.TypeAdvanced
	for name, c := range map[string]struct {
		retrain  policy.Retrain
		failed   bool
		reserved int // hours, of the failed one
		want     customvision.TrainOptions
	}{
		"regular unless it says more":     {policy.Retrain{OnImages: 1}, false, 24, customvision.TrainOptions{}},
		"a failed one as it was":          {policy.Retrain{AfterFailure: 1}, true, 24, customvision.TrainOptions{Type: "Advanced", ReservedBudgetInHours: 24}},
		"but not beyond what is reserved": {policy.Retrain{AfterFailure: 1, BudgetHours: 8}, true, 24, customvision.TrainOptions{Type: "Advanced", ReservedBudgetInHours: 8}},
		"with the type that it names":     {policy.Retrain{AfterFailure: 1, Type: policy.Regular}, true, 24, customvision.TrainOptions{Type: "Regular"}},
		"advanced with its hours":         {policy.Retrain{OnImages: 1, Type: policy.Advanced, BudgetHours: 4}, false, 24, customvision.TrainOptions{Type: "Advanced", ReservedBudgetInHours: 4}},
		"with a mail and by force":        {policy.Retrain{OnImages: 1, Email: "a@b.example", Force: true}, false, 24, customvision.TrainOptions{NotificationEmail: "a@b.example", Force: true}},
		"with an hour if none is known":   {policy.Retrain{AfterFailure: 1}, true, 0, customvision.TrainOptions{Type: "Advanced", ReservedBudgetInHours: 1}},
		"or those of the policy":          {policy.Retrain{AfterFailure: 1, BudgetHours: 8}, true, 0, customvision.TrainOptions{Type: "Advanced", ReservedBudgetInHours: 8}},
	} {
		o := worth(20, 5, 5)
		if c.failed {
			failed.ReservedBudgetInHours = c.reserved
			o.Iterations = append(o.Iterations, failed)
		}
		plan := slices.DeleteFunc(Plan(retrains(c.retrain), o), func(a Action) bool { return a.Kind != Retrain })
		if assert.Len(t, plan, 1, name) {
			assert.Equal(t, c.want, plan[0].Training.Options, name)
		}
	}
}

// known makes the app know a project in which nothing was trained yet.
func (w *app) known(rules, name string) string {
	w.t.Helper()
	if rules != "" {
		w.options.Policy = parsed(w.t, rules)
	}
	p := w.Create(customvision.CreateProjectOptions{Name: name, DomainID: world.Compact, ExportModelContainerURI: w.Containers.Models.URL()})
	require.NoError(w.t, New(w.options).ConnectionTested(w.t.Context(), p.ID))
	return p.ID
}

// idle is a time in which sweeps do what they like: nothing more is trained.
func (w *app) idle(d time.Duration, projects ...string) {
	w.t.Helper()
	for end := w.Service.Now().Add(d); w.Service.Now().Before(end); w.Service.Advance(d / 10) {
		w.sweep()
	}
}

func TestAnOldTrainingIsRepeatedIfTheServiceSaysThatAnythingChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	project := w.known(`{"projects":[{"project":"*","retrain":{"olderThan":"30d"}}]}`, "parts")
	cup := w.Tag(project, "cup")
	w.Train(project)
	w.idle(29*24*time.Hour, project)
	w.Service.Advance(25 * time.Hour)

	asked := w.calls(func() { w.sweep(); w.sweep() })["TrainProject"]
	assert.Equal(t, 1, asked, "it waits until anything changes")
	remembered := w.Remembered(project)
	c := remembered.Condition(trainingScope)
	require.NotNil(t, c)
	assert.Equal(t, state.TrainingNotNeeded, c.Code)
	assert.Empty(t, remembered.Trainings, "it is no training")
	assert.Equal(t, 1, w.trainedTimes(project))
	w.Service.Advance(23 * time.Hour)
	assert.Zero(t, w.calls(func() { w.sweep() })["TrainProject"])

	w.AddPictures(project, 0, 1, cup)
	w.sweep()
	assert.Equal(t, 2, w.trainedTimes(project), "what changed is trained at once")
	w.Service.Advance(world.TrainTime)
	w.sweep()
	assert.Empty(t, w.Remembered(project).Conditions)
	assert.Equal(t, 2, w.trainedTimes(project))
}

// Two processes, each of which looks at one of the projects.
func TestATrainingFollowsWhatBecameOfAnotherProject(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	rules := `{"projects":[{"project":"classifier","retrain":{"force":true,"after":{"project":"Detector","event":"training.completed"}}},{"project":"*"}]}`
	detector, classifier := w.known(rules, "Detector"), w.known("", "classifier")
	look := func(project string) {
		t.Helper()
		_, err := New(w.options).Reconcile(t.Context(), Request{Key: Key{Project: project}})
		require.NoError(t, err)
	}
	look(classifier)
	assert.Zero(t, w.trainedTimes(classifier), "nothing became of the detector yet")
	first := w.Train(detector)
	look(classifier)
	assert.Zero(t, w.trainedTimes(classifier), "nobody looked at the detector")
	look(detector)
	plan := w.planned(classifier)
	require.Len(t, plan, 1)
	assert.Equal(t, "training.completed of the project Detector, iteration "+first.ID, plan[0].Why)
	look(classifier)
	assert.Equal(t, 1, w.trainedTimes(classifier))
	w.idle(time.Hour)
	assert.Equal(t, 1, w.trainedTimes(classifier), "each event causes one training")

	w.Service.FailTrainings(1)
	w.Train(detector)
	w.idle(time.Hour)
	assert.Equal(t, 1, w.trainedTimes(classifier), "a training that failed is no such event")
	w.Train(detector)
	w.idle(time.Hour)
	assert.Equal(t, 2, w.trainedTimes(classifier))
	assert.Equal(t, 3, w.trainedTimes(detector))

	its, err := w.Client.Iterations(t.Context(), classifier)
	require.NoError(t, err)
	for _, it := range its { // not even when its trainings are deleted
		if it.Status == customvision.StatusCompleted {
			require.NoError(t, w.Client.DeleteIteration(t.Context(), classifier, it.ID))
		}
	}
	w.idle(time.Hour)
	assert.Zero(t, w.trainedTimes(classifier))
}

func TestATrainingFollowsAPromotion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	rules := `{"projects":[
		{"project":"classifier","retrain":{"force":true,"after":{"project":"Detector","event":"model.promoted"}}},
		{"project":"Detector","promote":{"name":"production","predictionId":"` + predictor + `","perTag":false,"minimum":{"precision":0.8}}}]}`
	detector, classifier := w.known(rules, "Detector"), w.known("", "classifier")
	w.train(detector, 0.5)
	w.idle(time.Hour)
	assert.Zero(t, w.trainedTimes(classifier), "it failed the gate")
	promoted := w.train(detector, 0.95)
	w.idle(time.Hour)
	assert.Equal(t, promoted.Iteration, w.holder(detector))
	assert.Equal(t, 1, w.trainedTimes(classifier))
	assert.Equal(t, state.Cause{Kind: state.AfterEvent, Of: "model.promoted " + detector + " " + promoted.Iteration}, w.Remembered(classifier).Trainings[0].Cause)
	w.idle(time.Hour)
	assert.Equal(t, 1, w.trainedTimes(classifier))
}

// Both projects were trained before the app came, or before it knew the other one.
func TestWhatHappenedBeforeTheAppCausesNoTraining(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	classifier := w.known(`{"projects":[{"project":"classifier","retrain":{"force":true,"after":{"project":"Detector","event":"training.completed"}}},{"project":"*"}]}`, "classifier")
	w.Train(classifier)
	detector := w.Create(customvision.CreateProjectOptions{Name: "Detector", DomainID: world.Compact, ExportModelContainerURI: w.Containers.Models.URL()}).ID
	w.Train(detector)
	w.Service.Advance(time.Hour)
	w.idle(time.Hour)
	assert.Equal(t, 1, w.trainedTimes(classifier), "the app didn't see it happen")
	w.Train(detector)
	w.idle(time.Hour)
	assert.Equal(t, 2, w.trainedTimes(classifier))
}

// A person deletes what the app trained before a sweep counted what that saw.
func TestImagesAreCountedFromATrainingThatIsDeletedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","retrain":{"onImages":3}}]}`)
	key := w.trained()
	w.sweep()
	cup := w.Tag(key.Project, "cup")
	w.AddPictures(key.Project, 0, 3, cup)
	w.sweep()
	require.Equal(t, 2, w.trainedTimes(key.Project))
	w.Service.Advance(world.TrainTime)
	require.NoError(t, w.Client.DeleteIteration(t.Context(), key.Project, w.Remembered(key.Project).Trainings[0].Result))
	w.idle(time.Hour)
	assert.Equal(t, 1, w.trainedTimes(key.Project), "nothing was tagged since")
	w.AddPictures(key.Project, 20, 3, cup)
	w.idle(time.Hour)
	assert.Equal(t, 2, w.trainedTimes(key.Project))
}

// The rules name one project by its id and the other by its name, so the policy alone
// doesn't show that they are a circle.
func TestACircleByIdsAndNamesTrainsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	a, b := w.known(`{"projects":[{"project":"*"}]}`, "A"), w.known("", "B")
	after := func(project, other string) string {
		return `{"project":"` + project + `","retrain":{"after":{"project":"` + other + `","event":"training.completed"}}}`
	}
	w.options.Policy = parsed(t, `{"projects":[`+after("A", b)+`,`+after("B", "A")+`]}`)
	w.Train(a)
	w.idle(time.Hour)
	assert.Equal(t, 1, w.trainedTimes(a))
	assert.Zero(t, w.trainedTimes(b))
	remembered := w.Remembered(b)
	c := remembered.Condition(state.Scope{Fact: state.FactAfter})
	require.NotNil(t, c)
	assert.Equal(t, state.ChainBroken, c.Code)
	assert.Contains(t, c.Why, "circle")

	w.options.Policy = parsed(t, `{"projects":[`+after("B", "nowhere")+`,{"project":"*"}]}`)
	w.idle(time.Hour)
	remembered = w.Remembered(b)
	assert.Contains(t, remembered.Condition(state.Scope{Fact: state.FactAfter}).Why, "lists 0 projects")
	w.options.Policy = parsed(t, `{"projects":[`+after("B", "A")+`,{"project":"*"}]}`)
	w.idle(time.Hour)
	assert.Equal(t, 1, w.trainedTimes(b))
	assert.Empty(t, w.Remembered(b).Conditions)
}

// A person begins a training between the app's look and its request.
func TestAPersonTrainsAtTheWorstMoment(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	project := w.known(`{"projects":[{"project":"*","retrain":{"onImages":1,"monthlyBudgetHours":10}}]}`, "parts")
	w.AddPictures(project, 0, 1, w.Tag(project, "cup"))
	w.line.Use(func(req *http.Request, send world.Send) (*http.Response, error) {
		if w.trainedTimes(project) == 0 && req.Method == http.MethodPut {
			w.trainings(project)() // while the training is announced
		}
		return send(req)
	})
	w.sweep()
	assert.Equal(t, 1, w.trainedTimes(project))
	assert.Empty(t, w.Remembered(project).Trainings, "the service refused, so it is none of ours")
	w.idle(time.Hour)
	assert.Equal(t, 1, w.trainedTimes(project), "the person's saw the image")
	assert.Empty(t, w.Remembered(project).Conditions)
	spent := w.Remembered(project).Spent
	require.Len(t, spent, 1)
	assert.Empty(t, spent[0].Token)
}

// Whether an answer is lost before or after the training began: what was asked for counts
// as spent, and so does what somebody deletes.
func TestWhatWasAskedForIsSpentWhateverBecomesOfIt(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]struct {
		fault   world.Fault
		carried int
	}{
		"it never arrives":   {world.Break, 0},
		"its answer is lost": {world.Lose, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "")
			project := w.known(`{"projects":[{"project":"*","retrain":{"onImages":1,"monthlyBudgetHours":1}}]}`, "parts")
			cup := w.Tag(project, "cup")
			w.AddPictures(project, 0, 1, cup)
			met := false
			over := azcore.ClientOptions{Transport: world.Send(func(req *http.Request) (*http.Response, error) {
				if !met && strings.HasSuffix(req.URL.Path, "/train") {
					met = true
					return lost.fault(req, http.DefaultTransport.RoundTrip)
				}
				return http.DefaultTransport.RoundTrip(req)
			})}
			w.options.Service = w.Open(over)
			w.sweepAnyhow()
			require.True(t, met)
			assert.Equal(t, lost.carried, w.trainedTimes(project))
			w.Service.Advance(world.TrainTime)
			its, err := w.Client.Iterations(t.Context(), project)
			require.NoError(t, err)
			for _, it := range its {
				if it.Status == customvision.StatusCompleted {
					require.NoError(t, w.Client.DeleteIteration(t.Context(), project, it.ID))
				}
			}
			w.AddPictures(project, 10, 1, cup)
			w.idle(29*24*time.Hour, project)
			assert.Zero(t, w.trainedTimes(project), "the month's hour may be spent")
			remembered := w.Remembered(project)
			c := remembered.Condition(trainingScope)
			require.NotNil(t, c)
			assert.Equal(t, state.BudgetSpent, c.Code)
			w.idle(2*24*time.Hour, project)
			assert.Equal(t, 1, w.trainedTimes(project))
		})
	}
}

// The ceiling is one over all causes: a person is told what keeps the training back.
func TestAPersonsTrainingKeepsTheMonthlyBudget(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"act", "observe"} {
		w := newWorld(t, `{"mode":"`+mode+`","projects":[{"project":"*","retrain":{"onImages":99,"perMonth":1,"budgetHours":2,"monthlyBudgetHours":4}}]}`)
		project := w.project(world.Compact)
		w.pass(project)
		train := func() error { return w.ask(Key{Project: project}, Ask{Train: true, Force: true}).Err("") }
		for range 2 { // perMonth doesn't count those of a person
			require.NoError(t, train())
			w.Service.FinishNow(emulator.Scope{Fail: true}) // so each counts as what it could have cost
			w.pass(project)
		}
		before := w.trainedTimes(project)
		err := train()
		assert.Equal(t, state.BudgetSpent, CodeOf(err))
		assert.ErrorContains(t, err, "it counts as 2 h, and 4 h of the 4 h of monthlyBudgetHours are spent")
		assert.ErrorContains(t, err, "enough is free again on "+w.Service.Now().Add(month).UTC().Format(time.DateOnly))
		assert.Equal(t, before, w.trainedTimes(project))
		w.Service.Advance(month + time.Hour)
		assert.NoError(t, train())
	}
}
