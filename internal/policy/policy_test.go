package policy

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
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

// promoting is a promote of a rule, with the members that are given besides.
func promoting(more string) string {
	return `{"projects":[{"project":"*","promote":{"name":"production","predictionId":"/subscriptions/s/resourceGroups/g/providers/Microsoft.CognitiveServices/accounts/seeing"` + more + `}}]}`
}

func TestPromotingIsOffUnlessAskedForAndHasDefaults(t *testing.T) {
	t.Parallel()
	p, err := Parse([]byte(`{"projects":[{"project":"*"}]}`))
	require.NoError(t, err)
	assert.Nil(t, p.Projects[0].Promote)

	p, err = Parse([]byte(promoting("")))
	require.NoError(t, err)
	want := Promote{Name: "production", PredictionID: p.Projects[0].Promote.PredictionID, PerTag: true, NotWorseBy: 0.02, Threshold: 0.5}
	assert.Equal(t, want, *p.Projects[0].Promote)

	p, err = Parse([]byte(promoting(`,"perTag":false,"notWorseBy":0,"threshold":0,"minimum":{"recall":1,"precision":0.75}`)))
	require.NoError(t, err)
	want.PerTag, want.NotWorseBy, want.Threshold, want.Minimum = false, 0, 0, Measures{Precision: 0.75, Recall: 1}
	assert.Equal(t, want, *p.Projects[0].Promote)
	assert.Equal(t, `no exports of iterations newest, published; promote: as "production" to seeing, minimum precision 0.75, recall 1, averagePrecision 0, notWorseBy 0, threshold 0, not per tag`,
		p.Projects[0].String())

	p, err = Parse([]byte(promoting(`,"holdOut":"holdout/kitchen"`)))
	require.NoError(t, err)
	assert.Equal(t, "holdout/kitchen", p.Projects[0].Promote.HoldOut)
	assert.Contains(t, p.Projects[0].String(), "threshold 0.5, by the pictures of holdout/kitchen")
}

func TestAHoldOutSetIsInAContainerOrBelowTheApp(t *testing.T) {
	t.Parallel()
	for _, place := range []string{"holdout", "holdout/val", "hold-out/a b/c", "holdout/", "./holdout", "./data/holdout"} {
		_, err := Parse([]byte(promoting(`,"holdOut":"` + place + `"`)))
		assert.NoError(t, err, place)
	}
	for _, place := range []string{"", "Holdout", "a", "/holdout", "../holdout", ".", "./", "./../x", "holdout//x", "hold--out", "https://example.com/x", `holdout\\x`} {
		_, err := Parse([]byte(promoting(`,"holdOut":"` + place + `"`)))
		assert.ErrorContains(t, err, "/projects/0/promote/holdOut", place)
	}
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
		"no cause":         {`{"projects":[{"project":"*","retrain":{"perMonth":1}}]}`, `at '/projects/0/retrain': it needs one of the keys 'afterFailure', 'onImages', 'onImagesPerTag', 'olderThan', 'after'`},
		"advanced":         {`{"projects":[{"project":"*","retrain":{"afterFailure":1,"type":"advanced"}}]}`, `the key "budgetHours" is missing`},
		"long duration":    {`{"projects":[{"project":"*","retrain":{"olderThan":"999999999999d"}}]}`, "too long"},
		"no duration":      {`{"projects":[{"project":"*","retrain":{"olderThan":"0d00h"}}]}`, "/projects/0/retrain/olderThan"},
		"endless hours":    {`{"projects":[{"project":"*","retrain":{"onImages":1,"budgetHours":307445734561825861}}]}`, "/projects/0/retrain/budgetHours': it must be at most 10000"},
		"endless month":    {`{"projects":[{"project":"*","retrain":{"onImages":1,"monthlyBudgetHours":4611686018427387904}}]}`, "/projects/0/retrain/monthlyBudgetHours': it must be at most 10000"},
		"after everything": {`{"projects":[{"project":"A","retrain":{"after":{"project":"*","event":"model.promoted"}}}]}`, "/projects/0/retrain/after/project"},
		"unknown event":    {`{"projects":[{"project":"A","retrain":{"after":{"project":"B","event":"backup.proven"}}}]}`, "/projects/0/retrain/after/event"},
		"too many retries": {`{"projects":[{"project":"*","retrain":{"afterFailure":99}}]}`, "/projects/0/retrain/afterFailure"},
		"more than whole":  {promoting(`,"minimum":{"recall":1.5}`), "at '/projects/0/promote/minimum/recall': it must be at most 1"},
		"per cent":         {promoting(`,"threshold":50`), "/projects/0/promote/threshold"},
		"no number":        {promoting(`,"notWorseBy":"little"`), "it is a text and must be a number"},
		"no resource":      {`{"projects":[{"project":"*","promote":{"name":"a","predictionId":"seeing"}}]}`, "/projects/0/promote/predictionId"},
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

func TestTrainingsThatCauseOneAnotherInACircleAreAFault(t *testing.T) {
	t.Parallel()
	after := func(project, other string) string {
		return `{"project":"` + project + `","retrain":{"after":{"project":"` + other + `","event":"training.completed"}}}`
	}
	for rules, circle := range map[string]string{
		after("A", "a"): "a after a",
		after("A", "B") + "," + after("B", "C") + "," + after("C", "A"): "B after C after A after B",
		after("*", "Parts"):                                     "Parts after Parts",
		`{"project":"Parts"},` + after("*", "Parts"):            "",
		after("A", "B") + "," + after("C", "B"):                 "",
		after("A", "B") + "," + after("*", "A"):                 "B after A after B",
		after("A", "B") + `,{"project":"B"},` + after("*", "A"): "",
	} {
		_, err := Parse([]byte(`{"projects":[` + rules + `]}`))
		if circle == "" {
			assert.NoError(t, err, rules)
		} else {
			assert.ErrorContains(t, err, "in a circle: "+circle, rules)
		}
	}
}

func TestATrainingThatCanNeverBeginIsADoubt(t *testing.T) {
	t.Parallel()
	for rules, want := range map[string]string{
		`{"project":"A","retrain":{"olderThan":"30d","budgetHours":4,"monthlyBudgetHours":3}}`:                                "never trains",
		`{"project":"A","retrain":{"olderThan":"30d","budgetHours":4,"monthlyBudgetHours":4}}`:                                "",
		`{"project":"A","retrain":{"after":{"project":"B","event":"training.completed"}}}`:                                    "which no rule names",
		`{"project":"A","retrain":{"after":{"project":"0a6c3a5e-0b8e-4bb0-9b5e-0d6e7f8a9b0c","event":"training.completed"}}}`: "",
		`{"project":"A","retrain":{"after":{"project":"B","event":"training.completed"}}},{"project":"*"}`:                    "",
		`{"project":"A","retrain":{"after":{"project":"B","event":"model.promoted"}}},{"project":"*"}`:                        "publishes nothing",
	} {
		doubts := Doubts([]byte(`{"projects":[` + rules + `]}`))
		if want == "" {
			assert.Empty(t, doubts, rules)
		} else if assert.Len(t, doubts, 1, rules) {
			assert.ErrorContains(t, doubts[0], want)
		}
	}
}

func TestADurationMayHaveDays(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{"30d": 30 * day, "1d12h": 36 * time.Hour, "2h1d": 26 * time.Hour, "90m": 90 * time.Minute, "24h": day, "106751d": 106751 * day} {
		var d Duration
		require.NoError(t, json.Unmarshal([]byte(`"`+text+`"`), &d), text)
		assert.Equal(t, want, time.Duration(d))
		again, err := json.Marshal(d)
		require.NoError(t, err)
		var same Duration
		require.NoError(t, json.Unmarshal(again, &same), string(again))
		assert.Equal(t, d, same)
	}
	for _, text := range []string{"", "d", "a day", "106752d", "106751d24h", "99999999999999999999d", "100000d100000d"} {
		var d Duration
		assert.Error(t, json.Unmarshal([]byte(`"`+text+`"`), &d), text)
	}
	assert.Equal(t, "30d", Duration(30*day).String())
	assert.Equal(t, "24h", Duration(day).String())
}

func TestParseReadsWhatPeopleWrite(t *testing.T) {
	t.Parallel()
	plain, err := Parse([]byte(`{"projects":[{"project":"Kitchen"}]}`))
	require.NoError(t, err)
	p, err := Parse([]byte("\ufeff{ // ours\n\"projects\": [ /* all */ {\"project\": \"Kitchen\",}, ],\n}\n"))
	require.NoError(t, err)
	assert.Equal(t, plain, p)
}

func TestParseNamesLineColumnAndTheKeyThatWasMeant(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ policy, want string }{
		"no JSON":     {"{\n  \"projects\": [\n    {\"project\": \"*\"}\n    {\"project\": \"A\"}]}", "line 4, column 5: "},
		"a typo":      {"{ // ours\n  \"projects\": [{\"project\": \"*\",\n    \"export\": []}]}", `line 3, column 5, at '/projects/0': there is no key "export": write "exports"`},
		"a top key":   {"{\"projects\": [{\"project\": \"*\"}],\n\"mod\": \"act\"}", `line 2, column 1: there is no key "mod": write "mode"`},
		"a deep key":  {"{\"projects\": [{\"project\": \"*\", \"retrain\": {\"afterFailure\": 1,\n\"perMonths\": 1}}]}", `line 2, column 1, at '/projects/0/retrain': there is no key "perMonths": write "perMonth"`},
		"a value":     {"{\"projects\": [{\"project\": \"*\"}],\n\"mode\": \"on\"}", "line 2, column 9, at '/mode': "},
		"no such key": {"{\"projects\": [{\"project\": \"*\",\n\"colour\": 1}]}", `line 2, column 1, at '/projects/0': there is no key "colour"`},
	} {
		_, err := Parse([]byte(c.policy))
		assert.ErrorContains(t, err, c.want, name)
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

func TestReadFileSaysWhichFileIsMissing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "policy.json")
	_, err := ReadFile(path)
	assert.ErrorContains(t, err, path)
}

func TestAllExportsAreThoseThatTheDomainOffers(t *testing.T) {
	t.Parallel()
	p, err := Parse([]byte(`{"projects":[{"project":"*","exports":"all","iterations":"all"}]}`))
	require.NoError(t, err)
	rule := p.Projects[0]
	assert.Equal(t, Words{All}, rule.Iterations)
	assert.Equal(t, []string{"CoreML", "CoreML.CoreMLFloat16", "DockerFile.Linux", "DockerFile.Windows", "DockerFile.ARM"},
		rule.ExportsOf([]string{"coreml", "DockerFile", "IVS"}), "each flavor of a platform")
	assert.Len(t, rule.ExportsOf(nil), len(Known)-len(notOfAll), "the service doesn't say what it offers")
	assert.Equal(t, []string{"ONNX"}, Rule{Exports: Words{"ONNX"}}.ExportsOf([]string{"CoreML"}), "what is named is asked for")
}

func TestTheSchemaListsTheKnownExports(t *testing.T) {
	t.Parallel()
	var schema struct {
		Defs struct {
			Export struct{ Enum []string }
		} `json:"$defs"`
	}
	require.NoError(t, json.Unmarshal(schemaJSON, &schema))
	assert.Equal(t, Known, schema.Defs.Export.Enum)
}

func TestExportsMayBeNamedInAnyLetterCase(t *testing.T) {
	t.Parallel()
	_, err := Parse([]byte(`{"projects":[{"project":"*","exports":["onnx.onnxfloat16","Openvino"]}]}`))
	assert.NoError(t, err)
}

func TestDoubtsNameWhatHasNoEffect(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		policy string
		want   []string
	}{
		"nothing":        {`{"projects":[{"project":"a","exports":["ONNX"]},{"project":"b","exports":["ONNX"]},{"project":"*"}]}`, nil},
		"after *":        {`{"projects":[{"project":"*"},{"project":"a"},{"project":"*"}]}`, []string{`rule 2`, `rule 3`}},
		"twice":          {`{"projects":[{"project":"Kitchen"},{"project":"kitchen"}]}`, []string{`rule 2`}},
		"doubled key":    {`{"projects":[{"project":"*","exports":["ONNX"],"exports":[]}]}`, []string{`"exports" stands twice`}},
		"no minimum":     {promoting(""), []string{`has the name "production"`}},
		"a minimum":      {promoting(`,"minimum":{"recall":0.5}`), nil},
		"in another one": {`{"mode":"act","projects":[{"project":"*"}],"mode":"observe"}`, []string{`"mode" stands twice`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doubts := Doubts([]byte(c.policy))
			require.Len(t, doubts, len(c.want), "%v", doubts)
			for i, want := range c.want {
				assert.ErrorContains(t, doubts[i], want)
			}
		})
	}
}

func TestChangesSayWhatANewPolicyAsksFor(t *testing.T) {
	t.Parallel()
	before, err := Parse([]byte(`{"projects":[{"project":"Kitchen","exports":["ONNX"]},{"project":"*"}]}`))
	require.NoError(t, err)
	for policy, want := range map[string][]string{
		`{"projects":[{"project":"Kitchen","exports":["ONNX"]},{"project":"*","iterations":["newest","published"]}]}`: nil,
		`{"projects":[{"project":"*"},{"project":"Kitchen","exports":["ONNX"]}]}`:                                     {"the order of the rules"},
		`{"mode":"observe","projects":[{"project":"Kitchen","retrain":{"afterFailure":1}}]}`: {
			"mode: observe, was act",
			`rule for "Kitchen": no exports of iterations newest, published; retrain: afterFailure 1, within 24h, perMonth 10; was: exports ONNX of iterations newest, published`,
			`no rule for "*" any more; was: no exports of iterations newest, published`,
		},
	} {
		after, err := Parse([]byte(policy))
		require.NoError(t, err)
		assert.Equal(t, want, Changes(before, after), policy)
	}
}

func TestThePolicyThatShipsIsValid(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../policy.json")
	require.NoError(t, err)
	_, err = Parse(data)
	assert.NoError(t, err)
}

func TestTheDocumentsListTheKnownExports(t *testing.T) {
	t.Parallel()
	docs, err := os.ReadFile("../../docs/commands.md")
	require.NoError(t, err)
	flavors := map[string][]string{}
	var platforms []string
	for _, name := range Known {
		platform, flavor, _ := strings.Cut(name, ".")
		if flavor != "" {
			flavors[platform] = append(flavors[platform], flavor)
		} else {
			platforms = append(platforms, platform)
		}
	}
	table := "| platform | flavors |\n|---|---|\n"
	for _, p := range platforms {
		table += strings.ReplaceAll("| "+p+" | "+strings.Join(flavors[p], ", ")+" |\n", "|  |", "| |")
	}
	assert.Contains(t, string(docs), table)
}

func TestARuleByIDAndOneByNameForOneProjectAreNamed(t *testing.T) {
	t.Parallel()
	const id, other = "11111111-2222-3333-4444-555555555555", "99999999-2222-3333-4444-555555555555"
	names := map[string]string{id: "Kitchen", other: "Attic"}
	of := func(projects ...string) Policy {
		var p Policy
		for _, name := range projects {
			p.Projects = append(p.Projects, Rule{Project: name})
		}
		return p
	}
	require.Len(t, DoubledRules(of("kitchen", "Attic", id, "*"), names), 1)
	assert.ErrorContains(t, DoubledRules(of("kitchen", "Attic", id, "*"), names)[0], `rule 3 of the policy is for the project "Kitchen" too`)
	assert.ErrorContains(t, DoubledRules(of(id, "Kitchen"), names)[0], "join it with rule 1, which names it "+id)
	assert.Empty(t, DoubledRules(of("Kitchen", "kitchen"), names), "Doubts says so")
	assert.Empty(t, DoubledRules(of("Kitchen", "Attic", "*"), names))
	assert.Empty(t, DoubledRules(of("Kitchen", id), nil), "nobody knows")
}

func TestADurationIsWrittenAsAPersonWouldWriteIt(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]string{
		"24h": "24h", "168h": "7d", "48h": "2d", "36h": "36h", "10m": "10m", "1h30m": "1h30m", "90m": "1h30m", "1h0m30s": "1h0m30s", "10s": "10s", "0s": "0s", "100ms": "100ms", "30d": "30d",
	} {
		var d Duration
		require.NoError(t, json.Unmarshal([]byte(`"`+written+`"`), &d))
		text, err := json.Marshal(d)
		require.NoError(t, err)
		assert.Equal(t, `"`+want+`"`, string(text))
		var again Duration
		require.NoError(t, json.Unmarshal(text, &again))
		assert.Equal(t, d, again)
	}
}

func TestRescueAsksForEverything(t *testing.T) {
	p, err := Parse([]byte(`{"projects":[{"project":"a","rescue":true,"exports":["ONNX"],"predictions":true},{"project":"*"}]}`))
	require.NoError(t, err)
	r := p.Projects[0]
	assert.Equal(t, [2]Words{{All}, {All}}, [2]Words{r.Exports, r.Iterations})
	assert.Equal(t, "exports all of iterations all; rescue: the data set too, and stored predictions", r.String())
	assert.True(t, p.Rescues())
	p, err = Parse([]byte(`{"projects":[{"project":"*"}]}`))
	require.NoError(t, err)
	assert.False(t, p.Rescues())
}
