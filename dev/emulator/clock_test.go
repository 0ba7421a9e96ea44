package emulator

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestClockIsSetAndAdvanced(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation)
	var got struct{ Now time.Time }
	require.NoError(t, json.Unmarshal(s.post("clock?advance=90m"), &got))
	assert.Equal(t, noon.Add(90*time.Minute), got.Now)
	require.NoError(t, json.Unmarshal(s.post("clock?set=2030-01-02T03:04:05Z"), &got))
	assert.Equal(t, time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), got.Now)
	p := s.call("GET", s.project(), nil, nil).ok()
	assert.Equal(t, "2030-01-02T03:04:05Z", p["created"])

	s.post("clock?frozen=false")
	from := s.Now()
	require.Eventually(t, func() bool { return s.Now().After(from) }, time.Minute, time.Millisecond)
	s.Advance(time.Hour)
	assert.WithinDuration(t, from.Add(time.Hour), s.Now(), time.Minute)
	s.post("clock?frozen=true")
	assert.Equal(t, s.Now(), s.Now())
}

func TestRealClockFinishesByItself(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation, func(o *Options) { o.Frozen, o.TrainTime = time.Time{}, 50*time.Millisecond })
	project := s.project()
	path := project + "/iterations/" + s.call("POST", project+"/train", nil, nil).ok()["id"].(string)
	require.Eventually(t, func() bool { return s.call("GET", path, nil, nil).ok()["status"] == "Completed" }, time.Minute, 5*time.Millisecond)
}

func TestRunningClockIsHeardAfterItWasMoved(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation, func(o *Options) { o.Frozen, o.TrainTime = time.Time{}, time.Hour })
	completed := func() bool {
		for _, i := range s.View().Projects[0].Iterations {
			if i.Status != "Completed" {
				return false
			}
		}
		return true
	}
	project := s.project()
	s.call("POST", project+"/train", nil, nil).ok()
	s.Advance(time.Hour - 100*time.Millisecond) // the rest passes by itself
	require.Eventually(t, completed, time.Minute, 5*time.Millisecond)

	s.Freeze()
	s.call("POST", project+"/train", q("forceTrain", "true"), nil).ok()
	s.Advance(time.Hour - 100*time.Millisecond)
	assert.False(t, completed())
	s.Unfreeze()
	require.Eventually(t, completed, time.Minute, 5*time.Millisecond)
}

func TestJobsRunInTheOrderOfTheirTime(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation)
	one, two := s.project("notificationQueueUri", "https://a.queue.core.windows.net/1"), s.project("notificationQueueUri", "https://a.queue.core.windows.net/2")
	s.call("POST", one+"/train", nil, nil).ok()
	s.Advance(time.Second)
	s.call("POST", two+"/train", nil, nil).ok()
	s.Advance(time.Hour)
	var queues []string
	for _, m := range s.Messages()[2:] {
		queues = append(queues, m.Queue[len(m.Queue)-1:])
	}
	assert.Equal(t, []string{"1", "2"}, queues)
}

func TestStalledTrainingAndExport(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation)
	project := s.project()
	s.post("stall-next-training")
	iteration := s.trained(project)
	s.Advance(1000 * time.Hour)
	assert.Equal(t, "Training", s.call("GET", iteration, nil, nil).ok()["status"])
	assert.Equal(t, "{\"finished\":1}\n", string(s.post("finish-now?iteration="+iteration[len(iteration)-36:])))
	i := s.call("GET", iteration, nil, nil).ok()
	assert.Equal(t, "Completed", i["status"])
	assert.Equal(t, s.Now().Format("2006-01-02T15:04:05.999Z"), i["trainedAt"])

	s.post("stall-next-export")
	assert.Equal(t, "Exporting", s.exported(iteration, "ONNX", "")["status"])
	assert.Equal(t, "Done", s.exported(iteration, "CoreML", "")["status"], "the next one isn't stalled")
	assert.Equal(t, 1, s.FinishNow(Scope{Platform: "ONNX", Fail: true}))
	assert.Equal(t, "Failed", s.call("GET", iteration+"/export", nil, nil).list()[0]["status"])
	assert.Zero(t, s.FinishNow(Scope{}))
}
