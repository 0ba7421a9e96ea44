package reconcile

import (
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

// Whatever became of an export since, its condition says what is true now, and the tries
// before count.
func TestTheConditionOfAnExportSaysWhatIsTrueNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	key := w.trained()
	require.NoError(t, w.Service.FaultCalls("ExportIteration", 2, emulator.CallFault{Status: 400, Code: "BadRequestExceededQuota"}))
	w.reconcile(key)
	refused := w.condition(key, "ONNX")
	require.Equal(t, state.ExportRefused, refused.Code)
	w.Service.Advance(pause(refused))
	w.reconcile(key)
	again := w.condition(key, "ONNX")
	require.Equal(t, 2, again.Attempts)

	w.Service.FailExports(1)
	w.Service.Advance(pause(again))
	w.reconcile(key)
	accepted := w.condition(key, "ONNX")
	assert.Equal(t, state.Exporting, accepted.Code)
	assert.Equal(t, 3, accepted.Attempts)
	assert.Equal(t, refused.First, accepted.First)
	w.Service.Advance(world.ExportTime)
	w.reconcile(key)
	failed := w.condition(key, "ONNX")
	assert.Equal(t, state.ExportFailed, failed.Code)
	assert.Equal(t, 3, failed.Attempts, "the try that failed is counted already")
	assert.Equal(t, accepted.Next, failed.Next)

	require.NoError(t, w.Service.FaultCalls("ExportIteration", 1, emulator.CallFault{Status: 400, Code: "BadRequestExceededQuota"}))
	w.Service.Advance(failed.Next.Sub(w.Service.Now()))
	for range 2 {
		w.reconcile(key)
		assert.Equal(t, state.ExportRefused, w.condition(key, "ONNX").Code, "making it again is refused")
	}
	w.passes(key, "ONNX")
}

func TestAnExportThatNeverEndsIsACondition(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onnx)
	w.Service.StallExports(1)
	key := w.trained()
	w.reconcile(key)
	since := w.Service.Now()
	w.Service.Advance(stuckFor - time.Minute)
	w.reconcile(key)
	require.Empty(t, w.Remembered(key.Project).Conditions)
	w.Service.Advance(2 * time.Minute)
	w.reconcile(key)
	c := w.postponed(key, "ONNX", state.ExportStuck, 0)
	assert.Contains(t, c.Why, since.UTC().Format("2006-01-02"))
	w.Service.FinishNow(emulator.Scope{Iteration: key.Iteration, Platform: "ONNX"})
	w.settle(key)
	assert.Equal(t, proven, w.backups(key))
	assert.Empty(t, w.Remembered(key.Project).Conditions)
}

const stuckFor = 6 * time.Hour // as in newWorld

// The export that was asked for has failed long ago. A person makes it again: that one
// is young, and holds its platform.
func TestAnExportThatIsMadeAgainIsAsYoungAsItIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","exports":["ONNX"]}]}`)
	w.Service.FailExports(1)
	key := w.trained()
	w.settle(key)
	require.Equal(t, state.ExportFailed, w.condition(key, "ONNX").Code)
	w.options.Policy = parsed(t, `{"projects":[{"project":"*","exports":["ONNX.ONNX12"]}]}`)
	w.Service.Advance(2 * stuckFor)
	require.Nil(t, w.Service.Export(key.Project, key.Iteration, "ONNX", ""))
	before := w.Service.Counts()["ExportIteration"]
	w.reconcile(key)
	assert.Equal(t, before, w.Service.Counts()["ExportIteration"], "the other flavor would overwrite it")
}

// A limit of calls means that nothing was done.
func TestARequestThatIsRateLimitedIsNoAttempt(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]int{"at the first try": 0, "after a refusal": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, onnx)
			w.options.Service = w.Open(azcore.ClientOptions{Retry: azpolicy.RetryOptions{MaxRetries: -1}})
			key := w.trained()
			if before > 0 {
				require.NoError(t, w.Service.FaultCalls("ExportIteration", before, emulator.CallFault{Status: 400, Code: "BadRequestExceededQuota"}))
				w.reconcile(key)
				w.Service.Advance(pause(w.condition(key, "ONNX")))
			}
			require.NoError(t, w.Service.FaultCalls("ExportIteration", 1_000_000, emulator.CallFault{Status: 429}))
			for range 8 {
				_, err := w.try(key)
				require.Error(t, err)
				assert.Equal(t, before, w.condition(key, "ONNX").Attempts)
				w.Service.Advance(10 * time.Minute)
			}
			require.NoError(t, w.Service.FaultCalls("ExportIteration", 0, emulator.CallFault{}))
			w.settle(key)
			assert.Equal(t, proven, w.backups(key))
		})
	}
}
