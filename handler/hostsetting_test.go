package handler

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestMaxDequeueCount(t *testing.T) {
	t.Parallel()
	const own = `{"extensions":{"queues":{"maxDequeueCount":60}}}`
	const setting = "AzureFunctionsJobHost__extensions__queues__maxDequeueCount"
	for name, c := range map[string]struct {
		getenv   func(string) string
		hostJSON string
		want     int
		fault    string
	}{
		"host.json":        {env(), own, 60, ""},
		"setting":          {env(setting, "7"), own, 7, ""},
		"the host's own":   {env(), `{"version":"2.0"}`, 5, ""},
		"any letter case":  {env(), `{"Extensions":{"QUEUES":{"maxdequeuecount":7}}}`, 7, ""},
		"no such section":  {env(), `{"extensions":[]}`, 5, ""},
		"not a number":     {env(setting, "many"), own, 0, setting},
		"less than one":    {env(), `{"extensions":{"queues":{"maxDequeueCount":0}}}`, 0, "host.json"},
		"broken host.json": {env(), `{"extensions":`, 0, "host.json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := MaxDequeueCount(c.getenv, rootWith(t, c.hostJSON))
			if c.fault != "" {
				assert.ErrorContains(t, err, c.fault)
				assert.Equal(t, 5, got, "the program can go on")
				return
			}
			assert.NoError(t, err)
			assert.Equal(t, c.want, got)
		})
	}
}

func TestRoutePrefix(t *testing.T) {
	t.Parallel()
	const setting = "AzureFunctionsJobHost__extensions__http__routePrefix"
	for name, c := range map[string]struct {
		getenv         func(string) string
		hostJSON, want string
	}{
		"the host's own": {env(), `{"version":"2.0"}`, "api"},
		"host.json":      {env(), `{"extensions":{"http":{"routePrefix":"v1/vision"}}}`, "v1/vision"},
		"none":           {env(), `{"Extensions":{"HTTP":{"routeprefix":""}}}`, ""},
		"setting":        {env(setting, "/own/"), `{"extensions":{"http":{"routePrefix":""}}}`, "own"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := RoutePrefix(c.getenv, rootWith(t, c.hostJSON))
			assert.NoError(t, err)
			assert.Equal(t, c.want, got)
		})
	}
	got, err := RoutePrefix(env(), rootWith(t, `{`))
	assert.Error(t, err)
	assert.Equal(t, "api", got)
}

func TestHostJSONIsChecked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		hostJSON string
		want     []string
	}{
		"ours":       {"{\"version\":\"2.0\",\"functionTimeout\":\"00:10:00\",\"extensions\":{\"queues\":{\"batchSize\":8}}, \"retry\": {\"strategy\": \"x\"}}", nil},
		"broken":     {"{\n  \"version\": \"2.0\"\n  \"functionTimeout\": 1}", []string{"host.json, line 3, column 3: "}},
		"a slip":     {"{\n  \"functionTimout\": \"00:10:00\",\n  \"extensions\": {\"queues\": {\"maxDequeCount\": 5}}}", []string{`host.json, line 2, column 3: the host knows no "functionTimout": write "functionTimeout"`, `host.json, line 3, column 29: the host knows no "maxDequeCount": write "maxDequeueCount"`}},
		"no values":  {"{\"functionTimeout\": \"soon\",\n\"extensions\":{\"queues\":{\"maxDequeueCount\":-1}}}", []string{`host.json, line 1, column 21 is "soon"`, `host.json, line 2, column 43 is "-1"`}},
		"not a tree": {`[]`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faults := CheckHostJSON(env(), rootWith(t, c.hostJSON))
			assert.Len(t, faults, len(c.want))
			for i := range c.want {
				assert.ErrorContains(t, faults[i], c.want[i])
			}
		})
	}
	assert.Empty(t, CheckHostJSON(env(), t.TempDir()), "the host needs none")
}
