package emulator

import (
	"errors"
	"io"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// send makes one request and gives the transport's error, without any retry.
func (s *fixture) send(method, path string) (*http.Response, error) {
	s.t.Helper()
	r, err := http.NewRequest(method, s.url+"/customvision/v3.3/training/"+path, nil)
	require.NoError(s.t, err)
	r.Header.Set("Training-Key", testKey)
	transport := &http.Transport{DisableKeepAlives: true} // net/http repeats a GET on a kept connection
	response, err := transport.RoundTrip(r)
	if err == nil {
		io.Copy(io.Discard, response.Body)
		response.Body.Close()
	}
	return response, err
}

func TestFailingCalls(t *testing.T) {
	t.Parallel()
	s := start(t)
	for query, want := range map[string]struct {
		status int
		after  string
	}{
		"status=429":               {429, ""},
		"status=429&retry-after=7": {429, "7"},
		"status=500":               {500, ""},
		"status=503&retry-after=2": {503, "2"},
	} {
		s.post("fault-calls?operation=GetProjects&count=2&" + query)
		_, err := s.send("GET", "domains")
		require.NoError(t, err)
		for _, status := range []int{want.status, want.status, 200} {
			response, err := s.send("GET", "projects")
			require.NoError(t, err)
			assert.Equal(t, status, response.StatusCode, query)
			if status != 200 {
				assert.Equal(t, want.after, response.Header.Get("Retry-After"), query)
			}
		}
	}
}

func TestFailingCallsMayHaveAnyCode(t *testing.T) {
	t.Parallel()
	s := start(t)
	project := s.project()
	s.post("fault-calls?operation=TrainProject&status=400&code=BadRequestExceededQuota")
	s.call("POST", project+"/train", nil, nil).refused(400, "BadRequestExceededQuota")
	s.post("fault-calls?operation=TrainProject&status=500")
	s.call("POST", project+"/train", nil, nil).refused(500, "ErrorUnknown")
}

func TestThrottlingHasTheQuotedText(t *testing.T) {
	t.Parallel()
	s := start(t)
	require.NoError(t, s.FaultCalls("", 1, CallFault{Status: 429, RetryAfter: 1}))
	a := s.call("GET", "projects", nil, nil)
	assert.Equal(t, 429, a.status)
	assert.Contains(t, string(a.body), "Requests to the GetProjects Operation under Custom_Vision_Training_3.3 have exceeded rate limit")
	assert.Contains(t, string(a.body), "Please retry after 1 second.")
}

func TestResetDoesNothing(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.post("fault-calls?operation=CreateProject&reset=true")
	_, err := s.send("POST", "projects?name=a")
	require.Error(t, err)
	assert.True(t, errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF), "%v", err)
	assert.Empty(t, s.call("GET", "projects", nil, nil).list())
	assert.Equal(t, 0, s.Requests()[0].Status)
}

func TestLostAnswerIsApplied(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.post("fault-calls?operation=CreateProject&lose-answer=true")
	_, err := s.send("POST", "projects?name=a")
	require.Error(t, err)
	assert.Len(t, s.call("GET", "projects", nil, nil).list(), 1)
	assert.Equal(t, Request{Time: noon, Method: "POST", Path: "/customvision/v3.3/training/projects", Query: "name=a", Version: v33, Operation: "CreateProject"}, s.Requests()[0])
}

func TestSlowAnswers(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.post("fault-calls?delay=150ms")
	began := time.Now()
	s.call("GET", "projects", nil, nil).list()
	assert.GreaterOrEqual(t, time.Since(began), 150*time.Millisecond)
}

func TestFaultsThatWereOrderedCanBeTakenBack(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.post("fault-calls?operation=CreateProject&status=503&count=100")
	s.post("fault-calls?operation=GetProjects&status=503&count=1")
	s.call("POST", "projects?name=a", nil, nil).refused(503, "ErrorUnknown")
	s.post("fault-calls?operation=CreateProject&count=0")
	assert.Equal(t, 200, s.call("POST", "projects?name=a", nil, nil).status)
	assert.Equal(t, 503, s.call("GET", "projects", nil, nil).status, "of another operation")
}

func TestUnknownCallFaultIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	assert.Error(t, s.FaultCalls("Explode", 1, CallFault{Reset: true}))
	assert.Error(t, s.FaultCalls("", 1, CallFault{Status: 200}))
	assert.Equal(t, 200, s.call("GET", "projects", nil, nil).status)
}
