package policy

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"visionkeeper/internal/dotnet"
)

// anything is a value of JSON that may stand in a policy, at a place where it is right
// or at another one.
func anything(depth int) *rapid.Generator[any] {
	single := rapid.SampledFrom([]any{
		nil, true, false, 0, 1, 5, 6, -1, 1.5, 0.5, "", "*", "all", "newest", "published", "act", "observe", "24h", "a day", "1h30m",
		"ONNX", "TensorFlow.TensorFlowLite", "Onyx", "advanced", "30d", "visionkeeper:policy",
	})
	if depth == 0 {
		return single
	}
	list := rapid.Map(rapid.SliceOfN(anything(depth-1), 0, 3), func(l []any) any { return l })
	object := rapid.Map(rapid.MapOfN(key, anything(depth-1), 0, 4), func(m map[string]any) any { return m })
	return rapid.OneOf(single, list, object)
}

var key = rapid.SampledFrom([]string{"$schema", "mode", "projects", "project", "exports", "iterations", "retrain", "afterFailure", "within", "perMonth", "force", "export", "Mode",
	"onImages", "onImagesPerTag", "olderThan", "after", "event", "type", "budgetHours", "monthlyBudgetHours", "email", "promote", "name", "predictionId", "minimum", "recall", "perTag", "notWorseBy", "threshold", "holdOut"})

const resource = "/subscriptions/s/resourceGroups/g/providers/Microsoft.CognitiveServices/accounts/seeing"

// spoilt is a right policy in which some values and keys are others.
func spoilt(t *rapid.T) any {
	words := func(of ...any) any { return rapid.SampledFrom(of).Draw(t, "words") }
	rule := map[string]any{
		"project":    words("*", "Kitchen", ""),
		"exports":    words("all", []any{}, []any{"ONNX"}, []any{"ONNX", "CoreML"}, []any{"ONNX", "ONNX"}, "ONNX"),
		"iterations": words("all", []any{"newest"}, []any{"published", "all"}, []any{}, "newest"),
		"retrain": map[string]any{"afterFailure": words(1, 5), "within": words("1h", "2h30m"), "perMonth": words(1, 100), "force": words(true, false),
			"onImages": words(1, 50), "olderThan": words("30d", "1d12h"), "type": words("regular", "advanced"), "budgetHours": words(1, 24), "email": words("a@b", "c@d.example"),
			"after": words(map[string]any{"project": "Kitchen", "event": "training.completed"}, map[string]any{"project": "Kitchen", "event": "model.promoted"}, map[string]any{"project": "*", "event": "model.promoted"})},
	}
	promote := map[string]any{
		"name": "production", "predictionId": words(resource, resource, resource, resource+"/x"), "minimum": map[string]any{"recall": words(0, 0.5, 1)},
		"perTag": words(true, false), "notWorseBy": words(0, 0.02), "threshold": words(0.5, 1, 1, 1.01),
		"holdOut": words("holdout", "holdout/val", "./holdout", "Holdout"),
	}
	if rapid.Bool().Draw(t, "promotes") {
		rule["promote"] = promote
	}
	policy := map[string]any{"mode": words("act", "observe"), "projects": []any{rule}}
	retrain := rule["retrain"].(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(retrain)) { // with all of them hardly any would be right
		if rapid.Bool().Draw(t, "without "+key) {
			delete(retrain, key)
		}
	}
	for _, at := range []map[string]any{policy, rule, retrain, promote} {
		switch rapid.IntRange(0, 3).Draw(t, "how") {
		case 0:
			at[key.Draw(t, "key")] = anything(2).Draw(t, "value")
		case 1:
			delete(at, key.Draw(t, "gone"))
		}
	}
	return policy
}

// TestThePolicysSchemaMeansWhatItMeansToALibrary compares this package's reading of
// the schema with that of a library that knows all of JSON Schema.
func TestThePolicysSchemaMeansWhatItMeansToALibrary(t *testing.T) {
	t.Parallel()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schemaJSON))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("visionkeeper:policy", document))
	library := c.MustCompile("visionkeeper:policy")
	right, wrong := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		var policy any
		if rapid.IntRange(0, 9).Draw(t, "whole") == 0 {
			policy = anything(3).Draw(t, "policy")
		} else {
			policy = spoilt(t)
		}
		data, err := json.Marshal(policy)
		require.NoError(t, err)
		tree, err := dotnet.ParseJSON(data)
		require.NoError(t, err)
		plain, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		require.NoError(t, err)
		fault := library.Validate(plain)
		found := policySchema().check(tree)
		require.Equal(t, fault == nil, len(found) == 0, "%s\nthe library: %v\nhere: %v", data, fault, found)
		if fault == nil {
			right++
		} else {
			wrong++
		}
	})
	assert.Positive(t, right, "the policies that were tried are of both kinds")
	assert.Positive(t, wrong)
}

func TestAKeywordThatIsNotKnownIsNoSilence(t *testing.T) {
	t.Parallel()
	_, err := readSchema([]byte(`{"properties": {"mode": {"const": "act"}}}`))
	assert.ErrorContains(t, err, "const")
}

func TestOfAKeyThatStandsTwiceTheLastCounts(t *testing.T) {
	t.Parallel()
	_, err := Parse([]byte(`{"mode":"on","projects":[{"project":"*"}],"mode":"observe"}`))
	assert.NoError(t, err)
	_, err = Parse([]byte(`{"mode":"observe","projects":[{"project":"*"}],"mode":"on"}`))
	assert.ErrorContains(t, err, "/mode")
}
