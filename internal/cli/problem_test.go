package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/storage"
)

func answered(status int, code string) error {
	return storage.Explain("list the container", &azcore.ResponseError{StatusCode: status, ErrorCode: code})
}

func TestEveryAnswerOfAServiceHasARemedyOfItsOwn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err error
		do  string
	}{
		{answered(403, "AuthorizationPermissionMismatch"), "Storage Blob Data Contributor"},
		{answered(403, "AuthorizationFailure"), "Allow this network"},
		{answered(403, "AuthenticationFailed"), "clock"},
		{answered(404, "ContainerNotFound"), "--create-storage"},
		{answered(503, "ServerBusy"), "in a minute"},
		{storage.Explain("list the container", errors.New("dial tcp: no such host")), "account's name"},
		{&customvision.Error{Operation: "GetProjects", Message: "no answer"}, "CUSTOMVISION_ENDPOINT"},
		{&customvision.Error{Operation: "GetProjects", Status: 401, Code: "401", Message: "Access denied"}, "Keys and Endpoint"},
		{&customvision.Error{Operation: "CreateProject", Status: 403, Message: "Forbidden"}, "Contributor"},
		{&customvision.Error{Operation: "GetProject", Status: 404, Message: "Not found"}, "prediction"},
		{&customvision.Error{Operation: "GetProject", Status: 429, Message: "Slow down"}, "ten calls a second"},
		{&customvision.Error{Operation: "GetProject", Status: 500, Message: "Oh"}, "in a minute"},
		{errors.New("DefaultAzureCredential: failed to acquire a token.\nAttempted credentials:\n…"), "az login"},
		{fmt.Errorf("read it: %w", context.Canceled), "again"},
		{errors.New("there is no container \"x\": create it, or name another"), "create it, or name another"},
		{errors.New("something else"), "visionkeeper check"},
	} {
		list := explain(could("look", fmt.Errorf("go over the project: %w", c.err)))
		require.Len(t, list, 1)
		assert.Equal(t, "Could not look", list[0].What)
		assert.Contains(t, list[0].Do, c.do, "%v", c.err)
		assert.NotEmpty(t, list[0].Why)
	}
}

func TestJoinedErrorsAreToldOneByOne(t *testing.T) {
	t.Parallel()
	list := explain(could("look", errors.Join(errors.New("one"), errors.Join(errors.New("two"), answered(404, "QueueNotFound")))))
	require.Len(t, list, 3)
	assert.Equal(t, "two", list[1].Why)
	assert.Contains(t, list[2].Why, "QueueNotFound")

	both := fmt.Errorf("%w: %w", errors.New("one"), errors.New("reason"))
	assert.Len(t, explain(both), 1, "two in one sentence stay one")
}

func TestRequestIDsAreForTheVerbose(t *testing.T) {
	t.Parallel()
	list := explain(could("look", &customvision.Error{Operation: "GetProject", Status: 500, Message: "Oh", RequestID: "the-id"}))
	for _, asJSON := range []bool{false, true} {
		for _, verbose := range []bool{false, true} {
			var text strings.Builder
			o := &output{stderr: &text, json: asJSON}
			o.problems(append([]problem{}, list...), verbose)
			assert.Equal(t, verbose, strings.Contains(text.String(), "the-id"))
			assert.True(t, !asJSON || strings.HasPrefix(text.String(), `{"problems":[{"what":"Could not look"`), text.String())
		}
	}
}

func TestSentences(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "A b", sentence(" a\n b. "))
	assert.Equal(t, "Über", sentence("über"))
	assert.Empty(t, sentence(""))
}
