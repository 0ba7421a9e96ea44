package reconcile

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azpolicy "github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/state"
)

// A service that doesn't export for days isn't asked every ten minutes, whether it
// says no for now or can't say what became of the request.
func TestAskingInVainIsPaused(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]emulator.CallFault{
		"a missing right": {Status: 403}, "no answer to go by": {Status: 503}, "a cut connection": {Reset: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, onnx)
			key := w.trained()
			require.NoError(t, w.Service.FaultCalls("ExportIteration", 1_000_000, f))
			for range 24 * 6 {
				_, _ = w.try(Key{Project: key.Project})
				w.Service.Advance(10 * time.Minute)
			}
			asked := w.Service.Counts()["ExportIteration"]
			assert.LessOrEqual(t, asked, 24+4, "in a day")
			assert.GreaterOrEqual(t, asked, 20, "and yet every hour")

			require.NoError(t, w.Service.FaultCalls("ExportIteration", 0, emulator.CallFault{}))
			w.Service.Advance(time.Hour)
			w.settle(key)
			assert.Equal(t, proven, w.backups(key))
			assert.Empty(t, w.Remembered(key.Project).Conditions)
		})
	}
}

// The same for a training; its failure is too old after a day.
func TestTrainingInVainIsPaused(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]emulator.CallFault{"a missing right": {Status: 403}, "no answer to go by": {Status: 503}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, onnx)
			w.Service.FailTrainings(1)
			key := w.trained()
			require.NoError(t, w.Service.FaultCalls("TrainProject", 1_000_000, f))
			before := w.Service.Counts()["TrainProject"]
			for range 12 * 6 {
				_, _ = w.try(Key{Project: key.Project})
				w.Service.Advance(10 * time.Minute)
			}
			asked := w.Service.Counts()["TrainProject"] - before
			assert.LessOrEqual(t, asked, 12+4, "in half a day")
			assert.GreaterOrEqual(t, asked, 9, "and yet every hour")

			require.NoError(t, w.Service.FaultCalls("TrainProject", 0, emulator.CallFault{}))
			w.Service.Advance(time.Hour)
			w.settle(key)
			begun := slices.DeleteFunc(w.Remembered(key.Project).Trainings, func(t *state.Training) bool { return t.Result == "" })
			assert.Len(t, begun, 1)
			assert.Empty(t, w.Remembered(key.Project).Conditions)
		})
	}
}

// An answer was lost and nothing had come of it; the next try is refused for now. The
// failure is answered all the same, once it can be.
func TestAFailureIsAnsweredAfterALostAnswerAndARefusal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	w.Service.FailTrainings(1)
	key := w.trained()
	require.NoError(t, w.Service.FaultCalls("TrainProject", 1, emulator.CallFault{Status: 503}))
	require.NoError(t, w.Service.FaultCalls("TrainProject", 1, emulator.CallFault{Status: 403}))
	for range 2 {
		_, _ = w.try(Key{Project: key.Project})
		w.Service.Advance(time.Hour)
	}
	assert.Contains(t, w.settle(key), "retrain")
	assert.Len(t, w.Remembered(key.Project).Trainings, 1)
}

// The fresh look before an export fails once. The iteration is not settled by that.
func TestAnExportThatCouldNotBeLookedAtIsAskedForByTheNextRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	key := w.trained()
	looks := 0
	w.options.Service = w.Open(azcore.ClientOptions{
		Retry: azpolicy.RetryOptions{MaxRetries: -1},
		Transport: world.Send(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodGet && strings.HasSuffix(req.URL.Path, "/export") {
				if looks++; looks == 2 {
					return world.Break(req, nil)
				}
				w.Service.Advance(time.Minute) // what was seen is old by the time of the export
			}
			return http.DefaultTransport.RoundTrip(req)
		}),
	})
	_, err := w.try(Key{Project: key.Project})
	require.Error(t, err)
	require.Zero(t, w.Service.Counts()["ExportIteration"])
	w.settle(Key{Project: key.Project})
	assert.Equal(t, proven, w.backups(key))
}
