package customvision

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestImagesAreCounted(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]int{`12`: 12, `"10"`: 10, `0`: 0} {
		client, s := setup(t, answerWith(http.StatusOK, answer))
		n, err := client.ImageCount(t.Context(), projectID, iterationID, TaggedImages)
		require.NoError(t, err)
		assert.Equal(t, want, n)
		assert.Equal(t, url.Values{"iterationId": {iterationID}, "taggingStatus": {"Tagged"}}, s.only(t).query)
	}
}

func TestWhatIsNoCount(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{`1.5`, `"many"`, `null`, `{}`, ``} {
		client, _ := setup(t, answerWith(http.StatusOK, answer))
		_, err := client.ImageCount(t.Context(), projectID, "", AllImages)
		var e *Error
		require.ErrorAs(t, err, &e, answer)
		assert.Equal(t, http.StatusOK, e.Status, answer)
	}
}
