package emulator

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/internal/storage"
)

func TestStateFileKeepsEverythingOverARestart(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state.json")
	keep := func(o *Options) { o.State = file }
	s := start(t, keep)
	project := s.trainable()
	iteration := s.trained(project)
	before := s.exported(iteration, "ONNX", "")
	content := download(t, before["downloadUri"].(string))
	image := s.call("GET", project+"/images", nil, nil).list()[0]
	picture := download(t, image["originalImageUri"].(string))
	s.Advance(5 * time.Minute)
	training := project + "/iterations/" + s.call("POST", project+"/train", q("forceTrain", "true"), nil).ok()["id"].(string)
	wantProject, wantMessages := s.call("GET", project, nil, nil).ok(), s.Messages()
	s.Close()

	again := start(t, keep, func(o *Options) { o.Frozen = time.Time{} })
	assert.Equal(t, s.Now(), again.Now(), "the clock stands where it stood")
	gotProject := again.call("GET", project, nil, nil).ok()
	wantProject["thumbnailUri"] = strings.Replace(wantProject["thumbnailUri"].(string), s.url, again.url, 1)
	assert.Equal(t, wantProject, gotProject)
	assert.Equal(t, wantMessages, again.Messages())
	e := again.call("GET", iteration+"/export", nil, nil).list()[0]
	assert.Equal(t, content, download(t, e["downloadUri"].(string)))
	image = again.call("GET", project+"/images", nil, nil).list()[0]
	assert.Equal(t, picture, download(t, image["originalImageUri"].(string)))
	assert.Equal(t, "Training", again.call("GET", training, nil, nil).ok()["status"])
	again.Advance(s.options.TrainTime)
	assert.Equal(t, "Completed", again.call("GET", training, nil, nil).ok()["status"], "what ran goes on")
}

func TestForeignStateFileIsRefused(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state.json")
	require.NoError(t, os.WriteFile(file, []byte("text"), 0o600))
	_, err := New(Options{Key: "k", State: file})
	assert.ErrorContains(t, err, "is not an emulator's state")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, "text", string(text))
}

func TestRestartWithoutStorage(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	file := filepath.Join(t.TempDir(), "state.json")
	keep := func(o *Options) { o.State = file }
	s := start(t, c.connected, noValidation, keep)
	project := s.project("exportModelContainerUri", c.blobURL, "notificationQueueUri", c.queueURL)
	s.Close()

	again := start(t, noValidation, keep)
	again.Advance(testBlobLife)
	assert.Equal(t, "Done", again.exported(again.trained(project), "ONNX", "")["status"])
	assert.False(t, again.Messages()[1].Sent)
}

func TestWhatACloseCutShortIsDoneAfterARestart(t *testing.T) {
	t.Parallel()
	writing, hang := make(chan struct{}, 1), atomic.Bool{}
	hang.Store(true)
	blobs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.URL.Path, testFolder) && hang.Load() {
			io.Copy(io.Discard, r.Body) // so that the server notices when the caller leaves
			writing <- struct{}{}
			<-r.Context().Done()
			return
		}
		w.WriteHeader(http.StatusCreated)
	}))
	t.Cleanup(blobs.Close)
	account, err := storage.ParseConnectionString("AccountName=a;AccountKey=a2V5;BlobEndpoint=" + blobs.URL + "/a;QueueEndpoint=" + blobs.URL + "/a")
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "state.json")
	keep := func(o *Options) {
		o.State, o.Storage, o.Frozen, o.TrainTime, o.ExportTime = file, account, time.Time{}, 0, 0
	}

	s := start(t, keep, noValidation)
	project := s.project("exportModelContainerUri", blobs.URL+"/a/models")
	id, err := s.Train(project[9:])
	require.NoError(t, err)
	iteration := project + "/iterations/" + id
	require.Eventually(t, func() bool { return s.call("GET", iteration, nil, nil).ok()["status"] == "Completed" }, time.Minute, time.Millisecond)
	s.call("POST", iteration+"/export", q("platform", "ONNX"), nil).ok()
	<-writing
	s.Close()

	hang.Store(false)
	again := start(t, keep, noValidation)
	require.Eventually(t, func() bool { return again.call("GET", iteration+"/export", nil, nil).list()[0]["status"] == "Done" }, time.Minute, time.Millisecond)
}
