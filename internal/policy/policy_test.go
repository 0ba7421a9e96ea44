package policy

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseFillsInTheDefaults(t *testing.T) {
	t.Parallel()
	p, err := Parse([]byte(`{"projects":[{"project":"*","exports":["ONNX"],"retrain":{"afterFailure":1}}]}`))
	require.NoError(t, err)
	assert.Equal(t, Policy{Mode: Act, Projects: []Rule{{
		Project: "*", Exports: []string{"ONNX"}, Iterations: []string{Newest, Published},
		Retrain: &Retrain{AfterFailure: 1, Within: Duration(24 * time.Hour), PerMonth: 10},
	}}}, p)
}

func TestParseSaysWhereAPolicyIsWrong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ policy, want string }{
		"no JSON":          {`{"projects":`, "not JSON"},
		"no projects":      {`{}`, "projects"},
		"empty list":       {`{"projects":[]}`, "/projects"},
		"typo in a key":    {`{"projects":[{"project":"*","export":["ONNX"]}]}`, "export"},
		"unknown mode":     {`{"mode":"on","projects":[{"project":"*"}]}`, "/mode"},
		"bad export":       {`{"projects":[{"project":"*","exports":["ONNX/Float"]}]}`, "/projects/0/exports/0"},
		"bad duration":     {`{"projects":[{"project":"*","retrain":{"afterFailure":1,"within":"a day"}}]}`, "/projects/0/retrain/within"},
		"too many retries": {`{"projects":[{"project":"*","retrain":{"afterFailure":99}}]}`, "/projects/0/retrain/afterFailure"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse([]byte(c.policy))
			require.Error(t, err)
			assert.Contains(t, err.Error(), c.want)
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestForTakesTheFirstRuleThatNamesTheProject(t *testing.T) {
	t.Parallel()
	p := Policy{Projects: []Rule{{Project: "Kitchen", Exports: []string{"ONNX"}}, {Project: "1b3f"}, {Project: "*"}}}
	for _, c := range []struct{ id, name, want string }{
		{"77", "kitchen", "Kitchen"}, {"1B3F", "Garden", "1b3f"}, {"99", "Garden", "*"},
	} {
		rule, ok := p.For(c.id, c.name)
		assert.True(t, ok)
		assert.Equal(t, c.want, rule.Project)
	}
	_, ok := Policy{Projects: p.Projects[:2]}.For("99", "Garden")
	assert.False(t, ok, "no rule names this project")
}

func TestHashChangesWithTheRule(t *testing.T) {
	t.Parallel()
	a := Rule{Project: "*", Exports: []string{"ONNX"}}
	b := Rule{Project: "*", Exports: []string{"ONNX", "CoreML"}}
	assert.Equal(t, a.Hash(), Rule{Project: "*", Exports: []string{"ONNX"}}.Hash())
	assert.NotEqual(t, a.Hash(), b.Hash())
}

func TestLoadTellsWhichFileIsMissing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "policy.json")
	_, err := Load(path)
	assert.ErrorContains(t, err, path)
}

func TestThePolicyThatShipsIsValid(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../policy.json")
	require.NoError(t, err)
	_, err = Parse(data)
	assert.NoError(t, err)
}
