package customvision

import (
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAnArtifactIsStreamed(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{})
	client, s := setup(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "first")
		w.(http.Flusher).Flush()
		select {
		case <-begun: // the client holds the stream before all of it is sent
			_, _ = io.WriteString(w, " second")
		case <-r.Context().Done():
		}
	})
	path := "m-64b822c580824b36a42627225f4aa18c/e31a14ab.DockerFile.Linux.zip"
	body, err := client.Artifact(t.Context(), projectID, path)
	require.NoError(t, err)
	close(begun)
	got, err := io.ReadAll(body)
	require.NoError(t, err)
	require.NoError(t, body.Close())
	assert.Equal(t, "first second", string(got))
	assert.Equal(t, url.Values{"path": {path}}, s.only(t).query)
}

func TestAnArtifactMayBeLargerThanAnAnswer(t *testing.T) {
	t.Parallel()
	client, _ := setup(t, func(w http.ResponseWriter, _ *http.Request) { flood(w) })
	body, err := client.Artifact(t.Context(), projectID, "a")
	require.NoError(t, err)
	n, err := io.Copy(io.Discard, body)
	require.NoError(t, err)
	require.NoError(t, body.Close())
	assert.Greater(t, n, int64(maxBody))
}

func TestAnArtifactThatBreaksOffIsAnErrorAndNotRepeated(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	client, _ := setup(t, func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "first")
	})
	body, err := client.Artifact(t.Context(), projectID, "a")
	require.NoError(t, err)
	got, err := io.ReadAll(body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.NoError(t, body.Close())
	assert.Equal(t, "first", string(got))
	assert.EqualValues(t, 1, calls.Load())
}
