package reconcile

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
)

// measure is one of the three that the gate goes by.
type measure struct {
	name    string
	of      func(state.Measures) *float64
	minimum func(policy.Measures) float64
}

var measures = []measure{
	{"precision", func(m state.Measures) *float64 { return m.Precision }, func(m policy.Measures) float64 { return m.Precision }},
	{"recall", func(m state.Measures) *float64 { return m.Recall }, func(m policy.Measures) float64 { return m.Recall }},
	{"averagePrecision", func(m state.Measures) *float64 { return m.AveragePrecision }, func(m policy.Measures) float64 { return m.AveragePrecision }},
}

// gate says what keeps an iteration with these figures from being published; nothing where
// it passes. Champion has the figures of the one that has the name, called by its own name;
// nil where none has.
func gate(rule policy.Promote, figures state.Figures, champion *state.Figures, called string) []string {
	g := gated{rule: rule, called: called}
	var of *state.Measures
	if champion != nil {
		of = &champion.Measures
	}
	g.compare("", figures.Measures, of)
	if !rule.PerTag {
		return g.faults
	}
	byName := func(tags map[string]state.TagFigures) []string {
		return slices.SortedFunc(maps.Keys(tags), func(a, b string) int {
			return cmp.Or(cmp.Compare(tags[a].Name, tags[b].Name), cmp.Compare(a, b))
		})
	}
	if len(figures.Tags) == 0 {
		g.faults = append(g.faults, "it has no figures of single tags, by which perTag goes")
	}
	for _, id := range byName(figures.Tags) {
		var of *state.Measures
		if champion != nil {
			if tag, ok := champion.Tags[id]; ok {
				of = &tag.Measures
			}
		}
		g.compare(" of the tag "+figures.Tags[id].Name, figures.Tags[id].Measures, of)
	}
	if champion != nil {
		for _, id := range byName(champion.Tags) {
			if _, ok := figures.Tags[id]; !ok {
				g.faults = append(g.faults, fmt.Sprintf("it doesn't know the tag %s, which %s knows", champion.Tags[id].Name, called))
			}
		}
	}
	return g.faults
}

// gated is what a gate found so far.
type gated struct {
	rule   policy.Promote
	called string
	faults []string
}

// rounding is by how much two figures may differ that are meant to be the same.
const rounding = 1e-9

// compare compares what was measured with the minima and with the champion's. What isn't
// measured passes no minimum, and is no worse than 0; the champion needn't have it.
func (g *gated) compare(of string, found state.Measures, champion *state.Measures) {
	for _, m := range measures {
		is, least := m.of(found), m.minimum(g.rule.Minimum)
		if least > 0 && (is == nil || *is < least-rounding) {
			g.faults = append(g.faults, fmt.Sprintf("%s%s is %s, wanted is %s", m.name, of, figure(is), figure(&least)))
		}
		if champion == nil {
			continue
		}
		has := m.of(*champion)
		if has != nil && *cmp.Or(is, new(0.0)) < *has-g.rule.NotWorseBy-rounding {
			g.faults = append(g.faults, fmt.Sprintf("%s%s is %s, %s has %s, and %s less is allowed", m.name, of, figure(is), g.called, figure(has), figure(&g.rule.NotWorseBy)))
		}
	}
}

// figure is one for a person.
func figure(f *float64) string {
	if f == nil {
		return "unknown"
	}
	return strconv.FormatFloat(*f, 'f', -1, 64)
}

// inWords are the figures of all tags together.
func inWords(f state.Figures) string {
	var words []string
	for _, m := range measures {
		words = append(words, m.name+" "+figure(m.of(f.Measures)))
	}
	return strings.Join(words, ", ")
}
