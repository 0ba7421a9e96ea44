package customvision

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"visionkeeper/internal/remedy"
)

func TestEveryAnswerHasARemedyOfItsOwn(t *testing.T) {
	t.Parallel()
	others := map[string]bool{}
	for _, c := range []struct {
		err     Error
		do      string
		lasting bool // so the log has it too
	}{
		{Error{Message: "no answer"}, "CUSTOMVISION_ENDPOINT", false},
		{Error{Status: 400, Code: "BadRequestExceedProjectLimit", Message: "m"}, "az cognitiveservices account update --name NAME --resource-group GROUP --sku S0", true},
		{Error{Status: 401, Code: "401", Message: "Access denied due to invalid subscription key"}, "Keys and Endpoint", true},
		{Error{Status: 401, Message: "Unauthorized. Access token is missing, invalid, audience is incorrect (https://cognitiveservices.azure.com), or have expired."}, "az login --tenant TENANT", true},
		{Error{Status: 403, Message: "Forbidden"}, "Cognitive Services Custom Vision Trainer", true},
		{Error{Status: 404, Message: "Not found"}, "prediction", false},
		{Error{Status: 429, Message: "Slow down"}, "ten calls a second", false},
		{Error{Status: 500, Message: "Oh"}, "in a minute", false},
		{Error{Status: 400, Code: "BadRequest", Message: "m"}, "", false},
	} {
		c.err.Operation = "GetProject"
		why, do := remedy.Of(&c.err)
		assert.Contains(t, why, "GetProject: ")
		assert.Contains(t, why, c.err.Message)
		assert.NotContains(t, why, "401 401")
		assert.Contains(t, do, c.do)
		assert.False(t, others[do], do)
		others[do] = true
		if c.do == "" {
			assert.Empty(t, do)
			continue
		}
		if c.lasting {
			assert.Contains(t, c.err.Error(), ": "+do)
		} else {
			assert.NotContains(t, c.err.Error(), do)
		}
	}
}

// Where a role is missing, services of this kind answer 403 or 401.
func TestAMissingRoleIsNamedWhateverTheStatus(t *testing.T) {
	t.Parallel()
	_, forbidden := remedy.Of(&Error{Status: 403, Message: "Forbidden"})
	_, denied := remedy.Of(&Error{Status: 401, Code: "PermissionDenied"})
	assert.Equal(t, forbidden, denied)
}
