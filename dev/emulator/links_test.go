package emulator

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// status of a GET of a link.
func status(t *testing.T, uri string) int {
	t.Helper()
	response, err := http.Get(uri)
	require.NoError(t, err)
	defer response.Body.Close()
	return response.StatusCode
}

func TestDownloadLinkHasTheServicesForm(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation)
	project := s.project()
	iteration := s.trained(project)
	e := s.exported(iteration, "DockerFile", "Linux")
	u, err := url.Parse(e["downloadUri"].(string))
	require.NoError(t, err)
	assert.Equal(t, s.url, u.Scheme+"://"+u.Host)
	assert.Equal(t, "/_blob/m-"+compact(project[9:])+"/"+compact(iteration[len(iteration)-36:])+".DockerFile.Linux.zip", u.Path)
	assert.Equal(t, s.Now().Add(24*time.Hour).Format(time.RFC3339), u.Query().Get("se"))
	assert.Equal(t, "r", u.Query().Get("sp"))
}

func TestALinkCanBeMissingForALook(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation)
	iteration := s.trained(s.project())
	s.exported(iteration, "ONNX", "")
	s.post("omit-next-link")
	e := s.call("GET", iteration+"/export", nil, nil).list()[0]
	assert.Equal(t, "Done", e["status"])
	assert.Nil(t, e["downloadUri"])
	assert.NotNil(t, s.call("GET", iteration+"/export", nil, nil).list()[0]["downloadUri"])
}

func TestOwnLinksExpireAndCantBeForged(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation)
	iteration := s.trained(s.project())
	uri := s.exported(iteration, "ONNX", "")["downloadUri"].(string)
	assert.Equal(t, 200, status(t, uri))
	assert.Equal(t, 403, status(t, strings.Replace(uri, ".ONNX.zip", ".CoreML.zip", 1)))
	assert.Equal(t, 403, status(t, strings.Replace(uri, "se=2026", "se=2036", 1)))
	assert.Equal(t, 403, status(t, uri[:strings.Index(uri, "?")]))
	s.Advance(24 * time.Hour)
	response, err := http.Get(uri)
	require.NoError(t, err)
	response.Body.Close()
	assert.Equal(t, 403, response.StatusCode)
	assert.Equal(t, "AuthenticationFailed", response.Header.Get("x-ms-error-code"))
	fresh := s.call("GET", iteration+"/export", nil, nil).list()[0]["downloadUri"].(string)
	assert.Equal(t, 200, status(t, fresh), "each GetExports mints a new one")

	s.call("DELETE", iteration, nil, nil).empty()
	assert.Equal(t, 404, status(t, fresh))
	response, err = http.Post(fresh, "", nil)
	require.NoError(t, err)
	response.Body.Close()
	assert.Equal(t, 405, response.StatusCode)
}

func TestRangesOfOwnBlobs(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation)
	uri := s.exported(s.trained(s.project()), "ONNX", "")["downloadUri"].(string)
	r, err := http.NewRequest("GET", uri, nil)
	require.NoError(t, err)
	r.Header.Set("Range", "bytes=0-1")
	a := s.do(r)
	assert.Equal(t, 206, a.status)
	assert.Equal(t, "PK", string(a.body))
	assert.NotEmpty(t, a.header.Get("ETag"))
}

func TestExpiredLinksOnDemand(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	for name, setup := range map[string]func(*Options){"own": func(*Options) {}, "storage": c.connected} {
		s := start(t, noValidation, setup)
		iteration := s.trained(s.project())
		s.exported(iteration, "ONNX", "")
		s.post("expire-next-link")
		link := func() string { return s.call("GET", iteration+"/export", nil, nil).list()[0]["downloadUri"].(string) }
		assert.Equal(t, 403, status(t, link()), name)
		assert.Equal(t, 200, status(t, link()), name)
	}
}

func TestDownloadURIMayBeRelative(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation, answering(DownloadURI, "relative"))
	project := s.project()
	s.images(project, s.tag(project, "cat"), 1)
	e := s.exported(s.trained(project), "ONNX", "")
	path := e["downloadUri"].(string)
	assert.True(t, strings.HasPrefix(path, "/m-"))
	assert.True(t, strings.HasPrefix(s.call("GET", project, nil, nil).ok()["thumbnailUri"].(string), "/i-"))
	a := s.call("GET", project+"/artifacts", q("path", path), nil)
	require.Equal(t, 200, a.status)
	assert.Contains(t, unpack(t, a.body), "model.onnx")
	image := s.call("GET", project+"/images", nil, nil).list()[0]["thumbnailUri"].(string)
	assert.Equal(t, 200, s.call("GET", project+"/artifacts", q("path", image), nil).status)

	require.NoError(t, s.Answer(ArtifactsOnV33, "refused"))
	s.call("GET", project+"/artifacts", q("path", path), nil).refused(400, "BadRequestInvalidArtifactUri")
	s.version = v34
	assert.Equal(t, 200, s.call("GET", project+"/artifacts", q("path", path), nil).status)
}

func TestArtifactIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation)
	project, other := s.project(), s.project()
	s.exported(s.trained(other), "ONNX", "")
	s.call("GET", project+"/artifacts", nil, nil).refused(400, "BadRequestRequiredParamIsNull")
	for _, path := range []string{"m-" + compact(other[9:]) + "/x", "m-" + compact(project[9:]) + "/x", "../state", "prjexp-" + compact(project[9:]) + "/project-export-info"} {
		s.call("GET", project+"/artifacts", q("path", path), nil).refused(400, "BadRequestInvalidArtifactUri")
	}
}

func TestDownloadURIMayLeadIntoTheContainer(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	s := start(t, c.connected, noValidation, answering(DownloadURI, "container"))
	e := s.exported(s.trained(s.project("exportModelContainerUri", c.blobURL)), "ONNX", "")
	assert.True(t, strings.HasPrefix(e["downloadUri"].(string), c.blobURL+"/"))
	e = s.exported(s.trained(s.project()), "ONNX", "")
	assert.True(t, strings.HasPrefix(e["downloadUri"].(string), c.serviceStorage.BlobURL+"/m-"), "without a container as ever")
}

func TestLinksFollowTheOption(t *testing.T) {
	t.Parallel()
	s := start(t, noValidation, func(o *Options) { o.URL = "https://vision.example/" })
	e := s.exported(s.trained(s.project()), "ONNX", "")
	assert.True(t, strings.HasPrefix(e["downloadUri"].(string), "https://vision.example/_blob/m-"))
}
