package customvision

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestIterationsAreRead(t *testing.T) {
	t.Parallel()
	// The official example of GetIteration, and a training as it is recorded.
	client, _ := setup(t, answerWith(http.StatusOK, `[
		{"id":"e31a14ab-5d78-4f7b-a267-3a1e4fd8a758","name":"Iteration 2","status":"Completed","created":"2017-12-18T22:40:36Z",
		 "lastModified":"2017-12-19T15:47:02Z","trainedAt":"2017-12-19T15:47:02Z","projectId":"64b822c5-8082-4b36-a426-27225f4aa18c",
		 "exportable":false,"domainId":"ee85a74c-405e-4adc-bb47-ffa8ca0c9f31","exportableTo":["ONNX","DockerFile","TensorFlow","CoreML"],
		 "trainingType":"Regular","reservedBudgetInHours":0,"publishName":""},
		{"id":"cf0f83fb-ebaa-4b25-8e34-613a6a0b8a12","name":"Iteration 3","status":"Training","created":"2020-11-06T17:46:18.123Z",
		 "lastModified":"2020-11-06T17:46:18.123Z","projectId":"64b822c5-8082-4b36-a426-27225f4aa18c","exportable":false,"exportableTo":null,
		 "domainId":null,"classificationType":null,"trainingType":"SomethingNew","reservedBudgetInHours":3,"trainingTimeInMinutes":7,
		 "publishName":null,"originalPublishResourceId":null,"trainingErrorDetails":null}]`))
	iterations, err := client.Iterations(t.Context(), projectID)
	require.NoError(t, err)
	trained := time.Date(2017, 12, 19, 15, 47, 2, 0, time.UTC)
	opened := time.Date(2020, 11, 6, 17, 46, 18, 123e6, time.UTC)
	assert.Equal(t, []Iteration{
		{
			ID: iterationID, ProjectID: projectID, Name: "Iteration 2", Status: StatusCompleted,
			Created: time.Date(2017, 12, 18, 22, 40, 36, 0, time.UTC), LastModified: trained, TrainedAt: &trained,
			DomainID: "ee85a74c-405e-4adc-bb47-ffa8ca0c9f31", ExportableTo: []string{"ONNX", "DockerFile", "TensorFlow", "CoreML"},
			TrainingType: "Regular",
		},
		{
			ID: "cf0f83fb-ebaa-4b25-8e34-613a6a0b8a12", ProjectID: projectID, Name: "Iteration 3", Status: StatusTraining,
			Created: opened, LastModified: opened, TrainingType: "SomethingNew", ReservedBudgetInHours: 3, TrainingTimeInMinutes: 7,
		},
	}, iterations)
}

func TestTrainSendsOnlyWhatIsAsked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options TrainOptions
		query   url.Values
		body    string
	}{
		"nothing": {TrainOptions{}, url.Values{}, ""},
		"all": {
			TrainOptions{Type: "Advanced", ReservedBudgetInHours: 3, Force: true, NotificationEmail: "a+b@example.com", SelectedTags: []string{iterationID}},
			url.Values{"trainingType": {"Advanced"}, "reservedBudgetInHours": {"3"}, "forceTrain": {"true"}, "notificationEmailAddress": {"a+b@example.com"}},
			`{"selectedTags":["` + iterationID + `"]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, s := setup(t, answerWith(http.StatusOK, `{"id":"`+iterationID+`","status":"Training"}`))
			iteration, err := client.Train(t.Context(), projectID, c.options)
			require.NoError(t, err)
			assert.Equal(t, StatusTraining, iteration.Status)
			got := s.only(t)
			assert.Equal(t, c.query, got.query)
			assert.Equal(t, c.body, got.body)
		})
	}
}

func TestNothingToTrainIsACode(t *testing.T) {
	t.Parallel()
	client, s := setup(t, answerWith(http.StatusBadRequest, `{"code":"BadRequestTrainingNotNeeded","message":"Nothing changed since last training"}`))
	_, err := client.Train(t.Context(), projectID, TrainOptions{})
	var e *Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, "BadRequestTrainingNotNeeded", e.Code)
	assert.False(t, Lost(err))
	s.only(t)
}

func TestADeleteNeedsNoBody(t *testing.T) {
	t.Parallel()
	client, s := setup(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	require.NoError(t, client.DeleteIteration(t.Context(), projectID, iterationID))
	assert.Empty(t, s.only(t).body)
}

func TestIterationsAreDecodedOnlyWhenTheAnswerIsAnother(t *testing.T) {
	t.Parallel()
	const training, completed = `[{"id":"` + iterationID + `","status":"Training"}]`, `[{"id":"` + iterationID + `","status":"Completed","exportableTo":["ONNX"]}]`
	answer := training
	client, _ := setup(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/projects") {
			answerWith(http.StatusOK, "[]")(w, r)
		} else {
			answerWith(http.StatusOK, answer)(w, r)
		}
	})
	list := func() []Iteration {
		got, err := client.Iterations(t.Context(), projectID)
		require.NoError(t, err)
		require.Len(t, got, 1)
		return got
	}
	assert.Equal(t, StatusTraining, list()[0].Status)
	answer = completed
	first := list()
	assert.Equal(t, StatusCompleted, first[0].Status)
	first[0].Status = "changed by a caller"
	second := list()
	assert.Equal(t, StatusCompleted, second[0].Status)
	assert.Same(t, &first[0].ExportableTo[0], &second[0].ExportableTo[0], "it isn't decoded again")

	_, err := client.Projects(t.Context())
	require.NoError(t, err)
	assert.NotSame(t, &second[0].ExportableTo[0], &list()[0].ExportableTo[0], "those of a project that isn't there any more are forgotten")
}
