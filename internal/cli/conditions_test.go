package cli

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// A container of blobs that can't be archived must not drown what else there is to say.
func TestConditionsOfManyProjectsAreBounded(t *testing.T) {
	t.Parallel()
	const project, iteration = "11111111-2222-3333-4444-000000000001", "aaaaaaaa-2222-3333-4444-000000000001"
	const blob = project + " - " + iteration + ".ONNX"
	one := reconciled{ID: project}
	for range mostConditions - 1 {
		one.Conditions = append(one.Conditions, condition{Iteration: iteration, Blob: blob, Why: "copy " + blob + ": the bytes are damaged", Final: true})
	}
	texts := firstConditions([]reconciled{one})
	assert.Len(t, texts, mostConditions-1)
	assert.True(t, strings.HasPrefix(texts[0], "Blocked: "+blob+": the bytes are damaged; since "), "the ids are said once: %s", texts[0])

	texts = firstConditions([]reconciled{one, one})
	assert.Len(t, texts, mostConditions+1)
	assert.Equal(t, "Blocked: 18 things more; --json lists all.", texts[mostConditions])
}
