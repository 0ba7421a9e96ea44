package emulator

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func importing(o *Options) { o.ImportTime = 14e9 }

// An import that takes no time has ended when it is answered, whatever else the service does.
func TestAnImportThatTakesNoTimeEndsAtOnce(t *testing.T) {
	t.Parallel()
	s := start(t)
	token := s.call("GET", s.trainable()+"/export", nil, nil).ok()["token"].(string)
	s.work.Lock()
	defer s.work.Unlock()
	p := s.call("POST", "projects/import", q("token", token), nil).ok()
	assert.Equal(t, "Importing", p["status"])
	assert.Equal(t, "Succeeded", s.call("GET", "projects/"+p["id"].(string), nil, nil).ok()["status"])
}

func TestCopyProjectToAnotherResource(t *testing.T) {
	t.Parallel()
	from, to := start(t), start(t, importing)
	project := from.trainable()
	from.Advance(time.Hour)
	iteration := from.trained(project)
	to.SetTime(noon.Add(100 * time.Hour))
	from.exported(iteration, "ONNX", "")
	export := from.call("GET", project+"/export", nil, nil).ok()
	token := export["token"].(string)
	delete(export, "token")
	assert.Equal(t, map[string]any{"iterationCount": 1.0, "imageCount": 10.0, "tagCount": 4.0, "regionCount": 0.0, "estimatedImportTimeInMS": 0.0}, export)

	to.project()
	p := to.call("POST", "projects/import", q("token", token), nil).ok()
	assert.Equal(t, "Importing", p["status"])
	assert.Equal(t, "demo (1)", p["name"], "the name is taken")
	assert.NotEqual(t, project, "projects/"+p["id"].(string))
	copied := "projects/" + p["id"].(string)
	to.Advance(to.options.ImportTime)
	assert.Equal(t, "Succeeded", to.call("GET", copied, nil, nil).ok()["status"])
	assert.Equal(t, "", p["description"])
	list := to.call("GET", copied+"/iterations", nil, nil).list()
	require.Len(t, list, 1)
	assert.Equal(t, "Completed", list[0]["status"])
	assert.Equal(t, from.call("GET", iteration, nil, nil).ok()["trainedAt"], list[0]["trainedAt"], "it was trained when it was trained")
	assert.Equal(t, "2026-03-08T16:00:00Z", list[0]["created"], "the import's time")
	assert.Equal(t, "2026-03-08T16:00:00Z", list[0]["lastModified"])
	old, renewed := from.tagsByName(project), to.tagsByName(copied)
	for name, got := range renewed {
		assert.NotEqual(t, old[name]["id"], got["id"])
		assert.Equal(t, 5.0, got["imageCount"], "the pictures carry the new id")
		of := to.call("GET", copied+"/images/tagged", q("tagIds", got["id"].(string), "iterationId", list[0]["id"].(string)), nil).list()
		assert.Len(t, of, 5, "those of the iteration too")
	}
	assert.Len(t, renewed, 2)
	assert.NotEqual(t, iteration[len(iteration)-36:], list[0]["id"])
	assert.Empty(t, to.call("GET", copied+"/iterations/"+list[0]["id"].(string)+"/export", nil, nil).list())
	image := to.call("GET", copied+"/images", nil, nil).list()[0]
	assert.Equal(t, 200, status(t, image["originalImageUri"].(string)))
	assert.Equal(t, "named", to.call("POST", "projects/import", q("token", token, "name", "named"), nil).ok()["name"])
	for _, r := range to.Requests() {
		assert.NotContains(t, r.Query, "sig", "the log holds no token")
	}
}

func TestImportedStorageURIs(t *testing.T) {
	t.Parallel()
	const queue = "https://a.queue.core.windows.net/q"
	for answer, want := range map[string]any{"dropped": nil, "kept": queue} {
		s := start(t, answering(ImportedURIs, answer))
		token := s.call("GET", s.project("notificationQueueUri", queue)+"/export", nil, nil).ok()["token"].(string)
		p := s.call("POST", "projects/import", q("token", token), nil).ok()
		_, got := s.uris("projects/" + p["id"].(string))
		assert.Equal(t, want, got, answer)
	}
}

func TestImportFails(t *testing.T) {
	t.Parallel()
	s := start(t, importing)
	token := s.call("GET", s.project()+"/export", nil, nil).ok()["token"].(string)
	s.post("fail-next-import")
	p := s.call("POST", "projects/import", q("token", token), nil).ok()
	s.Advance(s.options.ImportTime)
	assert.Equal(t, "Failed", s.call("GET", "projects/"+p["id"].(string), nil, nil).ok()["status"])

	s.call("POST", "projects/import", nil, nil).refused(400, "BadRequestRequiredParamIsNull")
	for _, bad := range []string{"token", s.url, strings.Replace(token, "sig=", "sig=x", 1), "http://192.0.2.1/_blob/prjexp-0/project-export-info"} {
		s.call("POST", "projects/import", q("token", bad), nil).refused(400, "BadRequestInvalidImportToken")
	}
	for _, forged := range []string{
		"[]", "{}", `{"Project":null}`, `{"Project":{"Iterations":[]}}`, `{"Project":{"Iterations":[null]}}`, `{"Project":{"Iterations":[{"Status":"Training"}]}}`,
		`{"Project":{"Iterations":[{"Status":"New"}],"Tags":[null]}}`, `{"Project":{"Iterations":[{"Status":"New"}],"Images":[null]}}`,
		`{"Project":{"Iterations":[{"Status":"New","Images":[null]}]}}`, `{"Project":{"Iterations":[{"Status":"New","Tags":[null]}]}}`,
	} {
		other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, forged) }))
		a := s.call("POST", "projects/import", q("token", other.URL+"/_blob/prjexp-0/project-export-info"), nil)
		other.Close()
		assert.Equal(t, 400, a.status, forged)
	}
	s.Advance(tokenLife)
	s.call("POST", "projects/import", q("token", token), nil).refused(400, "BadRequestInvalidImportToken")
}
