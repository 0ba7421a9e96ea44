package policy

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const kitchenID = "64b822c5-8082-4b36-a426-27225f4aa18c"

// TestATwinIsNoOrdinaryProject has rules that want everything of every project.
func TestATwinIsNoOrdinaryProject(t *testing.T) {
	t.Parallel()
	all := `"rescue":true,"keep":3,"twin":{},"retrain":{"afterFailure":1},
		"promote":{"name":"production","predictionId":"/subscriptions/s/resourceGroups/g/providers/Microsoft.CognitiveServices/accounts/a"}`
	long := strings.Repeat("Küche ", 30)
	for project, name := range map[string]string{"*": "Kitchen", kitchenID: "Kitchen", "kitchen": "Kitchen", long: long} {
		p, err := Parse([]byte(`{"projects":[{"project":"` + project + `",` + all + `}]}`))
		require.NoError(t, err)
		twin := TwinName(kitchenID, name, "ABCDEFGHIJK")
		assert.LessOrEqual(t, len([]rune(twin)), 128)
		for _, as := range []string{twin, twin + " (1)"} { // the service appends that to a name that is taken
			r, ok := p.For("0a1b2c3d-0000-4000-8000-000000000001", as)
			assert.True(t, ok, project)
			assert.Equal(t, Rule{Project: project, Exports: Words{All}, Iterations: Words{All}, OfTwin: true}, r)
		}
	}
	p, err := Parse([]byte(`{"projects":[{"project":"Kitchen","exports":["ONNX"]},{"project":"Bath"}]}`))
	require.NoError(t, err)
	r, _ := p.For("", TwinName(kitchenID, "Kitchen", "ABCDEFGHIJK"))
	assert.Equal(t, Words{"ONNX"}, r.Exports)
	r, _ = p.For("", TwinName(kitchenID, "Bath", "ABCDEFGHIJK"))
	assert.Equal(t, Words{All}, r.Exports, "it is there to be exported")
	_, ok := p.For("", TwinName(kitchenID, "Garage", "ABCDEFGHIJK"))
	assert.False(t, ok)
}

func TestATwinsNameIsRead(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]TwinOf{
		TwinName(kitchenID, "Kitchen (old)", "ABCDEFGHIJK"):           {kitchenID, "Kitchen (old)", "ABCDEFGH"},
		TwinName(kitchenID, "Kitchen", "ABCDEFGHIJK") + " (1)":        {kitchenID, "Kitchen", "ABCDEFGH"},
		TwinName(kitchenID, "two\nlines", "ABCDEFGHIJK"):              {kitchenID, "two\nlines", "ABCDEFGH"},
		TwinName(kitchenID, "Kitchen", "ABCDEFGHIJK") + " production": {}, // somebody's now
		"Kitchen": {}, "(compact twin of Kitchen ABCDEFGH)": {}, "Kitchen (compact twin of " + kitchenID + " abcdefgh)": {},
	} {
		of, ok := ParseTwin(name)
		assert.Equal(t, want, of, name)
		assert.Equal(t, want != TwinOf{}, ok, name)
	}
}

func TestATwinIsOffByDefaultAndHasABudget(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]*Twin{
		`{"project":"*"}`:           nil,
		`{"project":"*","twin":{}}`: {BudgetHours: 1},
		`{"project":"*","twin":{"budgetHours":3,"keep":true}}`: {BudgetHours: 3, Keep: true},
	} {
		p, err := Parse([]byte(`{"projects":[` + text + `]}`))
		require.NoError(t, err)
		assert.Equal(t, want, p.Projects[0].Twin, text)
	}
	_, err := Parse([]byte(`{"projects":[{"project":"*","twin":{"budgetHours":0}}]}`))
	assert.ErrorContains(t, err, "budgetHours")
}
