package emulator

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
	assert.Equal(t, wantProject, again.call("GET", project, nil, nil).ok())
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
