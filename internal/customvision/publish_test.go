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
