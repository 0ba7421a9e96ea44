package customvision

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// connected is a project as the service answers it, with the storage integration
// and with fields that the API's description doesn't have.
const connected = `{"id":"64b822c5-8082-4b36-a426-27225f4aa18c","name":"Trees","description":null,
	"settings":{"domainId":"0732100f-1a38-4e49-a514-c9b44c697ab5","classificationType":"Multilabel","targetExportPlatforms":[],
		"useNegativeSet":true,"detectionParameters":null,
		"imageProcessingSettings":{"augmentationMethods":{"rotation":true,"horizontal flip":false}},
		"exportModelContainerUri":"https://account.blob.core.windows.net/models",
		"notificationQueueUri":"https://account.queue.core.windows.net/notes","newSetting":{"a":[1.50]}},
	"created":"2020-11-06T17:46:18.123Z","lastModified":"2020-11-06T17:46:19.1234567Z","thumbnailUri":null,"drModeEnabled":false,"status":"Succeeded",
	"newField":"kept"}`

func TestAProjectIsRead(t *testing.T) {
	t.Parallel()
	client, _ := setup(t, answerWith(http.StatusOK, connected))
	p, err := client.Project(t.Context(), projectID)
	require.NoError(t, err)
	assert.Equal(t, projectID, p.ID)
	assert.Equal(t, "Trees", p.Name)
	assert.Nil(t, p.Description)
	assert.Equal(t, "Succeeded", p.Status)
	assert.Equal(t, time.Date(2020, 11, 6, 17, 46, 19, 123456700, time.UTC), p.LastModified)
	assert.Equal(t, "0732100f-1a38-4e49-a514-c9b44c697ab5", p.Settings.DomainID)
	assert.Equal(t, "Multilabel", *p.Settings.ClassificationType)
	assert.Equal(t, "https://account.blob.core.windows.net/models", p.Settings.ExportModelContainerURI)
	assert.Equal(t, "https://account.queue.core.windows.net/notes", p.Settings.NotificationQueueURI)
}

func TestTheOfficialExampleOfAProjectIsRead(t *testing.T) {
	t.Parallel()
	client, _ := setup(t, answerWith(http.StatusOK, `[{"id":"bc3f7dad-5544-468c-8573-3ef04d55463e","name":"My New Project","description":"A test project",
		"settings":{"domainId":"ee85a74c-405e-4adc-bb47-ffa8ca0c9f31"},"created":"2017-12-18T05:43:18Z","lastModified":"2017-12-18T05:43:18Z","thumbnailUri":""}]`))
	projects, err := client.Projects(t.Context())
	require.NoError(t, err)
	require.Len(t, projects, 1)
	assert.Equal(t, "A test project", *projects[0].Description)
	assert.Nil(t, projects[0].Settings.ClassificationType)
	assert.Empty(t, projects[0].Settings.NotificationQueueURI, "not connected")
}

func TestAProjectIsCreatedAsTheGuideSays(t *testing.T) {
	t.Parallel()
	client, s := setup(t, answerWith(http.StatusOK, connected))
	p, err := client.CreateProject(t.Context(), CreateProjectOptions{
		Name: "Trees & é+1", Description: "a b", DomainID: "0732100f-1a38-4e49-a514-c9b44c697ab5", ClassificationType: "Multiclass",
		TargetExportPlatforms:   []string{"ONNX", "VAIDK"},
		ExportModelContainerURI: "https://account.blob.core.windows.net/models?a=1&b=2",
		NotificationQueueURI:    "https://account.queue.core.windows.net/notes",
	})
	require.NoError(t, err)
	assert.Equal(t, "https://account.queue.core.windows.net/notes", p.Settings.NotificationQueueURI)
	got := s.only(t)
	assert.Empty(t, got.body)
	assert.Equal(t, url.Values{
		"name": {"Trees & é+1"}, "description": {"a b"}, "domainId": {"0732100f-1a38-4e49-a514-c9b44c697ab5"},
		"classificationType": {"Multiclass"}, "targetExportPlatforms": {"ONNX,VAIDK"},
		"exportModelContainerUri": {"https://account.blob.core.windows.net/models?a=1&b=2"},
		"notificationQueueUri":    {"https://account.queue.core.windows.net/notes"},
	}, got.query)
}

func TestSpacesInQueriesArePercentEncoded(t *testing.T) {
	t.Parallel()
	raw := make(chan string, 1)
	client, _ := setup(t, func(w http.ResponseWriter, r *http.Request) {
		raw <- r.URL.RawQuery
		answerWith(http.StatusOK, `{}`)(w, r)
	})
	_, err := client.CreateProject(t.Context(), CreateProjectOptions{Name: "a b+c"})
	require.NoError(t, err)
	assert.Equal(t, "name=a%20b%2Bc", <-raw)
}

func TestAnUpdateSendsEverySettingBack(t *testing.T) {
	t.Parallel()
	client, s := setup(t, answerWith(http.StatusOK, connected))
	p, err := client.Project(t.Context(), projectID)
	require.NoError(t, err)

	p.Name = "Firs"
	p.Settings.NotificationQueueURI = "https://account.queue.core.windows.net/others"
	_, err = client.UpdateProject(t.Context(), projectID, p)
	require.NoError(t, err)

	sent := s.received()[1]
	assert.Equal(t, "application/json", sent.header.Get("Content-Type"))
	assert.Equal(t, asJSON(t, `{"name":"Firs","description":null,
		"settings":{"domainId":"0732100f-1a38-4e49-a514-c9b44c697ab5","classificationType":"Multilabel","targetExportPlatforms":[],
			"useNegativeSet":true,"detectionParameters":null,
			"imageProcessingSettings":{"augmentationMethods":{"rotation":true,"horizontal flip":false}},
			"exportModelContainerUri":"https://account.blob.core.windows.net/models",
			"notificationQueueUri":"https://account.queue.core.windows.net/others","newSetting":{"a":[1.50]}},
		"newField":"kept"}`), asJSON(t, sent.body))
}

func TestAProjectIsWrittenWhole(t *testing.T) {
	t.Parallel()
	var p Project
	require.NoError(t, json.Unmarshal([]byte(connected), &p))
	written, err := json.Marshal(p)
	require.NoError(t, err)
	var again Project
	require.NoError(t, json.Unmarshal(written, &again))
	assert.Equal(t, p, again)
	assert.Contains(t, string(written), `"newSetting":{"a":[1.50]}`)
}

func TestAFieldKnownInAnotherCaseIsNotSentTwice(t *testing.T) {
	t.Parallel()
	var p Project
	require.NoError(t, json.Unmarshal([]byte(`{"Name":"a","settings":{"DomainId":"d"}}`), &p))
	p.Name = "b"
	written, err := json.Marshal(p)
	require.NoError(t, err)
	assert.JSONEq(t, `{"name":"b","description":null,"settings":{"domainId":"d"}}`, string(written))
}
