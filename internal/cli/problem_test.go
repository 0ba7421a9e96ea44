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
	"visionkeeper/internal/remedy"
	"visionkeeper/internal/storage"
)

func answered(status int, code string) error {
	return storage.Explain("list the container", &azcore.ResponseError{StatusCode: status, ErrorCode: code})
}

func TestAnErrorIsExplainedWithItsRemedy(t *testing.T) {
	t.Parallel()
	missing := remedy.New("create it, or name another", "there is no container %q", "x")
	for _, c := range []struct {
		err     error
		why, do string
	}{
		{answered(404, "ContainerNotFound"), "go over the project: list the container: storage answered 404 ContainerNotFound, so it is not there", "--create-storage"},
		{&customvision.Error{Operation: "GetProject", Status: 404, Message: "Not found"}, "GetProject: Custom Vision answered 404: Not found", "prediction"},
		{errors.New("DefaultAzureCredential: failed to acquire a token.\nAttempted credentials:\n…"), "No identity could sign in", "az login"},
		{context.Canceled, "It was interrupted", "again"},
		{missing, `go over the project: there is no container "x"`, "create it, or name another"},
		{errors.New("something else"), "go over the project: something else", "visionkeeper check"},
		{errors.New("copy X: the source changed meanwhile"), "copy X: the source changed meanwhile", "visionkeeper check"},
	} {
		list := explain(failedTo("look", fmt.Errorf("go over the project: %w", c.err)))
		require.Len(t, list, 1)
		assert.Equal(t, "Could not look", list[0].What)
		assert.Contains(t, list[0].Why, c.why)
		assert.Contains(t, list[0].Do, c.do)
	}
}

func TestJoinedErrorsAreToldOneByOne(t *testing.T) {
	t.Parallel()
	list := explain(failedTo("look", errors.Join(errors.New("one"), errors.Join(errors.New("two"), answered(404, "QueueNotFound")))))
	require.Len(t, list, 3)
	assert.Equal(t, "two", list[1].Why)
	assert.Contains(t, list[2].Why, "QueueNotFound")

	both := fmt.Errorf("%w: %w", errors.New("one"), errors.New("reason"))
	assert.Len(t, explain(both), 1, "two in one sentence stay one")
}

func TestRequestIDsAreForTheVerbose(t *testing.T) {
	t.Parallel()
	list := explain(failedTo("look", &customvision.Error{Operation: "GetProject", Status: 500, Message: "Oh", RequestID: "the-id"}))
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
