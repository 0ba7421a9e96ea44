package customvision

import (
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
	for name, given := range map[string]*http.Client{"default client": nil, "given client": {}} {
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

func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		size int
		ok   bool
	}{"just fits": {maxBody, true}, "too large": {maxBody + 1, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, s := setup(t, func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, `[]`)
				_, _ = io.CopyN(w, spaces{}, int64(c.size-2))
			})
			_, err := client.Projects(t.Context())
			assert.Len(t, s.received(), 1, "a repeat would be as large")
			if c.ok {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, "larger than 32 MiB")
		})
	}
}

func TestErrorBodiesAreBoundedForStreamsToo(t *testing.T) {
	t.Parallel()
	client, _ := setup(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.CopyN(w, spaces{}, maxBody+1)
	})
	_, err := client.Artifact(t.Context(), projectID, "a")
	require.ErrorContains(t, err, "larger than 32 MiB")
}

func TestAGivenTransporterIsUsed(t *testing.T) {
	t.Parallel()
	options := quick()
	options.Transport = transporter(func(req *http.Request) (*http.Response, error) {
		assert.Equal(t, "https", req.URL.Scheme)
		return answer(req, http.StatusOK, `7`), nil
	})
	client, err := NewClientWithKey("https://name.cognitiveservices.azure.com/", testKey, options)
	require.NoError(t, err)
	n, err := client.ImageCount(context.Background(), projectID, "", TaggedImages)
	require.NoError(t, err)
	assert.Equal(t, 7, n)
}

// spaces is an endless reader.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
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
