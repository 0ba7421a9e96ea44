package emulator

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func names(list []map[string]any) []string {
	var all []string
	for _, i := range list {
		all = append(all, i["name"].(string))
	}
	return all
}

func TestIterationOrder(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation)
	project := s.project()
	for range 5 {
		s.trained(project)
	}
	list := func() []string { return names(s.call("GET", project+"/iterations", nil, nil).list()) }
	assert.Equal(t, []string{"Iteration 1", "Iteration 2", "Iteration 3", "Iteration 4", "Iteration 5"}, list())
	require.NoError(t, s.Answer(IterationOrder, "newest-first"))
	assert.Equal(t, []string{"Iteration 5", "Iteration 4", "Iteration 3", "Iteration 2", "Iteration 1"}, list())
	require.NoError(t, s.Answer(IterationOrder, "shuffled"))
	orders := map[string]bool{}
	for range 50 { // all alike once in 120 to the 49th
		orders[fmt.Sprint(list())] = true
	}
	assert.Greater(t, len(orders), 1)
}

func TestTheWorkspace(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation, answering(NewIteration, "listed"))
	project := s.project()
	list := s.call("GET", project+"/iterations", nil, nil).list()
	require.Len(t, list, 1)
	assert.Equal(t, "New", list[0]["status"])
	workspace := project + "/iterations/" + list[0]["id"].(string)
	s.call("DELETE", workspace, nil, nil).refused(400, "BadRequestWorkspaceNotDeletable")
	s.call("PATCH", workspace, nil, map[string]any{"name": "a"}).refused(400, "BadRequestWorkspaceCannotBeModified")
	s.call("GET", workspace+"/performance", nil, nil).refused(400, "BadRequestIterationIsNotTrained")
	s.call("POST", workspace+"/export", q("platform", "ONNX"), nil).refused(400, "BadRequestIterationIsNotTrained")
	assert.Equal(t, workspace, s.trained(project), "the training takes the workspace")
	assert.Len(t, s.call("GET", project+"/iterations", nil, nil).list(), 2)
	require.NoError(t, s.Answer(NewIteration, "hidden"))
	assert.Len(t, s.call("GET", project+"/iterations", nil, nil).list(), 1)
}

func TestRenameIteration(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation)
	project := s.project()
	one, _ := s.trained(project), s.trained(project)
	s.Advance(time.Second)
	i := s.call("PATCH", one, nil, map[string]any{"name": "best", "status": "Failed"}).ok()
	assert.Equal(t, "best", i["name"])
	assert.Equal(t, "Completed", i["status"])
	assert.NotEqual(t, i["trainedAt"], i["lastModified"])
	s.call("PATCH", one, nil, map[string]any{"name": ""}).refused(400, "BadRequestIterationName")
	s.call("PATCH", one, nil, map[string]any{"name": "Iteration 2"}).refused(400, "BadRequestIterationNameNotUnique")
	s.call("PATCH", project+"/iterations/"+unknownID, nil, map[string]any{"name": "a"}).refused(404, "NotFoundIteration")
}

func TestDeleteIteration(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation)
	project := s.project()
	i := s.call("POST", project+"/train", nil, nil).ok()
	path := project + "/iterations/" + i["id"].(string)
	s.call("DELETE", path, nil, nil).refused(400, "BadRequestOperationNotSupported")
	s.FinishNow(Scope{})
	s.call("DELETE", path, nil, nil).empty()
	s.call("GET", path, nil, nil).refused(404, "NotFoundIteration")
	assert.Empty(t, s.call("GET", project+"/iterations", nil, nil).list())
}

func TestDeletingAnIterationEndsItsExportsAlone(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation)
	project := s.project("notificationQueueUri", "https://a.queue.core.windows.net/q")
	gone, stays := s.trained(project), s.trained(project)
	s.call("POST", gone+"/export", q("platform", "ONNX"), nil).ok()
	s.call("POST", stays+"/export", q("platform", "ONNX"), nil).ok()
	s.call("DELETE", gone, nil, nil).empty()
	s.Advance(s.options.ExportTime)
	assert.Equal(t, "Done", s.call("GET", stays+"/export", nil, nil).list()[0]["status"])
	var told int
	for _, m := range s.Messages() {
		if m.Type == "Export" {
			told++
		}
	}
	assert.Equal(t, 1, told)
}

func TestPublish(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation)
	project := s.project()
	one, two := s.trained(project), s.trained(project)
	publish := func(iteration, name string, pairs ...string) *answer {
		return s.call("POST", iteration+"/publish", q(append([]string{"publishName", name, "predictionId", predictionID}, pairs...)...), nil)
	}
	s.call("DELETE", one+"/publish", nil, nil).refused(400, "BadRequestIterationNotPublished")
	assert.Equal(t, "true", string(publish(one, "prod v1").body))
	i := s.call("GET", one, nil, nil).ok()
	assert.Equal(t, "prod v1", i["publishName"])
	assert.Equal(t, predictionID, i["originalPublishResourceId"])

	assert.Equal(t, "Iteration is already published as: prod v1", publish(one, "other", "overwrite", "true").refused(400, "BadRequestIterationIsPublished"))
	publish(two, "prod v1").refused(400, "BadRequestInvalidPublishName")
	assert.Equal(t, "true", string(publish(two, "prod v1", "overwrite", "true").body))
	assert.Nil(t, s.call("GET", one, nil, nil).ok()["publishName"])
	require.NoError(t, s.Answer(PublishOverwrite, "fails"))
	publish(one, "prod v1", "overwrite", "true").refused(400, "BadRequestInvalidPublishName")

	publish(one, " ").refused(400, "BadRequestInvalidPublishName")
	s.call("POST", one+"/publish", q("publishName", "a"), nil).refused(400, "BadRequestRequiredParamIsNull")
	s.call("POST", one+"/publish", q("publishName", "a", "predictionId", "resource"), nil).refused(400, "BadRequestInvalidPublishTarget")
	training := project + "/iterations/" + s.call("POST", project+"/train", q("forceTrain", "true"), nil).ok()["id"].(string)
	publish(training, "a").refused(400, "BadRequestIterationIsNotTrained")
	s.call("DELETE", two+"/publish", nil, nil).empty()
	assert.Nil(t, s.call("GET", two, nil, nil).ok()["publishName"])
}
