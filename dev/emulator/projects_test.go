package emulator

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/internal/storage"
)

func TestProjectHasTheRecordedDefaults(t *testing.T) {
	t.Parallel()
	s := start(t)
	p := s.call("POST", "projects", q("name", "plain"), nil).ok()
	assert.Regexp(t, guidForm, p["id"])
	delete(p, "id")
	assert.Equal(t, map[string]any{
		"name": "plain", "description": nil,
		"settings": map[string]any{
			"domainId": "ee85a74c-405e-4adc-bb47-ffa8ca0c9f31", "classificationType": "Multilabel",
			"targetExportPlatforms": []any{}, "useNegativeSet": true, "detectionParameters": nil,
			"imageProcessingSettings": map[string]any{"augmentationMethods": map[string]any{
				"rotation": true, "scaling": true, "translation": true, "horizontal flip": true, "equalize": true, "solarize": true, "padtosquare": true}},
		},
		"created": "2026-03-04T12:00:00Z", "lastModified": "2026-03-04T12:00:00Z",
		"thumbnailUri": nil, "drModeEnabled": false, "status": "Succeeded",
	}, p)
}

func TestObjectDetectionHasNoClassificationType(t *testing.T) {
	t.Parallel()
	s := start(t)
	p := s.call("POST", "projects", q("name", "det", "domainId", "A27D5CA5-BB19-49D8-A70A-FEC086C47F5B"), nil).ok()
	settings := p["settings"].(map[string]any)
	assert.Nil(t, settings["classificationType"])
	assert.Equal(t, "a27d5ca5-bb19-49d8-a70a-fec086c47f5b", settings["domainId"])
}

func TestProjectsAreListedUntilDeleted(t *testing.T) {
	t.Parallel()
	s := start(t)
	assert.Empty(t, s.call("GET", "projects", nil, nil).list())
	one, two := s.project(), s.project()
	assert.Len(t, s.call("GET", "projects", nil, nil).list(), 2)
	s.call("DELETE", one, nil, nil).empty()
	list := s.call("GET", "projects", nil, nil).list()
	require.Len(t, list, 1)
	assert.Equal(t, two, "projects/"+list[0]["id"].(string))
	s.call("DELETE", one, nil, nil).refused(404, "NotFoundProject")
}

func TestProjectIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, c := range []struct {
		code  string
		pairs []string
	}{
		{"BadRequestRequiredParamIsNull", nil},
		{"BadRequestProjectName", []string{"name", " "}},
		{"BadRequestProjectUnknownDomain", []string{"name", "a", "domainId", unknownID}},
		{"BadRequestProjectUnknownDomain", []string{"name", "a", "domainId", "General"}},
		{"BadRequestProjectUnknownClassification", []string{"name", "a", "classificationType", "Some"}},
		{"BadRequestProjectUnknownClassification", []string{"name", "a", "domainId", "a27d5ca5-bb19-49d8-a70a-fec086c47f5b", "classificationType", "Multiclass"}},
		{"BadRequestProjectUnsupportedExportPlatform", []string{"name", "a", "targetExportPlatforms", "VAIDK"}},
		{"BadRequestProjectUnsupportedExportPlatform", []string{"name", "a", "domainId", compactDomain, "targetExportPlatforms", "CoreML,Toaster"}},
	} {
		s.call("POST", "projects", q(c.pairs...), nil).refused(400, c.code)
	}
	s.call("POST", "projects", q("name", "a"), "{").refused(400, "BadRequestInvalid")
	assert.Empty(t, s.call("GET", "projects", nil, nil).list())
}

func TestPatchMerges(t *testing.T) {
	t.Parallel()
	s := start(t)
	project := s.project("description", "first", "targetExportPlatforms", "CoreML,onnx")
	before := s.call("GET", project, nil, nil).ok()
	assert.Equal(t, []any{"CoreML", "ONNX"}, before["settings"].(map[string]any)["targetExportPlatforms"])
	s.Advance(1e9)

	after := s.call("PATCH", project, nil, map[string]any{"name": "new", "id": unknownID, "created": "2001-01-01T00:00:00Z"}).ok()
	assert.Equal(t, "new", after["name"])
	for _, key := range []string{"id", "description", "settings", "created"} {
		assert.Equal(t, before[key], after[key], key)
	}
	assert.Equal(t, "2026-03-04T12:00:01Z", after["lastModified"])

	after = s.call("PATCH", project, nil, map[string]any{"description": nil, "settings": map[string]any{
		"classificationType": "Multilabel", "domainId": "a1db07ca-a19a-4830-bae8-e004a42dc863", "targetExportPlatforms": []string{"VAIDK"},
		"imageProcessingSettings": map[string]any{"augmentationMethods": map[string]bool{"rotation": false}},
	}}).ok()
	assert.Nil(t, after["description"])
	settings := after["settings"].(map[string]any)
	assert.Equal(t, "Multilabel", settings["classificationType"])
	assert.Equal(t, "a1db07ca-a19a-4830-bae8-e004a42dc863", settings["domainId"])
	assert.Equal(t, []any{"VAIDK"}, settings["targetExportPlatforms"])
	assert.Equal(t, map[string]any{"augmentationMethods": map[string]any{"rotation": false}}, settings["imageProcessingSettings"])
}

func TestPatchIsRefusedAsAWhole(t *testing.T) {
	t.Parallel()
	s := start(t)
	project := s.project()
	before := s.call("GET", project, nil, nil).ok()
	settings := func(key string, value any) map[string]any {
		return map[string]any{"name": "other", "settings": map[string]any{key: value}}
	}
	s.call("PATCH", project, nil, map[string]any{"name": ""}).refused(400, "BadRequestProjectName")
	s.call("PATCH", project, nil, settings("domainId", unknownID)).refused(400, "BadRequestProjectUnknownDomain")
	s.call("PATCH", project, nil, settings("domainId", "a27d5ca5-bb19-49d8-a70a-fec086c47f5b")).refused(400, "BadRequestProjectUnsupportedDomainTypeChange")
	s.call("PATCH", project, nil, settings("classificationType", "Some")).refused(400, "BadRequestProjectUnknownClassification")
	s.call("PATCH", project, nil, settings("targetExportPlatforms", []string{"Toaster"})).refused(400, "BadRequestProjectUnsupportedExportPlatform")
	s.call("PATCH", project, nil, settings("imageProcessingSettings", map[string]any{"augmentationMethods": map[string]bool{"melting": true}})).refused(400, "BadRequestProjectImagePreprocessingSettings")
	s.call("PATCH", project, nil, "[").refused(400, "BadRequestInvalid")
	s.call("PATCH", "projects/"+unknownID, nil, map[string]any{}).refused(404, "NotFoundProject")
	assert.Equal(t, before, s.call("GET", project, nil, nil).ok())
}

func TestProjectNamesMayHaveToBeUnique(t *testing.T) {
	t.Parallel()
	s := start(t, answering(ProjectNames, "unique"))
	s.project()
	s.call("POST", "projects", q("name", "demo"), nil).refused(400, "BadRequestProjectNameNotUnique")
}

func TestDeletingAProjectEndsWhatItRanAndNothingElse(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation)
	gone, stays := s.project("notificationQueueUri", "https://a.queue.core.windows.net/gone"), s.project("notificationQueueUri", "https://a.queue.core.windows.net/stays")
	s.call("POST", gone+"/train", nil, nil).ok()
	iteration := stays + "/iterations/" + s.call("POST", stays+"/train", nil, nil).ok()["id"].(string)
	s.call("DELETE", gone, nil, nil).empty()
	s.Advance(s.options.TrainTime)
	assert.Equal(t, "Completed", s.call("GET", iteration, nil, nil).ok()["status"])
	messages := s.Messages()
	require.Len(t, messages, 3, "two connection tests, one training")
	assert.Equal(t, "https://a.queue.core.windows.net/stays", messages[2].Queue)
}

// TestUpdatesDuringAConnectionTestAreKept changes the name while the test of another
// change writes to the queue.
func TestUpdatesDuringAConnectionTestAreKept(t *testing.T) {
	t.Parallel()
	var s *fixture
	var project string
	storageService := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.call("PATCH", project, nil, map[string]any{"name": "renamed", "settings": map[string]any{"classificationType": "Multilabel"}}).ok()
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusCreated)
		io.WriteString(w, `<?xml version="1.0"?><QueueMessagesList></QueueMessagesList>`)
	}))
	t.Cleanup(storageService.Close)
	account, err := storage.ParseConnectionString("AccountName=a;AccountKey=a2V5;BlobEndpoint=" + storageService.URL + "/b;QueueEndpoint=" + storageService.URL + "/q")
	require.NoError(t, err)
	s = start(t, func(o *Options) { o.Storage = account })
	project = s.project()
	queue := account.QueueURL + "/notes"
	s.call("PATCH", project, nil, map[string]any{"description": "d", "settings": map[string]any{"notificationQueueUri": queue}}).ok()
	p := s.call("GET", project, nil, nil).ok()
	assert.Equal(t, "renamed", p["name"])
	assert.Equal(t, "d", p["description"])
	assert.Equal(t, "Multilabel", p["settings"].(map[string]any)["classificationType"])
	assert.Equal(t, queue, p["settings"].(map[string]any)["notificationQueueUri"])
}
