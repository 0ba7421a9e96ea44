package emulator

import (
	"bytes"
	"encoding/json"
	"image"
	pngformat "image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
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

// noon is the time of the tests' clocks.
var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// fixture is an emulator under test, with a client of one API version.
type fixture struct {
	t *testing.T
	*Server
	url     string
	version string
	mu      sync.Mutex
	kept    []keptAnswer
}

// keptAnswer is an answer with JSON, and where its schema is.
type keptAnswer struct {
	version, schema string
	body            []byte
}

// answers gives those so far.
func (s *fixture) answers() []keptAnswer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.kept)
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

// answering chooses an answer to a question.
func answering(q Question, value string) func(*Options) {
	return func(o *Options) {
		if o.Answers == nil {
			o.Answers = map[Question]string{}
		}
		o.Answers[q] = value
	}
}

// answer is the answer to an API request.
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
	a := &answer{s.t, response.StatusCode, response.Header, body}
	if of, version, path, ok := apiPath(r.URL.Path); ok {
		op, _, _ := of.route(r.Method, path)
		if op != nil && of.name == "prediction" { // its answers have the form of quick tests
			a.check(map[string]string{predictionV30: v33, predictionV31: v34}[version], "QuickTestImage")
		} else if op != nil {
			if schema := a.check(version, op.name); schema != "" {
				s.mu.Lock()
				s.kept = append(s.kept, keptAnswer{version, schema, body})
				s.mu.Unlock()
			}
		}
	}
	return a
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

// exported exports an iteration and waits for the end.
func (s *fixture) exported(iteration, platform, flavor string) map[string]any {
	s.t.Helper()
	query := q("platform", platform)
	if flavor != "" {
		query.Set("flavor", flavor)
	}
	s.call("POST", iteration+"/export", query, nil).ok()
	s.Advance(s.options.ExportTime)
	for _, e := range s.call("GET", iteration+"/export", nil, nil).list() {
		if e["platform"] == platform && (e["flavor"] == flavor || e["flavor"] == nil && flavor == "") {
			return e
		}
	}
	s.t.Fatalf("the export %s %s isn't listed", platform, flavor)
	return nil
}

// tag creates a tag and gives its id.
func (s *fixture) tag(project, name string, pairs ...string) string {
	s.t.Helper()
	return s.call("POST", project+"/tags", q(append([]string{"name", name}, pairs...)...), nil).ok()["id"].(string)
}

// tagsByName gives a project's tags, which are listed in no order that means
// anything.
func (s *fixture) tagsByName(project string) map[string]map[string]any {
	s.t.Helper()
	tags := map[string]map[string]any{}
	for _, t := range s.call("GET", project+"/tags", nil, nil).list() {
		tags[t["name"].(string)] = t
	}
	return tags
}

// png is a small picture, another one for every seed.
func png(seed int) []byte {
	var b bytes.Buffer
	picture := image.NewGray(image.Rect(0, 0, 8, 4))
	for n := range picture.Pix {
		picture.Pix[n] = byte(seed >> (n % 4 * 8))
	}
	if err := pngformat.Encode(&b, picture); err != nil {
		panic(err)
	}
	return b.Bytes()
}

var seeds atomic.Int32

// images adds n new pictures with one tag and gives their ids.
func (s *fixture) images(project, tagID string, n int) []string {
	s.t.Helper()
	var batch []map[string]any
	for range n {
		batch = append(batch, map[string]any{"name": "a.png", "contents": png(int(seeds.Add(1)))})
	}
	summary := s.call("POST", project+"/images/files", nil, map[string]any{"images": batch, "tagIds": []string{tagID}}).ok()
	require.Equal(s.t, true, summary["isBatchSuccessful"])
	var ids []string
	for _, i := range summary["images"].([]any) {
		ids = append(ids, i.(map[string]any)["image"].(map[string]any)["id"].(string))
	}
	return ids
}

// post sends a request to a control endpoint.
func (s *fixture) post(path string) []byte {
	s.t.Helper()
	response, err := http.Post(s.url+controlPrefix+path, "", nil)
	require.NoError(s.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(s.t, err)
	require.Equal(s.t, http.StatusOK, response.StatusCode, "%s", body)
	return body
}
