package reconcile

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/world"
	"visionkeeper/internal/customvision"
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
