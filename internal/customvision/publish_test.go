package customvision

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const predictionID = "/subscriptions/s/resourceGroups/my group/providers/Microsoft.CognitiveServices/accounts/a"

func TestPublishNamesThePredictionResource(t *testing.T) {
	t.Parallel()
	for overwrite, query := range map[bool]url.Values{
		false: {"publishName": {"prod v1"}, "predictionId": {predictionID}},
		true:  {"publishName": {"prod v1"}, "predictionId": {predictionID}, "overwrite": {"true"}},
	} {
		client, s := setup(t, answerWith(http.StatusOK, `true`))
		require.NoError(t, client.Publish(t.Context(), projectID, iterationID, "prod v1", predictionID, overwrite))
		assert.Equal(t, query, s.only(t).query)
	}
}

func TestAnAnswerOfFalseIsAFailure(t *testing.T) {
	t.Parallel()
	client, _ := setup(t, answerWith(http.StatusOK, `false`))
	err := client.Publish(t.Context(), projectID, iterationID, "prod", predictionID, false)
	require.ErrorContains(t, err, "PublishIteration: ")
}

func TestUnpublishFreesTheName(t *testing.T) {
	t.Parallel()
	client, s := setup(t, answerWith(http.StatusNoContent, ``))
	require.NoError(t, client.Unpublish(t.Context(), projectID, iterationID))
	assert.Equal(t, http.MethodDelete, s.only(t).method)
	assert.Contains(t, s.only(t).path, "/iterations/"+iterationID+"/publish")
}

func TestANameThatIsTakenIsKnownByItsCode(t *testing.T) {
	t.Parallel()
	client, _ := setup(t, answerWith(http.StatusBadRequest, `{"code": "BadRequestInvalidPublishName", "message": "no"}`))
	assert.True(t, NameTaken(client.Publish(t.Context(), projectID, iterationID, "prod", predictionID, true)))
	client, _ = setup(t, answerWith(http.StatusBadRequest, `{"code": "BadRequestIterationIsPublished", "message": "no"}`))
	assert.False(t, NameTaken(client.Publish(t.Context(), projectID, iterationID, "prod", predictionID, true)))
}
