package customvision

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTagsAreReadOfNowOrOfAnIteration(t *testing.T) {
	t.Parallel()
	for iteration, query := range map[string]url.Values{"": {}, iterationID: {"iterationId": {iterationID}}} {
		client, s := setup(t, answerWith(http.StatusOK, `[
			{"id":"9e27bc1b-7ae7-4e3b-a4e5-36153479dc01","name":"Tag1","description":"Description of Tag1","type":"Regular","imageCount":0},
			{"id":"349d72ac-0948-4d51-b1e4-c14a1f9b848a","name":"None","description":null,"type":"Negative","imageCount":12}]`))
		tags, err := client.Tags(t.Context(), projectID, iteration)
		require.NoError(t, err)
		description := "Description of Tag1"
		assert.Equal(t, []Tag{
			{ID: "9e27bc1b-7ae7-4e3b-a4e5-36153479dc01", Name: "Tag1", Description: &description, Type: "Regular"},
			{ID: "349d72ac-0948-4d51-b1e4-c14a1f9b848a", Name: "None", Type: "Negative", ImageCount: 12},
		}, tags)
		assert.Equal(t, query, s.only(t).query)
	}
}
