package emulator

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// What the descriptions say in words alone, TestEveryOperation can't break.
func TestLimitsThatDescriptionsTellInWords(t *testing.T) {
	t.Parallel()
	s := start(t)
	project := s.project()
	image := s.images(project, s.tag(project, "cat"), 1)[0]

	pairs := func(n int) map[string]string {
		m := map[string]string{}
		for len(m) < n {
			m[fmt.Sprint("k", len(m))] = "v"
		}
		return m
	}
	for version, l := range map[string]metadataLimit{v33: {50, 256, 512}, v34: {10, 128, 256}} {
		s.version = version
		key, value := strings.Repeat("é", l.key), strings.Repeat("é", l.value)
		update := func(m map[string]string) *answer {
			return s.call("POST", project+"/images/metadata", q("imageIds", image), m)
		}
		create := func(m map[string]string) *answer {
			return s.call("POST", project+"/images/files", nil, map[string]any{"metadata": m, "images": []any{map[string]any{"name": "a", "contents": png(int(seeds.Add(1)))}}})
		}
		for _, wrong := range []map[string]string{{key + "a": "v"}, {"k": value + "a"}, pairs(l.pairs + 1)} {
			assert.Equal(t, []string{"ErrorLimitExceed"}, update(wrong).statuses(207), version)
		}
		create(map[string]string{key + "a": "v"}).refused(400, "BadRequestImageMetadataKey")
		create(map[string]string{"k": value + "a"}).refused(400, "BadRequestImageMetadataValue")
		assert.Equal(t, []string{"ErrorLimitExceed"}, create(pairs(l.pairs+1)).statuses(207))
		assert.Equal(t, []string{"OK"}, create(map[string]string{key: value}).statuses(200))
		assert.Equal(t, []string{"OK"}, update(map[string]string{key: value}).statuses(200))
		assert.Equal(t, []string{"ErrorLimitExceed"}, update(pairs(l.pairs)).statuses(207), "%s: with what it has already", version)
		update(map[string]string{key: ""}).statuses(200)
	}

	var entries []map[string]string
	for range 129 {
		entries = append(entries, map[string]string{"imageId": image, "tagId": unknownID})
	}
	s.call("POST", project+"/images/tags", nil, map[string]any{"tags": entries}).refused(400, "BadRequestExceededBatchSize")
	s.call("POST", project+"/images/tags", nil, map[string]any{"tags": entries[:128]}).refused(404, "NotFoundTag")

	var images []any
	for n := range 3 {
		var tags []string
		for m := range 7 {
			tags = append(tags, s.tag(project, fmt.Sprint("tag ", n, m)))
		}
		images = append(images, map[string]any{"name": "a", "contents": png(int(seeds.Add(1))), "tagIds": tags})
	}
	s.call("POST", project+"/images/files", nil, map[string]any{"images": images}).refused(400, "BadRequestExceedTagPerImageLimit")
	s.call("POST", project+"/images/files", nil, map[string]any{"images": images[:2]}).ok()

	var ids []string
	for range 21 {
		ids = append(ids, newID())
	}
	many := q("tagIds", strings.Join(ids, ","))
	s.call("GET", project+"/images", many, nil).refused(400, "BadRequestExceededBatchSize")
	assert.Equal(t, "0", string(s.call("GET", project+"/images/count", many, nil).body), "counts have no such limit")

	s.call("POST", project+"/train", q("reservedBudgetInHours", "-1"), nil).refused(400, "BadRequestInvalid")
}

func TestFlavorsAreThoseOfThePlatform(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation)
	iteration := s.trained(s.project())
	for _, wrong := range []string{"ONNX Linux", "ONNX TensorFlowLite", "DockerFile ONNX10", "TensorFlow ARM", "CoreML Linux", "CoreML ONNXFloat16", "OpenVino TensorFlowJs", "ONNX NoPostProcess", "ONNX Nonsense"} {
		platform, flavor, _ := strings.Cut(wrong, " ")
		s.call("POST", iteration+"/export", q("platform", platform, "flavor", flavor), nil).refused(400, "BadRequestInvalid")
	}
	assert.Empty(t, s.call("GET", iteration+"/export", nil, nil).list())
}

func TestALatePollTellsDomainAndTime(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation)
	project := s.project()
	iteration := project + "/iterations/" + s.call("POST", project+"/train", nil, nil).ok()["id"].(string)
	s.Advance(s.options.TrainTime / 2)
	early := s.call("GET", iteration, nil, nil).ok()
	assert.Nil(t, early["domainId"])
	s.Advance(time.Second)
	late := s.call("GET", iteration, nil, nil).ok()
	assert.Equal(t, "Training", late["status"])
	assert.Equal(t, compactDomain, late["domainId"])
	assert.Equal(t, "Multiclass", late["classificationType"])
	assert.Equal(t, 1.0, late["trainingTimeInMinutes"])
	assert.NotContains(t, late, "trainedAt")
}

func TestNamesDeletionsAndImportsAsAnswered(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", maxName+1)
	for answer, refused := range map[string]bool{"any": false, "limited": true} {
		s := start(t, noValidation, answering(NameLength, answer))
		project := s.project()
		iteration := s.trained(project)
		for _, a := range []*answerOf{
			{"BadRequestProjectName", s.call("POST", "projects", q("name", long), nil)},
			{"BadRequestProjectName", s.call("PATCH", project, nil, map[string]string{"name": long})},
			{"BadRequestTagName", s.call("POST", project+"/tags", q("name", long), nil)},
			{"BadRequestIterationName", s.call("PATCH", iteration, nil, map[string]string{"name": long})},
		} {
			if refused {
				a.refused(400, a.code)
			} else {
				a.ok()
			}
		}
	}
	for answer, refused := range map[string]bool{"works": false, "refused": true} {
		s := start(t, noValidation, answering(DeletePublished, answer))
		project, _ := s.published(compactDomain)
		if a := s.call("DELETE", project, nil, nil); refused {
			a.refused(400, "BadRequestIterationIsPublished")
		} else {
			a.empty()
		}
	}
	for answer, refused := range map[string]bool{"refused": true, "allowed": false} {
		s := start(t, noValidation, importing, answering(TrainWhileImporting, answer))
		token := s.call("GET", s.project()+"/export", nil, nil).ok()["token"].(string)
		project := "projects/" + s.call("POST", "projects/import", q("token", token), nil).ok()["id"].(string)
		if a := s.call("POST", project+"/train", nil, nil); refused {
			a.refused(400, "BadRequestOperationNotSupported")
			s.Advance(s.options.ImportTime)
			s.call("POST", project+"/train", nil, nil).ok()
		} else {
			a.ok()
		}
	}
}

// answerOf is an answer and the code with which it may be refused.
type answerOf struct {
	code string
	*answer
}

func TestTagsAreListedInTheOrderOfTheDatabase(t *testing.T) {
	t.Parallel()
	inOrder := []string{ // the first four are of the recording ImportExportProject, v3.4-preview
		"6b33eec2-a102-4511-8c69-3f0652ecdcbf", "68fbb72d-2efd-4bc1-891d-511e16e31aca", "4cfbb08b-8ac2-494f-9f63-6056c8c2389a", "4020adbd-0199-4c57-9b3f-8d14bbbbb613",
		"00000000-0000-0001-0000-ffffffffffff", "00000000-0000-0000-0001-ffffffffffff",
	}
	for n := range inOrder[1:] {
		assert.Less(t, databaseOrder(inOrder[n]), databaseOrder(inOrder[n+1]))
	}
	assert.Less(t, databaseOrder("00000000-0000-0100-0000-000000000000"), databaseOrder("00000000-0000-0001-0000-000000000000"), "the third group counts from its end")
}
