package emulator

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func (s *fixture) control(method, path string, header ...string) (int, string) {
	s.t.Helper()
	r, err := http.NewRequest(method, s.url+controlPrefix+path, nil)
	require.NoError(s.t, err)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	require.NoError(s.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(s.t, err)
	return response.StatusCode, string(body)
}

func TestControlEndpointsAreListed(t *testing.T) {
	t.Parallel()
	s := start(t)
	status, body := s.control("GET", "")
	require.Equal(t, 200, status)
	var list []struct{ Method, Path string }
	require.NoError(t, json.Unmarshal([]byte(body), &list))
	assert.Len(t, list, len(controls))
	for _, c := range list {
		if c.Method == "GET" {
			status, _ := s.control("GET", strings.TrimPrefix(c.Path, controlPrefix))
			assert.Equal(t, 200, status, c.Path)
		}
	}
}

func TestControlIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, c := range []struct {
		status       int
		method, path string
	}{
		{404, "POST", "explode"}, {405, "GET", "train"}, {405, "POST", "requests"},
		{400, "POST", "fail-next-training?count=many"}, {400, "POST", "fail-next-training?cuont=2"},
		{400, "POST", "finish-now?fail=perhaps"}, {400, "POST", "clock?advance=long"}, {400, "POST", "clock?set=today"}, {400, "POST", "clock?frozen=icy"},
		{400, "POST", "answer?question=x&answer=y"}, {400, "POST", "train?project=" + unknownID}, {400, "POST", "create-project"},
		{400, "POST", "fault-calls?status=x"}, {400, "POST", "fault-calls?delay=x"}, {400, "POST", "fault-calls?reset=x"},
	} {
		status, body := s.control(c.method, c.path)
		assert.Equal(t, c.status, status, c.path)
		assert.NotEmpty(t, body)
	}
}

// Package guard's own test has all forms.
func TestPagesOfOtherSitesAreKeptOut(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation, func(o *Options) { o.URL = "http://emulator:5599" })
	project, err := s.CreateProject("a", compactDomain, "", "")
	require.NoError(t, err)
	port := s.url[strings.LastIndex(s.url, ":"):]
	train := "/customvision/" + v33 + "/training/projects/" + project + "/train"
	send := func(method, host, path string, header http.Header) int {
		r, err := http.NewRequest(method, s.url+path, http.NoBody)
		require.NoError(t, err)
		r.Host = host
		r.Header = header
		r.Header.Set("Training-Key", testKey)
		response, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		response.Body.Close()
		return response.StatusCode
	}
	for _, path := range []string{"/", controlPrefix + "view", "/customvision/" + v33 + "/training/projects"} {
		assert.Equal(t, 403, send("GET", "evil.example"+port, path, http.Header{}), path)
	}
	for _, path := range []string{controlPrefix + "fail-next-training", train} {
		for _, header := range []http.Header{
			{"Origin": {"https://evil.example"}, "Content-Type": {"text/plain"}}, {"Origin": {"null"}}, {"Sec-Fetch-Site": {"cross-site"}},
		} {
			assert.Equal(t, 403, send("POST", "localhost"+port, path, header), "%s %s", path, header)
		}
		assert.Equal(t, 403, send("POST", "evil.example"+port, path, http.Header{"Origin": {"http://evil.example" + port}, "Sec-Fetch-Site": {"same-origin"}}), path)
	}
	assert.Zero(t, s.View().Pending.FailTrainings)
	assert.Empty(t, s.View().Projects[0].Iterations)

	for _, host := range []string{"localhost" + port, "127.0.0.1" + port, "[::1]" + port, "emulator:5599"} {
		assert.Equal(t, 200, send("GET", host, "/", http.Header{}), host)
		assert.Equal(t, 200, send("POST", host, controlPrefix+"fail-next-training", http.Header{"Origin": {"http://" + host}, "Sec-Fetch-Site": {"same-origin"}}), "its own page at %s", host)
		assert.Equal(t, 200, send("POST", host, controlPrefix+"fail-next-training", http.Header{}), "a program at %s", host)
	}
}

func TestControlCountsAreAnswered(t *testing.T) {
	t.Parallel()
	s := start(t)
	assert.JSONEq(t, `{"count":1}`, string(s.post("fail-next-training")))
	assert.JSONEq(t, `{"count":3}`, string(s.post("fail-next-export?count=3")))
	s.post("stall-next-training?count=2")
	s.post("fault-notifications?do=drop&count=4")
	s.post("fault-calls?status=500&count=5")
	assert.Equal(t, Pending{FailTrainings: 1, FailExports: 3, StallTrainings: 2, Notifications: 4, Calls: 5}, s.View().Pending)
	s.post("fail-next-export?count=0")
	assert.Zero(t, s.View().Pending.FailExports)
}

func TestPortalActions(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation)
	var created struct{ Project, Iteration string }
	require.NoError(t, json.Unmarshal(s.post("create-project?name=portal&domain="+compactDomain+"&queue=https://a.queue.core.windows.net/q"), &created))
	require.NoError(t, json.Unmarshal(s.post("train?project="+created.Project), &created))
	s.post("finish-now")
	s.post("export?platform=ONNX&project=" + created.Project + "&iteration=" + created.Iteration)
	s.post("finish-now")
	var types []string
	for _, m := range s.Messages() {
		types = append(types, m.Type)
	}
	assert.Equal(t, []string{"ConnectionTest", "Training", "Export"}, types, "runs that no caller of the API started are told too")
	assert.Empty(t, s.Requests())
}

func TestViewHidesSignatures(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation)
	s.exported(s.trained(s.project("notificationQueueUri", "https://a.queue.core.windows.net/q")), "ONNX", "")
	_, body := s.control("GET", "view")
	assert.Contains(t, body, "sig=redacted")
	var v View
	require.NoError(t, json.Unmarshal([]byte(body), &v))
	require.Len(t, v.Projects, 1)
	assert.Equal(t, []ExportView{{Platform: "ONNX", Status: "Done"}}, v.Projects[0].Iterations[0].Exports)
	assert.Equal(t, "Export", v.Messages[0].Type, "newest first")
	assert.NotContains(t, body, testKey)
	links := 0
	for _, m := range s.Messages() {
		for _, secret := range signature.FindAllString(m.Text, -1) {
			links++
			assert.NotContains(t, body, strings.TrimPrefix(secret, "&sig="))
		}
	}
	assert.Positive(t, links)
}

func TestAnswersChangeWhileRunning(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.post("answer?question=iteration-order&answer=newest-first")
	for _, k := range s.View().Questions {
		if k.Question == IterationOrder {
			assert.Equal(t, "newest-first", k.Answer)
		}
	}
}

// TestClockRefusesTimesThatItCantHold: JSON has no year 10000, and a running clock
// is at most 292 years from the real one.
func TestClockRefusesTimesThatItCantHold(t *testing.T) {
	t.Parallel()
	for _, frozen := range []time.Time{noon, {}} {
		s := start(t, func(o *Options) { o.Frozen = frozen })
		for _, wrong := range []string{
			"set=0001-01-01T00:00:00Z", "set=9999-12-31T23:59:59Z", "set=9999-12-31T23:59:59Z&frozen=true", "set=2199-12-31T23:59:59Z&advance=1s",
			"advance=2562047h", "advance=-2562047h",
		} {
			before := s.Now()
			status, body := s.control("POST", "clock?"+wrong)
			assert.Equal(t, 400, status, "%s: %s", wrong, body)
			assert.WithinDuration(t, before, s.Now(), time.Minute, wrong)
		}
		status, body := s.control("POST", "clock?set=2199-12-31T23:59:59Z")
		assert.Equal(t, 200, status)
		assert.Contains(t, body, "2199-12-31T23:59:59")
	}
}

func TestAnArgumentIsGivenOnce(t *testing.T) {
	t.Parallel()
	s := start(t)
	status, body := s.control("POST", "fail-next-training?count=1&count=2")
	assert.Equal(t, 400, status, body)
	assert.Zero(t, s.View().Pending.FailTrainings)
}
