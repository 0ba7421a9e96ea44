package emulator

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/azurite"
	"visionkeeper/dev/azurite/azuritetest"
	"visionkeeper/internal/storage"
)

// cloud is the storage of one test: a queue and a container of the customer's.
type cloud struct {
	t                 *testing.T
	account           storage.Account
	queue, container  string
	queueURL, blobURL string
	serviceStorage    storage.Account
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	server := azuritetest.Start(t)
	c := &cloud{t: t, queue: azuritetest.Name("notes"), container: azuritetest.Name("models")}
	var err error
	c.account, err = storage.ParseConnectionString(server.ConnectionString(azurite.Customer))
	require.NoError(t, err)
	c.serviceStorage, err = storage.ParseConnectionString(server.ConnectionString(azurite.Service))
	require.NoError(t, err)
	queues, err := c.account.Queue(nil)
	require.NoError(t, err)
	_, err = queues.CreateQueue(t.Context(), c.queue, nil)
	require.NoError(t, err)
	blobs, err := c.account.Blob(nil)
	require.NoError(t, err)
	_, err = blobs.CreateContainer(t.Context(), c.container, nil)
	require.NoError(t, err)
	c.queueURL, c.blobURL = c.account.QueueURL+"/"+c.queue, c.account.BlobURL+"/"+c.container
	return c
}

func (c *cloud) connected(o *Options) { o.Storage, o.ServiceStorage = c.account, c.serviceStorage }

// receive takes all messages from the queue, as text.
func (c *cloud) receive() []string {
	c.t.Helper()
	queues, err := c.account.Queue(nil)
	require.NoError(c.t, err)
	var texts []string
	for {
		got, err := queues.NewQueueClient(c.queue).DequeueMessage(c.t.Context(), nil)
		require.NoError(c.t, err)
		if len(got.Messages) == 0 {
			return texts
		}
		texts = append(texts, *got.Messages[0].MessageText)
	}
}

// decoded is a Base64 message.
func decoded(t *testing.T, text string) string {
	t.Helper()
	plain, err := base64.StdEncoding.DecodeString(text)
	require.NoError(t, err)
	return string(plain)
}

// blobNames lists the container.
func (c *cloud) blobNames() []string {
	c.t.Helper()
	blobs, err := c.account.Blob(nil)
	require.NoError(c.t, err)
	page, err := blobs.NewContainerClient(c.container).NewListBlobsFlatPager(nil).NextPage(c.t.Context())
	require.NoError(c.t, err)
	names := []string{}
	for _, item := range page.Segment.BlobItems {
		names = append(names, *item.Name)
	}
	return names
}

func (c *cloud) blob(name string) []byte {
	c.t.Helper()
	blobs, err := c.account.Blob(nil)
	require.NoError(c.t, err)
	got, err := blobs.NewContainerClient(c.container).NewBlobClient(name).DownloadStream(context.Background(), nil)
	require.NoError(c.t, err)
	defer got.Body.Close()
	content, err := io.ReadAll(got.Body)
	require.NoError(c.t, err)
	return content
}

func download(t *testing.T, uri string) []byte {
	t.Helper()
	response, err := http.Get(uri)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
	content, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return content
}

// unpack reads a package into its members.
func unpack(t *testing.T, content []byte) map[string][]byte {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	require.NoError(t, err)
	members := map[string][]byte{}
	for _, f := range archive.File {
		r, err := f.Open()
		require.NoError(t, err)
		members[f.Name], err = io.ReadAll(r)
		require.NoError(t, err)
	}
	return members
}

func TestWholeLifeWithStorage(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	s := start(t, c.connected, noValidation)

	project := s.project("exportModelContainerUri", c.blobURL, "notificationQueueUri", c.queueURL)
	id := strings.TrimPrefix(project, "projects/")
	settings := s.call("GET", project, nil, nil).ok()["settings"].(map[string]any)
	assert.Equal(t, c.queueURL, settings["notificationQueueUri"])
	assert.Equal(t, c.blobURL, settings["exportModelContainerUri"])
	messages := c.receive()
	require.Len(t, messages, 1)
	assert.Equal(t, `{"version":"1.0","type":"ConnectionTest","Content":{"projectId":"`+id+`"}}`, decoded(t, messages[0]))
	require.Len(t, c.blobNames(), 1)
	assert.True(t, strings.HasPrefix(c.blobNames()[0], "CustomVision-TestPermission/"))
	s.Advance(testBlobLife)
	assert.Empty(t, c.blobNames())

	iteration := s.trained(project)
	iterationID := strings.TrimPrefix(iteration, project+"/iterations/")
	messages = c.receive()
	require.Len(t, messages, 1)
	assert.Equal(t, `{"version":"1.0","type":"Training","Content":{"projectId":"`+id+`","iterationId":"`+iterationID+`","trainingStatus":"TrainingCompleted"}}`, decoded(t, messages[0]))

	e := s.call("POST", iteration+"/export", q("platform", "ONNX"), nil).ok()
	assert.Equal(t, map[string]any{"platform": "ONNX", "status": "Exporting", "downloadUri": nil, "flavor": nil, "newerVersionAvailable": false}, e)
	s.Advance(s.options.ExportTime)
	name := id + " - " + iterationID + ".ONNX"
	assert.Equal(t, []string{name}, c.blobNames())
	messages = c.receive()
	require.Len(t, messages, 1)
	assert.Equal(t, `{"version":"1.0","type":"Export","Content":{"projectId":"`+id+`","iterationId":"`+iterationID+`","exportStatus":"ExportCompleted","modelUri":"`+
		c.blobURL+"/"+strings.ReplaceAll(name, " ", "%20")+`"}}`, decoded(t, messages[0]))

	exports := s.call("GET", iteration+"/export", nil, nil).list()
	require.Len(t, exports, 1)
	uri := exports[0]["downloadUri"].(string)
	assert.True(t, strings.HasPrefix(uri, c.serviceStorage.BlobURL+"/m-"+compact(id)+"/"+compact(iterationID)+".ONNX.zip?"))
	content := download(t, uri)
	assert.Equal(t, content, c.blob(name))

	members := unpack(t, content)
	var m manifest
	require.NoError(t, json.Unmarshal(members["cvexport.manifest"], &m))
	sum := sha1.Sum(members[m.ModelFileName])
	assert.Equal(t, hex.EncodeToString(sum[:]), m.ModelFileSHA1)
	assert.Equal(t, iterationID, m.IterationID)
	assert.Equal(t, "ONNX", m.Platform)
	assert.Nil(t, m.Flavor)

	a := s.call("POST", iteration+"/publish", q("publishName", "prod", "predictionId", predictionID), nil)
	assert.Equal(t, "true", string(a.body))
	s.call("DELETE", iteration, nil, nil).refused(400, "BadRequestIterationIsPublished")
	s.call("DELETE", iteration+"/publish", nil, nil).empty()
	s.call("DELETE", iteration, nil, nil).empty()
	s.call("DELETE", project, nil, nil).empty()
	s.call("GET", project, nil, nil).refused(404, "NotFoundProject")
}

func TestPackagesAreServedWithoutStorage(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation)
	iteration := s.trained(s.project())
	s.call("POST", iteration+"/export", q("platform", "DockerFile", "flavor", "linux"), nil).ok()
	s.Advance(s.options.ExportTime)
	e := s.call("GET", iteration+"/export", nil, nil).list()[0]
	assert.Equal(t, "Linux", e["flavor"])
	members := unpack(t, download(t, e["downloadUri"].(string)))
	assert.Contains(t, members, "app/cvexport.manifest")
	assert.Contains(t, members, "Dockerfile")
}

func TestFailuresOnDemand(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation)
	project := s.project()
	s.post("fail-next-training")
	assert.Equal(t, "Failed", s.call("GET", s.trained(project), nil, nil).ok()["status"])
	iteration := s.trained(project)
	assert.Equal(t, "Completed", s.call("GET", iteration, nil, nil).ok()["status"])
	s.post("fail-next-export?count=1")
	s.call("POST", iteration+"/export", q("platform", "ONNX"), nil).ok()
	s.post("finish-now")
	assert.Equal(t, "Failed", s.call("GET", iteration+"/export", nil, nil).list()[0]["status"])
}

func TestRequestsAreLogged(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.call("GET", "projects/"+unknownID, nil, nil)
	r, err := http.NewRequest("GET", s.url+"/customvision/v3.3/training/projects", nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusUnauthorized, s.do(r).status)
	log := s.Requests()
	require.Len(t, log, 2)
	assert.Equal(t, Request{Time: noon, Method: "GET", Path: "/customvision/v3.3/training/projects/" + unknownID, Version: v33, Operation: "GetProject", Status: 404}, log[0])
	assert.Equal(t, 401, log[1].Status)
	assert.Equal(t, map[string]int{"GetProject": 1, "GetProjects": 1}, s.Counts())
}
