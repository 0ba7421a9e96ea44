package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A container of blobs that can't be archived must not drown what else there is to say.
func TestConditionsOfManyProjectsAreBounded(t *testing.T) {
	t.Parallel()
	const project, iteration = "11111111-2222-3333-4444-000000000001", "aaaaaaaa-2222-3333-4444-000000000001"
	const blob = project + " - " + iteration + ".ONNX"
	var one reconciled
	require.NoError(t, json.Unmarshal(fmt.Appendf(nil, `{"id": %q, "conditions": [{"iteration": %q, "blob": %q, "why": %q, "final": true}]}`,
		project, iteration, blob, "copy "+blob+": the bytes are damaged"), &one))
	texts := firstConditions([]reconciled{one})
	assert.Len(t, texts, 1)
	assert.True(t, strings.HasPrefix(texts[0], "Blocked: "+blob+": the bytes are damaged; since "), "the ids are said once: %s", texts[0])

	texts = firstConditions(slices.Repeat([]reconciled{one}, mostConditions+18))
	assert.Len(t, texts, mostConditions+1)
	assert.Equal(t, "Blocked: 18 things more; --json lists all.", texts[mostConditions])
}
