package reconcile

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
)

// retraining are rules to train once more after a failure, twice a month.
func retraining() Rules {
	r := rules()
	r.Retrain = &policy.Retrain{AfterFailure: 1, Within: policy.Duration(24 * time.Hour), PerMonth: 2}
	return r
}

// failure is an iteration whose training failed at a time.
func failure(id string, at time.Time) customvision.Iteration {
	return customvision.Iteration{ID: id, Status: customvision.StatusFailed, Created: at.Add(-time.Hour), LastModified: at}
}

func TestPlanAfterAFailure(t *testing.T) {
	t.Parallel()
	ago := func(d time.Duration) time.Time { return noon.Add(-d) }
	failed := failure(first, ago(time.Hour))
	renamed := failed // after the one that followed it was trained
	renamed.LastModified = noon
	followed := trainedAt(second, ago(30*time.Minute))
	followed.Created = ago(70 * time.Minute)
	answered := func(t state.Training) []*state.Training {
		t.Cause, t.Known = state.FailureOf(first), []string{first}
		return []*state.Training{&t}
	}
	others := func(times ...time.Time) (all []*state.Training) {
		for _, at := range times {
			all = append(all, &state.Training{Cause: state.FailureOf(third), Asked: at, Result: "of another failure"})
		}
		return all
	}
	iterations := func(all ...customvision.Iteration) []customvision.Iteration { return all }
	for name, c := range map[string]struct {
		iterations []customvision.Iteration
		trainings  []*state.Training
		want       []string
	}{
		"it is trained again":                         {iterations(failed), nil, []string{"retrain"}},
		"the open workspace is no training":           {iterations(failed, customvision.Iteration{ID: second, Status: customvision.StatusNew, LastModified: noon}), nil, []string{"retrain"}},
		"an earlier training is no answer":            {iterations(failed, trainedAt(second, ago(2*time.Hour))), nil, []string{"retrain"}},
		"not when it is long ago":                     {iterations(failure(first, ago(25*time.Hour))), nil, []string{}},
		"not when something was trained since":        {iterations(failed, trainedAt(second, ago(time.Minute))), nil, []string{}},
		"not even when the failed one is renamed":     {iterations(renamed, followed), nil, []string{}},
		"only the last of two failures is answered":   {iterations(failure(second, ago(2*time.Hour)), failed), answered(state.Training{Result: "deleted since"}), []string{}},
		"not while something is trained":              {iterations(failed, customvision.Iteration{ID: second, Status: customvision.StatusTraining}), nil, []string{"wait"}},
		"not when it was answered":                    {iterations(failed), answered(state.Training{Result: "deleted since"}), []string{}},
		"not when nothing came of it":                 {iterations(failed), answered(state.Training{Nothing: "not needed"}), []string{}},
		"not when our answer failed":                  {iterations(failed), []*state.Training{{Cause: state.FailureOf(second), Result: first}}, []string{}},
		"not more often than a month allows":          {iterations(failed), others(ago(29*24*time.Hour), ago(time.Hour)), []string{"postpone"}},
		"older trainings don't count":                 {iterations(failed), others(ago(31*24*time.Hour), ago(time.Hour)), []string{"retrain"}},
		"refused ones neither":                        {iterations(failed), append(others(ago(time.Hour)), &state.Training{Cause: state.FailureOf(third), Asked: noon, Nothing: "no"}), []string{"retrain"}},
		"an answer under way is waited for":           {iterations(failed), answered(state.Training{Asked: noon, Until: ago(time.Minute)}), []string{"wait"}},
		"a lost answer is found by its iteration":     {iterations(failed, customvision.Iteration{ID: second, Status: customvision.StatusTraining}), answered(state.Training{Until: noon}), []string{"wait", "adopt"}},
		"also when it is long over":                   {iterations(failed, failure(second, noon)), answered(state.Training{Until: ago(24 * time.Hour)}), []string{"adopt"}},
		"what never came is sent again":               {iterations(failed), answered(state.Training{Asked: ago(5 * time.Minute), Until: ago(2 * time.Minute)}), []string{"retrain"}},
		"and what never came doesn't count":           {iterations(failed), append(others(ago(time.Hour)), answered(state.Training{Asked: ago(5 * time.Minute), Until: ago(2 * time.Minute)})...), []string{"retrain"}},
		"what never came isn't sent again for ever":   {iterations(failure(first, ago(25*time.Hour))), answered(state.Training{Until: ago(24 * time.Hour)}), []string{}},
		"two answers to one failure aren't given":     {iterations(failed), append(answered(state.Training{Nothing: "came to nothing"}), answered(state.Training{Result: second})...), []string{}},
		"the last answer of several tells":            {iterations(failed), append(answered(state.Training{Nothing: "came to nothing"}), answered(state.Training{Asked: noon, Until: noon})...), []string{"wait"}},
		"an intent is not adopted by what it knew":    {iterations(failed), answered(state.Training{Until: noon}), []string{"wait"}},
		"nor by the open workspace it didn't know of": {iterations(failed, customvision.Iteration{ID: second, Status: customvision.StatusNew}), answered(state.Training{Until: noon}), []string{"wait"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := Observed{Now: noon, Project: state.Project{ID: projectID, Trainings: c.trainings}, Iterations: c.iterations}
			assert.Equal(t, c.want, steps(Plan(retraining(), o)))
		})
	}
}

func TestWithoutARuleNothingIsTrained(t *testing.T) {
	t.Parallel()
	o := Observed{Now: noon, Iterations: []customvision.Iteration{failure(first, noon)}}
	assert.Empty(t, Plan(rules(), o))
}

func TestAChainOfFailuresEnds(t *testing.T) {
	t.Parallel()
	r := retraining()
	r.Retrain.AfterFailure, r.Retrain.PerMonth = 2, 100
	o := Observed{Now: noon, Project: state.Project{ID: projectID}, Iterations: []customvision.Iteration{failure(first, noon)}}
	assert.Equal(t, []string{"retrain"}, steps(Plan(r, o)))

	o.Project.Trainings = []*state.Training{{Cause: state.FailureOf(first), Result: second}}
	o.Iterations = append(o.Iterations, failure(second, noon.Add(time.Minute)))
	plan := Plan(r, o)
	assert.Equal(t, []string{"retrain"}, steps(plan))
	assert.Equal(t, second, plan[0].Iteration)

	o.Project.Trainings = append(o.Project.Trainings, &state.Training{Cause: state.FailureOf(second), Result: third})
	o.Iterations = append(o.Iterations, failure(third, noon.Add(2*time.Minute)))
	assert.Empty(t, Plan(r, o), "two answers along the chain are what the policy allows")
}
