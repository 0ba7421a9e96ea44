package customvision

import (
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// answered is a transport that answers at once.
type answered struct{}

func (answered) Do(req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: req}, nil
}

// Five projects call without pause, as a sweep does. A message that comes later
// waits for one call of each project, not for all their calls.
func TestTheRateLimitIsSharedFairly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pipeline := runtime.NewPipeline("test", "", runtime.PipelineOptions{PerRetry: []policy.Policy{newRateLimit(nil)}}, &policy.ClientOptions{Transport: answered{}})
		call := func() {
			req, err := runtime.NewRequest(t.Context(), http.MethodGet, "https://example.com/")
			require.NoError(t, err)
			_, err = pipeline.Do(req)
			assert.NoError(t, err)
		}
		began := time.Now()
		var callers sync.WaitGroup
		for range 5 {
			callers.Go(func() {
				for range 20 {
					call()
				}
			})
		}
		time.Sleep(10 * time.Second) // on the bubble's clock
		asked := time.Now()
		call()
		assert.LessOrEqual(t, time.Since(asked), 1500*time.Millisecond, "one turn of each of the five, at four a second")
		callers.Wait()
		assert.Equal(t, 25*time.Second, time.Since(began), "101 calls at four a second")
	})
}
