package customvision

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"
)

const (
	testKey     = "0123456789abcdef0123456789abcdef"
	projectID   = "64b822c5-8082-4b36-a426-27225f4aa18c"
	iterationID = "e31a14ab-5d78-4f7b-a267-3a1e4fd8a758"
)

// received is a request that a test's server received.
type received struct {
	method, path, body string
	query              url.Values
	header             http.Header
}

// service is an HTTP server in place of the service. It records its requests.
type service struct {
	*httptest.Server
	mu       sync.Mutex
	requests []received
}

// setup returns a client without waits and the server that it talks to, which
// answers as answer does.
func setup(t *testing.T, answer http.HandlerFunc) (*Client, *service) {
	t.Helper()
	s := serve(t, answer)
	client, err := NewClientWithKey(s.URL, testKey, quick())
	require.NoError(t, err)
	return client, s
}

func serve(t *testing.T, answer http.HandlerFunc) *service {
	s := &service{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		s.mu.Lock()
		s.requests = append(s.requests, received{r.Method, r.URL.Path, string(body), r.URL.Query(), r.Header})
		s.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// quick are options without waits.
func quick() *ClientOptions {
	return &ClientOptions{
		Limit:         rate.NewLimiter(rate.Inf, 1),
		ClientOptions: azcore.ClientOptions{Retry: policy.RetryOptions{RetryDelay: time.Millisecond}},
	}
}

// answerWith answers every request with a status and a JSON body.
func answerWith(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func (s *service) received() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// only returns the one request that was sent.
func (s *service) only(t *testing.T) received {
	t.Helper()
	requests := s.received()
	require.Len(t, requests, 1)
	return requests[0]
}

// operations calls every operation of the client once.
var operations = []struct {
	name, method, path string
	answer             string
	call               func(context.Context, *Client) error
}{
	{"GetDomains", "GET", "domains", `[]`, func(ctx context.Context, c *Client) error { _, err := c.Domains(ctx); return err }},
	{"GetDomain", "GET", "domains/" + projectID, `{}`, func(ctx context.Context, c *Client) error { _, err := c.Domain(ctx, projectID); return err }},
	{"GetProjects", "GET", "projects", `[]`, func(ctx context.Context, c *Client) error { _, err := c.Projects(ctx); return err }},
	{"GetProject", "GET", "projects/" + projectID, `{}`, func(ctx context.Context, c *Client) error { _, err := c.Project(ctx, projectID); return err }},
	{"CreateProject", "POST", "projects", `{}`, func(ctx context.Context, c *Client) error {
		_, err := c.CreateProject(ctx, CreateProjectOptions{Name: "n"})
		return err
	}},
	{"UpdateProject", "PATCH", "projects/" + projectID, `{}`, func(ctx context.Context, c *Client) error {
		_, err := c.UpdateProject(ctx, projectID, Project{Name: "n"})
		return err
	}},
	{"TrainProject", "POST", "projects/" + projectID + "/train", `{}`, func(ctx context.Context, c *Client) error {
		_, err := c.Train(ctx, projectID, TrainOptions{})
		return err
	}},
	{"GetIterations", "GET", "projects/" + projectID + "/iterations", `[]`, func(ctx context.Context, c *Client) error {
		_, err := c.Iterations(ctx, projectID)
		return err
	}},
	{"GetIteration", "GET", iterationPath, `{}`, func(ctx context.Context, c *Client) error {
		_, err := c.Iteration(ctx, projectID, iterationID)
		return err
	}},
	{"DeleteIteration", "DELETE", iterationPath, ``, func(ctx context.Context, c *Client) error {
		return c.DeleteIteration(ctx, projectID, iterationID)
	}},
	{"GetIterationPerformance", "GET", iterationPath + "/performance", `{}`, func(ctx context.Context, c *Client) error {
		_, err := c.Performance(ctx, projectID, iterationID, 0.5, 0)
		return err
	}},
	{"ExportIteration", "POST", iterationPath + "/export", `{}`, func(ctx context.Context, c *Client) error {
		_, err := c.Export(ctx, projectID, iterationID, "ONNX", "")
		return err
	}},
	{"GetExports", "GET", iterationPath + "/export", `[]`, func(ctx context.Context, c *Client) error {
		_, err := c.Exports(ctx, projectID, iterationID)
		return err
	}},
	{"PublishIteration", "POST", iterationPath + "/publish", `true`, func(ctx context.Context, c *Client) error {
		return c.Publish(ctx, projectID, iterationID, "n", "/subscriptions/s", false)
	}},
	{"QuickTestImage", "POST", "projects/" + projectID + "/quicktest/image", `{"predictions": []}`, func(ctx context.Context, c *Client) error {
		_, err := c.QuickTest(ctx, projectID, iterationID, []byte("picture"))
		return err
	}},
	{"GetArtifact", "GET", "projects/" + projectID + "/artifacts", `bytes`, func(ctx context.Context, c *Client) error {
		body, err := c.Artifact(ctx, projectID, "i-1/t-1")
		if err == nil {
			err = body.Close()
		}
		return err
	}},
	{"GetTags", "GET", "projects/" + projectID + "/tags", `[]`, func(ctx context.Context, c *Client) error {
		_, err := c.Tags(ctx, projectID, "")
		return err
	}},
}

const iterationPath = "projects/" + projectID + "/iterations/" + iterationID

func TestOperationsGoWhereTheDescriptionSays(t *testing.T) {
	t.Parallel()
	for _, op := range operations {
		t.Run(op.name, func(t *testing.T) {
			t.Parallel()
			client, s := setup(t, answerWith(http.StatusOK, op.answer))
			require.NoError(t, op.call(t.Context(), client))
			got := s.only(t)
			assert.Equal(t, op.method, got.method)
			assert.Equal(t, "/customvision/v3.3/training/"+op.path, got.path)
			assert.Equal(t, testKey, got.header.Get("Training-Key"))
			if op.method == "POST" {
				assert.Equal(t, strconv.Itoa(len(got.body)), got.header.Get("Content-Length"), "the gateway answers 411 without a length")
			}
		})
	}
}

func TestEveryErrorNamesItsOperation(t *testing.T) {
	t.Parallel()
	for _, op := range operations {
		t.Run(op.name, func(t *testing.T) {
			t.Parallel()
			client, _ := setup(t, answerWith(http.StatusNotFound, `{"code":"NotFoundProject","message":"gone"}`))
			err := op.call(t.Context(), client)
			var e *Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, op.name, e.Operation)
			assert.Equal(t, http.StatusNotFound, e.Status)
			assert.True(t, NotFound(err))
			assert.False(t, Lost(err))
		})
	}
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	for endpoint, base := range map[string]string{
		"https://name.cognitiveservices.azure.com":           "https://name.cognitiveservices.azure.com",
		"https://name.cognitiveservices.azure.com/":          "https://name.cognitiveservices.azure.com",
		" https://westus.api.cognitive.microsoft.com// ":     "https://westus.api.cognitive.microsoft.com",
		"http://127.0.0.1:8080":                              "http://127.0.0.1:8080",
		"http://[::1]:8080/":                                 "http://[::1]:8080",
		"http://localhost:8080":                              "http://localhost:8080",
		"":                                                   "",
		"name.cognitiveservices.azure.com":                   "",
		"http://name.cognitiveservices.azure.com":            "",
		"http://127.0.0.1.example.com":                       "",
		"ftp://127.0.0.1":                                    "",
		"https://user:pass@name.cognitiveservices.azure.com": "",
		"https://name.cognitiveservices.azure.com/customvision/v3.3/training": "",
		"https://name.cognitiveservices.azure.com?key=1":                      "",
	} {
		t.Run(endpoint, func(t *testing.T) {
			t.Parallel()
			client, err := NewClientWithKey(endpoint, testKey, nil)
			if base == "" {
				require.Error(t, err)
				assert.NotContains(t, err.Error(), "pass")
				return
			}
			require.NoError(t, err)
			assert.Equal(t, base+"/customvision/v3.3/training/", client.base)
		})
	}
}

func TestKeysMustBeOneWord(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"", "  ", "two words", "two\nlines", "schlüssel"} {
		_, err := NewClientWithKey("https://name.cognitiveservices.azure.com", key, nil)
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "words")
	}
}

// token is a credential that always returns the same token.
type token struct{ scopes []string }

func (c *token) GetToken(_ context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	c.scopes = o.Scopes
	return azcore.AccessToken{Token: "secret-token", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

func TestTokensAreAskedForCognitiveServices(t *testing.T) {
	t.Parallel()
	s := serve(t, answerWith(http.StatusOK, `[]`))
	credential := &token{}
	client, err := NewClient(s.URL, credential, quick())
	require.NoError(t, err)
	_, err = client.Projects(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"https://cognitiveservices.azure.com/.default"}, credential.scopes)
	got := s.only(t)
	assert.Equal(t, "Bearer secret-token", got.header.Get("Authorization"))
	assert.Empty(t, got.header.Get("Training-Key"))
}

func TestTokensAreForTheCloudOfTheEndpoint(t *testing.T) {
	t.Parallel()
	for endpoint, want := range map[string]string{
		"https://kitchen.cognitiveservices.azure.com/": "https://cognitiveservices.azure.com/.default",
		"https://kitchen.cognitiveservices.azure.us":   "https://cognitiveservices.azure.us/.default",
		" https://kitchen.cognitiveservices.azure.cn/": "https://cognitiveservices.azure.cn/.default",
	} {
		credential := &token{}
		options := quick()
		options.Transport = answering(`[]`)
		client, err := NewClient(endpoint, credential, options)
		require.NoError(t, err)
		_, err = client.Projects(t.Context())
		require.NoError(t, err)
		assert.Equal(t, []string{want}, credential.scopes, endpoint)
	}
}

// answering answers every request with 200 and this text.
type answering string

func (a answering) Do(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Request: r, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(string(a)))}, nil
}

func TestANilCredentialIsRefused(t *testing.T) {
	t.Parallel()
	_, err := NewClient("https://name.cognitiveservices.azure.com", nil, nil)
	require.Error(t, err)
}

func TestIDsThatAreNoGUIDsAreNotSent(t *testing.T) {
	t.Parallel()
	client, s := setup(t, answerWith(http.StatusOK, `{}`))
	for _, id := range []string{"", "..", projectID + "/../x", "64b822c5"} {
		_, err := client.Iteration(t.Context(), projectID, id)
		var e *Error
		require.ErrorAs(t, err, &e)
		assert.False(t, Lost(err))
	}
	assert.Empty(t, s.received())
}

func TestIDsAreSentInCanonicalForm(t *testing.T) {
	t.Parallel()
	client, s := setup(t, answerWith(http.StatusOK, `{}`))
	_, err := client.Project(t.Context(), "64B822C580824B36A42627225F4AA18C")
	require.NoError(t, err)
	assert.Equal(t, "/customvision/v3.3/training/projects/"+projectID, s.only(t).path)
}

// asJSON decodes a text for comparisons.
func asJSON(t *testing.T, text string) any {
	t.Helper()
	var v any
	require.NoError(t, json.Unmarshal([]byte(text), &v))
	return v
}
