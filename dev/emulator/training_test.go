package emulator

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// trainable is a classification project with the least that can be trained.
func (s *fixture) trainable() string {
	s.t.Helper()
	project := s.project()
	for _, name := range []string{"cat", "dog"} {
		s.images(project, s.tag(project, name), minImagesPerTag)
	}
	return project
}

func TestTrainingRunsToItsEnd(t *testing.T) {
	t.Parallel()
	s := start(t)
	project := s.trainable()
	s.Advance(time.Second)
	i := s.call("POST", project+"/train", nil, nil).ok()
	path := project + "/iterations/" + i["id"].(string)
	delete(i, "id")
	delete(i, "projectId")
	assert.Equal(t, map[string]any{
		"name": "Iteration 1", "status": "Training", "created": "2026-03-04T12:00:00Z", "lastModified": "2026-03-04T12:00:01Z",
		"exportable": false, "exportableTo": nil, "domainId": nil, "classificationType": nil, "trainingType": "Regular",
		"reservedBudgetInHours": 0.0, "trainingTimeInMinutes": 0.0, "publishName": nil, "originalPublishResourceId": nil,
	}, i)

	s.Advance(s.options.TrainTime - 1)
	assert.Equal(t, "Training", s.call("GET", path, nil, nil).ok()["status"])
	s.Advance(1)
	i = s.call("GET", path, nil, nil).ok()
	assert.Equal(t, "Completed", i["status"])
	assert.Equal(t, "2026-03-04T12:01:01Z", i["trainedAt"])
	assert.Equal(t, i["trainedAt"], i["lastModified"])
	assert.Equal(t, true, i["exportable"])
	assert.Equal(t, 1.0, i["trainingTimeInMinutes"])
	assert.Equal(t, compactDomain, i["domainId"])
	assert.Equal(t, "Multiclass", i["classificationType"])

	s.call("POST", project+"/train", nil, nil).refused(400, "BadRequestTrainingNotNeeded")
	second := s.call("POST", project+"/train", q("forceTrain", "True"), nil).ok()
	assert.Equal(t, "Iteration 2", second["name"])
	assert.Equal(t, "2026-03-04T12:00:01Z", second["created"], "the workspace was opened by the training before")
}

func TestTrainingNeedsChange(t *testing.T) {
	t.Parallel()
	s := start(t)
	project := s.trainable()
	s.trained(project)
	tagID := s.call("GET", project+"/tags", nil, nil).list()[0]["id"].(string)
	for what, change := range map[string]func(){
		"new image": func() { s.images(project, tagID, 1) },
		"settings": func() {
			s.call("PATCH", project, nil, map[string]any{"settings": map[string]any{"classificationType": "Multilabel"}}).ok()
		},
	} {
		s.call("POST", project+"/train", nil, nil).refused(400, "BadRequestTrainingNotNeeded")
		change()
		assert.Equal(t, "Training", s.call("POST", project+"/train", nil, nil).ok()["status"], what)
		s.Advance(s.options.TrainTime)
	}
	image := s.call("GET", project+"/images", q("tagIds", tagID, "take", "1"), nil).list()[0]
	content := download(t, image["originalImageUri"].(string))
	for what, nothing := range map[string]func(){
		"name": func() { s.call("PATCH", project, nil, map[string]any{"name": "other"}).ok() },
		"duplicate": func() {
			s.call("POST", project+"/images/files", nil, map[string]any{"images": []any{map[string]any{"contents": content, "tagIds": []string{tagID}}}})
		},
		"no picture": func() {
			s.call("POST", project+"/images/files", nil, map[string]any{"images": []any{map[string]any{"contents": []byte("text")}}})
		},
		"same tag": func() {
			s.call("POST", project+"/images/tags", nil, map[string]any{"tags": []any{map[string]any{"imageId": image["id"], "tagId": tagID}}}).ok()
		},
	} {
		nothing()
		assert.Equal(t, 400, s.call("POST", project+"/train", nil, nil).status, what)
	}
	s.call("POST", project+"/train", nil, nil).refused(400, "BadRequestTrainingNotNeeded")
}

func TestTrainingAfterAFailure(t *testing.T) {
	t.Parallel()
	for answer, status := range map[string]int{"allowed": 200, "not-needed": 400} {
		s := start(t, answering(TrainAfterFailure, answer))
		project := s.trainable()
		s.FailTrainings(1)
		i := s.call("GET", s.trained(project), nil, nil).ok()
		assert.Equal(t, "Failed", i["status"])
		assert.NotContains(t, i, "trainedAt")
		assert.Equal(t, false, i["exportable"])
		assert.Equal(t, status, s.call("POST", project+"/train", nil, nil).status, answer)
	}
}

func TestOneTrainingAtATime(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation)
	project := s.project()
	s.call("POST", project+"/train", nil, nil).ok()
	s.call("POST", project+"/train", q("forceTrain", "true"), nil).refused(400, "BadRequestTrainingAlreadyInProgress")
}

func TestTrainingNeedsTagsAndImages(t *testing.T) {
	t.Parallel()
	const detection = "a27d5ca5-bb19-49d8-a70a-fec086c47f5b"
	for _, c := range []struct {
		name            string
		pairs           []string
		tags, images    int
		specific, train string
	}{
		{"no tag", nil, 0, 0, "BadRequestMultiClassClassificationTrainingValidationFailed", "Not enough images for training"},
		{"one tag", nil, 1, 5, "BadRequestMultiClassClassificationTrainingValidationFailed", "Not enough images for training"},
		{"four images", nil, 2, 4, "BadRequestMultiClassClassificationTrainingValidationFailed", "Not enough images per tag for training"},
		{"five images", nil, 2, 5, "", ""},
		{"detection, 14 images", []string{"domainId", detection}, 1, 14, "BadRequestDetectionTrainingValidationFailed", "Not enough images per tag for training"},
		{"detection, 15 images", []string{"domainId", detection}, 1, 15, "", ""},
		{"multilabel", []string{"domainId", compactDomain}, 2, 4, "BadRequestMultiLabelClassificationTrainingValidationFailed", "Not enough images per tag for training"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			project := s.project()
			if c.pairs != nil {
				project = "projects/" + s.call("POST", "projects", q(append(c.pairs, "name", "a")...), nil).ok()["id"].(string)
			}
			for n := range c.tags {
				s.images(project, s.tag(project, fmt.Sprint("tag ", n)), c.images)
			}
			a := s.call("POST", project+"/train", nil, nil)
			if c.specific == "" {
				a.ok()
				return
			}
			assert.Equal(t, c.train, a.refused(400, c.specific))
			require.NoError(t, s.Answer(ValidationCode, "general"))
			s.call("POST", project+"/train", nil, nil).refused(400, "BadRequestTrainingValidationFailed")
		})
	}
}

func TestTrainingIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	project := s.trainable()
	advanced := func(pairs ...string) *answer {
		return s.call("POST", project+"/train", q(append([]string{"trainingType", "Advanced"}, pairs...)...), nil)
	}
	advanced().refused(400, "BadRequestReservedBudgetInHoursNotEnoughForAdvancedTraining")
	assert.Equal(t, 1.0, advanced("reservedBudgetInHours", "1").ok()["reservedBudgetInHours"])
	s.Advance(s.options.TrainTime)
	s.call("PATCH", project, nil, map[string]any{"settings": map[string]any{"targetExportPlatforms": []string{"VAIDK"}}}).ok()
	advanced("reservedBudgetInHours", "1").refused(400, "BadRequestExportPlatformNotSupportedForAdvancedTraining")
	s.call("PATCH", project, nil, map[string]any{"settings": map[string]any{"domainId": "b5cfd229-2ac7-4b2b-8d0a-2b0661344894"}}).ok()
	advanced("reservedBudgetInHours", "1").refused(400, "BadRequestDomainNotSupportedForAdvancedTraining")
	s.call("POST", project+"/train", q("trainingType", "Quick"), nil).refused(400, "BadRequestInvalid")
	s.call("POST", project+"/train", q("forceTrain", "maybe"), nil).refused(400, "BadRequestInvalid")
	s.call("POST", project+"/train", q("reservedBudgetInHours", "many"), nil).refused(400, "BadRequestInvalid")
	s.call("POST", project+"/train", q("notificationEmailAddress", "nobody"), nil).refused(400, "BadRequestInvalidEmailAddress")
	s.call("POST", project+"/train", nil, map[string]any{"selectedTags": []string{unknownID}}).refused(404, "NotFoundTag")
	s.call("POST", "projects/"+unknownID+"/train", nil, nil).refused(404, "NotFoundProject")
}

func TestTwentyIterations(t *testing.T) {
	t.Parallel()
	s := start(t)
	project := s.trainable()
	var first string
	for n := range maxIterations {
		if i := s.trained(project); n == 0 {
			first = i
		}
	}
	s.call("POST", project+"/train", q("forceTrain", "true"), nil).refused(400, "BadRequestExceedIterationPerProjectLimit")
	s.call("DELETE", first, nil, nil).empty()
	assert.Equal(t, "Iteration 21", s.call("POST", project+"/train", q("forceTrain", "true"), nil).ok()["name"])
}

func TestNegativeTags(t *testing.T) {
	t.Parallel()
	s := start(t)
	project := s.project()
	s.images(project, s.tag(project, "none of it", "type", "Negative"), 1)
	s.images(project, s.tag(project, "cat"), 5)
	s.call("POST", project+"/train", nil, nil).refused(400, "BadRequestMultiClassClassificationTrainingValidationFailed")
	s.images(project, s.tag(project, "dog"), 5)
	s.call("POST", project+"/train", nil, nil).ok()

	detection := "projects/" + s.call("POST", "projects", q("name", "a", "domainId", "a27d5ca5-bb19-49d8-a70a-fec086c47f5b"), nil).ok()["id"].(string)
	s.tag(detection, "none", "type", "negative")
	s.call("POST", detection+"/train", nil, nil).refused(400, "BadRequestDetectionTrainingNotAllowNegativeTag")
}

func TestMulticlassImagesHaveOneTag(t *testing.T) {
	t.Parallel()
	s := start(t)
	project := s.trainable()
	tags := s.call("GET", project+"/tags", nil, nil).list()
	image := s.call("GET", project+"/images", q("tagIds", tags[0]["id"].(string), "take", "1"), nil).list()[0]["id"]
	s.call("POST", project+"/images/tags", nil, map[string]any{"tags": []any{map[string]any{"imageId": image, "tagId": tags[1]["id"]}}}).ok()
	s.call("POST", project+"/train", nil, nil).refused(400, "BadRequestMultiClassClassificationTrainingValidationFailed")
}

func TestSelectedTags(t *testing.T) {
	t.Parallel()
	s := start(t)
	project := s.trainable()
	s.tag(project, "bird")
	s.call("POST", project+"/train", nil, nil).refused(400, "BadRequestMultiClassClassificationTrainingValidationFailed")
	tags := s.tagsByName(project)
	i := s.call("POST", project+"/train", nil, map[string]any{"selectedTags": []any{tags["cat"]["id"], tags["dog"]["id"]}}).ok()
	trained := s.call("GET", project+"/tags", q("iterationId", i["id"].(string)), nil).list()
	assert.Len(t, trained, 2)
}

func TestOnlyThePreviewTellsWhyAndFromWhat(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation)
	project := s.project()
	s.FailTrainings(1)
	failed := s.trained(project)
	base := s.call("GET", s.trained(project), nil, nil).ok()
	info := map[string]any{"projectId": base["projectId"], "iterationId": base["id"]}
	body := map[string]any{"customBaseModelInfo": info}
	for _, version := range []string{v33, v34} {
		s.version = version
		i := s.call("GET", failed, nil, nil).ok()
		based := s.call("POST", project+"/train", q("forceTrain", "true"), body).ok()
		if version == v33 {
			assert.NotContains(t, i, "trainingErrorDetails")
			assert.NotContains(t, based, "customBaseModelInfo")
		} else {
			assert.NotEmpty(t, i["trainingErrorDetails"])
			assert.Equal(t, info, based["customBaseModelInfo"])
			assert.Nil(t, based["trainingErrorDetails"])
		}
		s.FinishNow(Scope{})
	}
	info["iterationId"] = failed[len(failed)-36:]
	s.call("POST", project+"/train", q("forceTrain", "true"), body).refused(400, "BadRequestCustomBaseModelIterationStatusNotCompleted")
	info["iterationId"] = base["id"]
	s.call("PATCH", project, nil, map[string]any{"settings": map[string]any{"domainId": "a1db07ca-a19a-4830-bae8-e004a42dc863"}}).ok()
	s.call("POST", project+"/train", q("forceTrain", "true"), body).refused(400, "BadRequestCustomBaseModelDomainNotCompatible")
}
