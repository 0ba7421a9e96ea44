package customvision

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestQuickTestSendsThePictureAndStoresNothing(t *testing.T) {
	t.Parallel()
	client, s := setup(t, answerWith(http.StatusOK, `{"id": "951098b2-9b69-427b-bddb-d5cb618874e3", "iteration": "`+iterationID+`", "predictions": [
		{"probability": 0.9, "tagId": "E31FF107-5505-4753-BE42-B369B21B026C", "tagName": "Hemlock"},
		{"probability": "0.5", "tagId": "349D72AC-0948-4D51-B1E4-C14A1F9B848A", "tagName": "Cherry", "boundingBox": {"left": 0.1, "top": 0.2, "width": 0.3, "height": 0.4}},
		{"probability": null, "tagId": "349d72ac-0948-4d51-b1e4-c14a1f9b848a", "tagName": null}]}`))
	found, err := client.QuickTest(t.Context(), projectID, iterationID, []byte("picture"))
	require.NoError(t, err)
	sent := s.only(t)
	assert.Equal(t, "picture", sent.body)
	assert.Equal(t, "application/octet-stream", sent.header.Get("Content-Type"))
	assert.Equal(t, url.Values{"iterationId": {iterationID}, "store": {"false"}}, sent.query)
	require.Len(t, found, 3)
	assert.Equal(t, 0.9, *found[0].Probability)
	assert.Equal(t, "349d72ac-0948-4d51-b1e4-c14a1f9b848a", found[1].TagID)
	assert.Equal(t, &Box{0.1, 0.2, 0.3, 0.4}, found[1].Box)
	assert.Nil(t, found[2].Probability)
}

// By any other answer an iteration would be judged by what it didn't say.
func TestAQuickTestOfAnotherIterationIsNone(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"iteration": "951098b2-9b69-427b-bddb-d5cb618874e3", "predictions": []}`,
		`{"iteration": "` + iterationID + `"}`, `{"predictions": null}`, `[]`,
	} {
		client, _ := setup(t, answerWith(http.StatusOK, body))
		_, err := client.QuickTest(t.Context(), projectID, iterationID, []byte("picture"))
		require.ErrorContains(t, err, "QuickTestImage: ", body)
	}
}
