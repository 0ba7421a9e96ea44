package emulator

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	s := start(t)
	send := func(s *fixture, header, value string) *answer {
		r, err := http.NewRequest("GET", s.url+"/customvision/v3.3/training/projects", nil)
		require.NoError(t, err)
		r.Header[header] = []string{value} // in this letter case
		return s.do(r)
	}
	for _, header := range []string{"Training-Key", "training-key", "Training-key"} {
		assert.Equal(t, 200, send(s, header, testKey).status)
		assert.Equal(t, 401, send(s, header, "wrong").status)
	}
	assert.Equal(t, 401, send(s, "Ocp-Apim-Subscription-Key", testKey).status)
	assert.Equal(t, 401, send(s, "Authorization", "Bearer token").status)
	s = start(t, answering(SubscriptionKey, "accepted"), func(o *Options) { o.Bearer = true })
	assert.Equal(t, 200, send(s, "Ocp-Apim-Subscription-Key", testKey).status)
	assert.Equal(t, 200, send(s, "Authorization", "Bearer token").status)
	assert.Equal(t, 401, send(s, "Authorization", "Bearer ").status)
}

func TestPostNeedsALength(t *testing.T) {
	t.Parallel()
	s := start(t)
	for head, want := range map[string]int{"": 411, "Content-Length: 0\r\n": 200, "Transfer-Encoding: chunked\r\n": 200} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		require.NoError(t, err)
		fmt.Fprintf(conn, "POST /customvision/v3.3/training/projects?name=a HTTP/1.1\r\nHost: localhost\r\nTraining-Key: %s\r\nConnection: close\r\n%s\r\n", testKey, head)
		if strings.HasPrefix(head, "Transfer") {
			fmt.Fprint(conn, "0\r\n\r\n")
		}
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		assert.Equal(t, want, response.StatusCode, head)
		if want == 411 {
			assert.Contains(t, response.Header.Get("Content-Type"), "text/html")
		}
		conn.Close()
	}
}

func TestEmptyBodyWithJSONTypeIsAccepted(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation) // the official JavaScript client sends it everywhere
	project := s.project()
	s.tag(project, "cat")
	s.trained(project)
}

func TestUnknownMethodAndQuery(t *testing.T) {
	t.Parallel()
	s := start(t)
	assert.Equal(t, 405, s.call("PUT", "projects", nil, nil).status)
	assert.Equal(t, 200, s.call("GET", "projects", q("api-version", "1", "NAME", "x"), nil).status)
	assert.Equal(t, "cased", s.call("POST", "projects", q("NAME", "cased"), nil).ok()["name"])
}

func TestLogHoldsNoSignature(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.call("POST", "projects", q("name", "a", "notificationQueueUri", "https://a.queue.core.windows.net/q?sv=1&sig=secret"), nil).refused(400, "BadRequestInvalidUri")
	s.call("POST", "projects/import", q("Token", "https://a/b?sig=secret"), nil)
	for _, r := range s.Requests() {
		assert.NotContains(t, r.Query, "secret")
	}
}

func TestDomains(t *testing.T) {
	t.Parallel()
	s := start(t)
	list := s.call("GET", "domains", nil, nil).list()
	assert.Len(t, list, len(domains))
	for _, d := range list {
		assert.NotContains(t, d, "exportablePlatforms")
		assert.Equal(t, strings.Contains(d["name"].(string), "compact"), d["exportable"])
	}
	s.version = v34
	d := s.call("GET", "domains/"+compactDomain, nil, nil).ok()
	assert.Equal(t, []any{"VAIDK", "CoreML", "DockerFile", "ONNX", "OpenVino", "TensorFlow"}, d["exportablePlatforms"])
	assert.Equal(t, 5.0, d["modelInformation"].(map[string]any)["estimatedModelSizeInMegabytes"])
	s.call("GET", "domains/"+unknownID, nil, nil).refused(404, "NotFoundDomain")
	for _, d := range s.call("GET", "domains", nil, nil).list() {
		want := []any{}
		switch {
		case d["exportable"] == false:
		case d["type"] == "Classification":
			want = []any{"VAIDK", "CoreML", "DockerFile", "ONNX", "OpenVino", "TensorFlow"}
		case d["name"] == "General (compact) [S1]":
			want = []any{"VAIDK", "CoreML", "DockerFile", "ONNX", "OpenVino", "TensorFlow", "IVS"}
		default:
			want = []any{"CoreML", "DockerFile", "ONNX", "TensorFlow"}
		}
		assert.Equal(t, want, d["exportablePlatforms"], d["name"])
		assert.Equal(t, d["exportable"] == false, d["modelInformation"] == nil, d["name"])
	}
}

func TestTierLimits(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *Options) { o.Tier = "F0" })
	one := s.project()
	s.project()
	s.call("POST", "projects", q("name", "third"), nil).refused(400, "BadRequestExceedProjectLimit")
	limited := 0
	for range 40 { // at most four seconds' worth of ten
		if s.call("POST", one+"/train", nil, nil).status == 429 {
			limited++
		}
	}
	assert.Positive(t, limited)
}

func TestTagLimitOfATier(t *testing.T) {
	t.Parallel()
	s := start(t, func(o *Options) { o.Tier = "F0" })
	project := s.project()
	s.mu.Lock() // past the tier's calls per second
	s.state.Projects[0].Tags = make([]*tag, tiers["F0"].tags)
	for n := range s.state.Projects[0].Tags {
		s.state.Projects[0].Tags[n] = &tag{ID: newID(), Name: fmt.Sprint(n)}
	}
	s.mu.Unlock()
	s.call("POST", project+"/tags", q("name", "more"), nil).refused(400, "BadRequestExceedTagPerProjectLimit")
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]Options{
		"no key given":     {},
		`no tier "S9"`:     {Key: "k", Tier: "S9"},
		`no question "x"`:  {Key: "k", Answers: map[Question]string{"x": "y"}},
		`no answer "some"`: {Key: "k", Answers: map[Question]string{StorageURIs: "some"}},
	} {
		_, err := New(o)
		assert.ErrorContains(t, err, want)
	}
}
