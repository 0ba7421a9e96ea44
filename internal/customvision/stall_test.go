package customvision

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// stalling sends half an answer, and the other half when the test asks for it.
func stalling(t *testing.T, other <-chan struct{}) *Client {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "[")
		w.(http.Flusher).Flush()
		select {
		case <-other:
			_, _ = io.WriteString(w, "]")
		case <-r.Context().Done():
		}
	})
	o := quick()
	o.Retry.MaxRetries = 1
	o.Retry.TryTimeout = 50 * time.Millisecond
	client, err := NewClientWithKey(s.URL, testKey, o)
	require.NoError(t, err)
	return client
}

func TestAnAnswerThatStallsIsGivenUp(t *testing.T) {
	t.Parallel()
	_, err := stalling(t, nil).Projects(t.Context())
	require.Error(t, err, "long before the context ends, which it never does")
	assert.True(t, Lost(err))
}

func TestAStreamMayTakeLongerThanAnAnswer(t *testing.T) {
	t.Parallel()
	other := make(chan struct{})
	body, err := stalling(t, other).Artifact(t.Context(), projectID, "a")
	require.NoError(t, err)
	defer body.Close()
	time.AfterFunc(200*time.Millisecond, func() { close(other) }) // four times as long
	got, err := io.ReadAll(body)
	require.NoError(t, err)
	assert.Equal(t, "[]", string(got))
}

func TestEveryAnswerHasABoundByDefault(t *testing.T) {
	t.Parallel()
	client, err := NewClientWithKey("https://example.cognitiveservices.azure.com", testKey, nil)
	require.NoError(t, err)
	assert.Equal(t, answerTime, client.once.TryTimeout)
	assert.Zero(t, client.streamed.TryTimeout)
}
