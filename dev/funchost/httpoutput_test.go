package funchost

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHTTPOutput(t *testing.T) {
	t.Parallel()
	res := &function{bindings: []binding{{Type: "http", Direction: "out", Name: "res"}}}
	ret := &function{bindings: []binding{{Type: "http", Direction: "out", Name: "$return"}}}
	for _, c := range []struct {
		name, result string
		f            *function
		status       int
		body         string
		wantErr      string
	}{
		{"nothing", `{}`, res, 200, "", ""},
		{"outputs without it", `{"Outputs":{}}`, res, 200, "{}", ""},
		{"text", `{"Outputs":{"res":{"statusCode":"201","body":"text"}}}`, res, 201, "text", ""},
		{"object is indented", `{"Outputs":{"res":{"StatusCode":404,"Body":{"a":[1]}}}}`, res, 404, "{\n  \"a\": [\n    1\n  ]\n}", ""},
		{"status has no effect", `{"Outputs":{"res":{"status":404,"body":"x"}}}`, res, 200, "x", ""},
		{"JSON as text", `{"Outputs":{"res":"{\"statusCode\":202}"}}`, res, 202, "", ""},
		{"spread return value", `{"ReturnValue":{"res":{"statusCode":203}}}`, res, 203, "", ""},
		{"$return takes status", `{"ReturnValue":{"status":204}}`, ret, 204, "", ""},
		{"$return as text", `{"ReturnValue":"{\"statusCode\":206}"}`, ret, 206, "", ""},
		{"number", `{"Outputs":{"res":5}}`, res, 0, "", "must be an object"},
		{"null header", `{"Outputs":{"res":{"headers":{"a":null}}}}`, res, 0, "", "must be a string"},
		{"number as header", `{"Outputs":{"res":{"headers":{"a":1}}}}`, res, 0, "", "is broken"},
		{"words as status", `{"Outputs":{"res":{"statusCode":"fine"}}}`, res, 0, "", "not a number"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var r result
			require.NoError(t, json.Unmarshal([]byte(c.result), &r))
			got, err := r.httpOutput(c.f)
			if c.wantErr != "" {
				require.ErrorContains(t, err, c.wantErr)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, c.status, got.status)
			assert.Equal(t, c.body, string(got.body))
		})
	}
}

func TestHTTPOutputReachesTheClient(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.env(`TEST_RESPONSE={"Outputs":{"res":{"statusCode":201,"headers":{"X-Own":"v"},"body":{"a":1}}}}`)
	a.web("respond", "")
	h := a.start()

	response, body := do(t, "GET", h.URL()+"/api/respond", "", nil)

	assert.Equal(t, 201, response.StatusCode)
	assert.Equal(t, "v", response.Header.Get("X-Own"))
	assert.Equal(t, "application/json; charset=utf-8", response.Header.Get("Content-Type"))
	assert.Equal(t, "{\n  \"a\": 1\n}", body)
}

func TestBrokenHTTPOutputIs500(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.env(`TEST_RESPONSE={"Outputs":{"res":5}}`)
	a.web("respond", "")
	h := a.start()

	status, _ := get(t, h.URL()+"/api/respond")

	assert.Equal(t, 500, status)
}
