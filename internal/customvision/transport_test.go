package customvision

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	// Not the default transport: closing any test server closes its idle connections.
	own := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(own.CloseIdleConnections)
	for name, given := range map[string]*http.Client{"default client": nil, "given client": {Transport: own}} {
		for _, op := range operations {
			t.Run(name+"/"+op.name, func(t *testing.T) {
				t.Parallel()
				var followed atomic.Bool
				elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Store(true) }))
				t.Cleanup(elsewhere.Close)
				s := serve(t, func(w http.ResponseWriter, r *http.Request) {
					http.Redirect(w, r, elsewhere.URL+"/?sig=SIGNATURE", http.StatusTemporaryRedirect)
				})
				options := quick()
				if given != nil {
					options.Transport = given
				}
				client, err := NewClientWithKey(s.URL, testKey, options)
				require.NoError(t, err)

				err = op.call(t.Context(), client)
				require.ErrorContains(t, err, "redirects are not followed")
				assert.NotContains(t, err.Error(), "SIGNATURE")
				assert.False(t, followed.Load(), "the training key went elsewhere")
				assert.Len(t, s.received(), 1)
			})
		}
	}
	assert.Nil(t, http.DefaultClient.CheckRedirect)
}

func TestABoundedBodyFailsRatherThanCut(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		size int
		ok   bool
	}{"empty": {0, true}, "just fits": {10, true}, "one byte more": {11, false}, "far more": {1000, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := &boundedBody{ReadCloser: io.NopCloser(strings.NewReader(strings.Repeat("x", c.size))), left: 10}
			got, err := io.ReadAll(body)
			if c.ok {
				require.NoError(t, err)
				assert.Len(t, got, c.size)
				return
			}
			require.ErrorIs(t, err, tooLarge{})
		})
	}
}

// flood writes a body over the size limit.
func flood(w http.ResponseWriter) {
	chunk := bytes.Repeat([]byte(" "), 1<<20)
	for range maxBody/len(chunk) + 1 {
		if _, err := w.Write(chunk); err != nil {
			return // the client went away, as it should
		}
	}
}

func TestAnAnswerTooLargeIsNotAskedForAgain(t *testing.T) {
	t.Parallel()
	client, s := setup(t, func(w http.ResponseWriter, _ *http.Request) { flood(w) })
	_, err := client.Projects(t.Context())
	require.ErrorContains(t, err, "larger than 32 MiB")
	assert.Len(t, s.received(), 1)
}

func TestErrorBodiesAreBoundedForStreamsToo(t *testing.T) {
	t.Parallel()
	client, _ := setup(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		flood(w)
	})
	_, err := client.Artifact(t.Context(), projectID, "a")
	require.ErrorContains(t, err, "larger than 32 MiB")
}

func TestAGivenTransporterIsUsed(t *testing.T) {
	t.Parallel()
	options := quick()
	options.Transport = transporter(func(req *http.Request) (*http.Response, error) {
		assert.Equal(t, "https", req.URL.Scheme)
		return answer(req, http.StatusOK, `[{"name":"Apple"}]`), nil
	})
	client, err := NewClientWithKey("https://name.cognitiveservices.azure.com/", testKey, options)
	require.NoError(t, err)
	tags, err := client.Tags(context.Background(), projectID, "")
	require.NoError(t, err)
	assert.Equal(t, []Tag{{Name: "Apple"}}, tags)
}

// transporter answers without a network, so that it works under a fake clock.
type transporter func(*http.Request) (*http.Response, error)

func (f transporter) Do(req *http.Request) (*http.Response, error) { return f(req) }

func answer(req *http.Request, status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Header: http.Header{}, Request: req,
		Body: io.NopCloser(strings.NewReader(body)),
	}
}
