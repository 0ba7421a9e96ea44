package reconcile

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
)

func TestTheGateComparesEachFigure(t *testing.T) {
	t.Parallel()
	all := func(f float64) state.Measures {
		return state.Measures{Precision: &f, Recall: &f, AveragePrecision: &f}
	}
	figures := func(f float64, tags map[string]float64) state.Figures {
		out := state.Figures{Threshold: 0.5, Measures: all(f), Tags: map[string]state.TagFigures{}}
		for tag, f := range tags {
			out.Tags[tag] = state.TagFigures{Name: tag, Measures: all(f)}
		}
		return out
	}
	unknown := figures(0.9, nil)
	unknown.Recall = nil
	champion := figures(0.9, map[string]float64{"bolt": 0.9})
	unseen, mistaken := figures(0.9, map[string]float64{"bolt": 0.9}), figures(0.9, map[string]float64{"bolt": 0.9})
	unseen.Tags["nut"], mistaken.Tags["nut"] = state.TagFigures{Name: "nut", Measures: state.Measures{Recall: new(0.9)}}, state.TagFigures{Name: "nut", Measures: state.Measures{Precision: new(0.0)}}
	missed := figures(0.9, map[string]float64{"bolt": 0.9})
	missed.Tags["bolt"] = state.TagFigures{Name: "bolt", Measures: state.Measures{Recall: new(0.9), AveragePrecision: new(0.9)}}
	for name, c := range map[string]struct {
		found    state.Figures
		champion *state.Figures
		perTag   bool
		want     []string
	}{
		"good enough":             {figures(0.8, map[string]float64{"bolt": 0.8}), nil, true, nil},
		"below a minimum":         {figures(0.79, nil), nil, false, []string{"recall is 0.79, wanted is 0.8"}},
		"a tag below a minimum":   {figures(0.9, map[string]float64{"bolt": 0.79}), nil, true, []string{"recall of the tag bolt is 0.79, wanted is 0.8"}},
		"tags don't matter":       {figures(0.9, map[string]float64{"bolt": 0.79}), &champion, false, nil},
		"what isn't known":        {unknown, nil, false, []string{"recall is unknown, wanted is 0.8"}},
		"as much less as allowed": {figures(0.85, map[string]float64{"bolt": 0.85}), &champion, true, nil},
		"worse by each figure": {figures(0.84, map[string]float64{"bolt": 0.9}), &champion, true, []string{
			"precision is 0.84, Iteration 1 has 0.9, and 0.05 less is allowed", "recall is 0.84, Iteration 1 has 0.9, and 0.05 less is allowed",
			"averagePrecision is 0.84, Iteration 1 has 0.9, and 0.05 less is allowed",
		}},
		"a tag is worse": {figures(0.9, map[string]float64{"bolt": 0.84}), &champion, true, []string{
			"precision of the tag bolt is 0.84, Iteration 1 has 0.9, and 0.05 less is allowed", "recall of the tag bolt is 0.84, Iteration 1 has 0.9, and 0.05 less is allowed",
			"averagePrecision of the tag bolt is 0.84, Iteration 1 has 0.9, and 0.05 less is allowed",
		}},
		"a tag is missing":                    {figures(0.9, map[string]float64{"nut": 0.9}), &champion, true, []string{"it doesn't know the tag bolt, which Iteration 1 knows"}},
		"a new tag has nothing to compare":    {figures(0.9, map[string]float64{"bolt": 0.9, "nut": 0.8}), &champion, true, nil},
		"the other one's unknown is no limit": {figures(0.8, map[string]float64{"bolt": 0.8}), &state.Figures{}, true, nil},
		"what was always wrong is no limit":   {unseen, &mistaken, true, nil},
		"what isn't known is worse":           {missed, &champion, true, []string{"precision of the tag bolt is unknown, Iteration 1 has 0.9, and 0.05 less is allowed"}},
		"no figures of single tags":           {figures(0.9, nil), nil, true, []string{"it has no figures of single tags, by which perTag goes"}},
		"none of either":                      {figures(0.9, nil), new(figures(0.9, nil)), true, []string{"it has no figures of single tags, by which perTag goes"}},
		"none are asked for":                  {figures(0.9, nil), new(figures(0.9, nil)), false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rule := policy.Promote{Minimum: policy.Measures{Recall: 0.8}, NotWorseBy: 0.05, Threshold: 0.5, PerTag: c.perTag}
			assert.Equal(t, c.want, gate(rule, c.found, c.champion, "Iteration 1"))
		})
	}
}
