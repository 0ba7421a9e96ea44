package emulator

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestParallelCallers is for the race detector: callers, control and the clock at once.
func TestParallelCallers(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	s := start(t, c.connected, noValidation)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			project := s.project("exportModelContainerUri", c.blobURL, "notificationQueueUri", c.queueURL)
			tag := s.tag(project, "cat")
			for range 3 {
				s.images(project, tag, 2)
				iteration := s.trained(project)
				s.call("PATCH", project, nil, map[string]any{"settings": map[string]any{"notificationQueueUri": c.queueURL}})
				s.call("GET", project+"/images", nil, nil).list()
				s.call("POST", iteration+"/export", q("platform", "ONNX"), nil)
				s.Advance(s.options.ExportTime)
				s.call("GET", iteration+"/performance", nil, nil)
				s.View()
			}
		})
	}
	wait.Wait()
	s.FinishNow(Scope{})
	assert.Len(t, s.call("GET", "projects", nil, nil).list(), 4)
}

func TestOneOfManyTrainingsWins(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation)
	project := s.project()
	var wait sync.WaitGroup
	statuses := make([]int, 8)
	for n := range statuses {
		wait.Go(func() { statuses[n] = s.call("POST", project+"/train", nil, nil).status })
	}
	wait.Wait()
	won := 0
	for _, status := range statuses {
		if status == 200 {
			won++
		}
	}
	assert.Equal(t, 1, won)
}
