package emulator

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	testKey        = "test-key"
	compactDomain  = "0732100f-1a38-4e49-a514-c9b44c697ab5"
	predictionID   = "/subscriptions/s/resourceGroups/g/providers/Microsoft.CognitiveServices/accounts/a"
	unknownID      = "00000000-0000-4000-8000-000000000000"
	testModelBytes = 4096
)

// noon is where the tests' clocks stand.
var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// fixture is an emulator under test, with a client of one API version.
type fixture struct {
	t *testing.T
	*Server
	url     string
	version string
}

// start runs an emulator on a loopback port. Its clock stands still, trainings
// take a minute and exports ten seconds.
func start(t *testing.T, change ...func(*Options)) *fixture {
	t.Helper()
	o := Options{Key: testKey, TrainTime: time.Minute, ExportTime: 10 * time.Second, ModelSize: testModelBytes, Frozen: noon, Logf: t.Logf}
	for _, f := range change {
		f(&o)
	}
	s, err := New(o)
	require.NoError(t, err)
	web := httptest.NewServer(s)
	t.Cleanup(func() {
		web.Close()
		s.Close()
	})
	return &fixture{t: t, Server: s, url: web.URL, version: v33}
}

func noValidation(o *Options) { o.NoValidation = true }

func answers(pairs map[Question]string) func(*Options) {
	return func(o *Options) { o.Answers = pairs }
}

// answer is what came back.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	body   []byte
}

// call sends one API request. body may be nil, a string, or something to encode.
func (s *fixture) call(method, path string, query url.Values, body any) *answer {
	s.t.Helper()
	var content []byte
	switch b := body.(type) {
	case nil:
	case string:
		content = []byte(b)
	default:
		var err error
		content, err = json.Marshal(b)
		require.NoError(s.t, err)
	}
	target := s.url + "/customvision/" + s.version + "/training/" + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	r, err := http.NewRequest(method, target, bytes.NewReader(content))
	require.NoError(s.t, err)
	r.Header.Set("Training-Key", testKey)
	r.Header.Set("Content-Type", "application/json")
	return s.do(r)
}

func (s *fixture) do(r *http.Request) *answer {
	s.t.Helper()
	response, err := http.DefaultClient.Do(r)
	require.NoError(s.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(s.t, err)
	return &answer{s.t, response.StatusCode, response.Header, body}
}

// ok decodes a successful answer.
func (a *answer) ok() map[string]any {
	a.t.Helper()
	require.Equal(a.t, http.StatusOK, a.status, "%s", a.body)
	var m map[string]any
	require.NoError(a.t, json.Unmarshal(a.body, &m))
	return m
}

// list decodes a successful answer that is a list.
func (a *answer) list() []map[string]any {
	a.t.Helper()
	require.Equal(a.t, http.StatusOK, a.status, "%s", a.body)
	var l []map[string]any
	require.NoError(a.t, json.Unmarshal(a.body, &l))
	return l
}

// empty checks for 204.
func (a *answer) empty() {
	a.t.Helper()
	require.Equal(a.t, http.StatusNoContent, a.status, "%s", a.body)
	require.Empty(a.t, a.body)
}

// refused checks for an error of the service and gives its message.
func (a *answer) refused(status int, code string) string {
	a.t.Helper()
	require.Equal(a.t, status, a.status, "%s", a.body)
	var e struct{ Code, Message string }
	require.NoError(a.t, json.Unmarshal(a.body, &e))
	require.Equal(a.t, code, e.Code)
	return e.Message
}

func q(pairs ...string) url.Values {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	return values
}

// project creates a compact multiclass project and gives its path.
func (s *fixture) project(pairs ...string) string {
	s.t.Helper()
	query := q(append([]string{"name", "demo", "domainId", compactDomain, "classificationType", "Multiclass"}, pairs...)...)
	return "projects/" + s.call("POST", "projects", query, nil).ok()["id"].(string)
}

// trained trains a project to its end and gives the iteration's path.
func (s *fixture) trained(project string) string {
	s.t.Helper()
	i := s.call("POST", project+"/train", q("forceTrain", "true"), nil).ok()
	s.Advance(s.options.TrainTime)
	return project + "/iterations/" + i["id"].(string)
}
