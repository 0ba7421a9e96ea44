package page

import (
	"slices"

	"visionkeeper/internal/overview"
)

// export is what there is of one export of a model.
type export struct {
	name  string
	state string // a word for the style, and the name of its sign
	word  string // the same for a person
}

// exports are those of a model: those that the policy wants and those that there are.
func exports(m overview.Model) []export {
	names := slices.Concat(m.Wanted, m.Exported, m.Exporting, m.Failed, m.Archived)
	for name := range m.Blocked {
		if name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var list []export
	for _, name := range slices.Compact(names) {
		has := func(list []string) bool { return slices.Contains(list, name) }
		_, blocked := m.Blocked[name]
		_, whole := m.Blocked[""]
		e := export{name, "wanted", "wanted"}
		switch {
		case has(m.Proven):
			e.state, e.word = "proven", "proven"
		case blocked && has(m.Archived):
			e.state, e.word = "blocked", "archived, not proven"
		case blocked:
			e.state, e.word = "blocked", "blocked"
		case has(m.Archived):
			e.state, e.word = "archived", "archived"
		case has(m.Exported):
			e.state, e.word = "underway", "exported, not archived yet"
		case has(m.Exporting):
			e.state, e.word = "underway", "underway"
		case has(m.Failed):
			e.state, e.word = "blocked", "failed"
		case whole:
			e.state, e.word = "blocked", "blocked"
		}
		list = append(list, e)
	}
	return list
}
