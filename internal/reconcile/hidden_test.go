package reconcile

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/dev/world"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

// An entry of the list that can't be read may be any iteration.
func TestAnIterationThatCannotBeReadIsNotForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `{"projects":[{"project":"*","exports":["ONNX"]}]}`)
	key := w.trained()
	w.settle(key)
	before := w.Remembered(key.Project).Iterations[key.Iteration]
	w.options.Service = w.Open(azcore.ClientOptions{Transport: w.line})
	lists := func(req *http.Request) bool { return strings.HasSuffix(req.URL.Path, "/iterations") }
	w.line.While(world.On(lists, world.Spoil(func([]byte) []byte { return []byte("[null]") })), func() {
		_, err := New(w.options).Sweep(t.Context(), Before{})
		require.NoError(t, err)
	})
	after := w.Remembered(key.Project)
	assert.Equal(t, before, after.Iterations[key.Iteration])
	assert.Equal(t, state.BadName, after.Condition(state.Scope{Iteration: customvision.Unreadable + "null"}).Code)
}

func TestNothingIsTrainedWhileAnIterationCannotBeRead(t *testing.T) {
	t.Parallel()
	o := Observed{Now: noon, Project: state.Project{ID: projectID}, Iterations: []customvision.Iteration{failure(first, noon)}}
	require.Equal(t, []string{"retrain"}, steps(Plan(retraining(), o)))
	o.Unusable = []state.Scope{{Iteration: customvision.Unreadable + "null"}}
	assert.Equal(t, []string{"postpone"}, steps(Plan(retraining(), o)), "it may be the answer")
	o.Unusable = []state.Scope{{Iteration: "another-id"}}
	assert.Equal(t, []string{"postpone", "retrain"}, slices.Sorted(slices.Values(steps(Plan(retraining(), o)))), "one that is known by another id isn't")
}
