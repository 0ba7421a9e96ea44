package policy

import (
	"fmt"
	"strings"

	"visionkeeper/internal/pattern"
)

// Twin says what making a compact twin may cost, and what becomes of it.
type Twin struct {
	BudgetHours int  `json:"budgetHours"` // reserved for its one training; 1 by default
	Keep        bool `json:"keep"`        // it stays a project in Custom Vision when it is archived
}

// String says it for a person.
func (t Twin) String() string {
	if t.Keep {
		return fmt.Sprintf("budgetHours %d, kept", t.BudgetHours)
	}
	return fmt.Sprintf("budgetHours %d, deleted once it is archived", t.BudgetHours)
}

// TwinOf is what a twin's name says.
type TwinOf struct {
	Project string // id of the original
	Name    string // of the original, or its beginning and a …
	Token   string // of this twin
}

// TokenLength is how much of a token a twin's name has.
const TokenLength = 8

// TwinName is the name of a project's twin. It is what the app knows a twin by: everywhere,
// also where the state is lost. It has 128 characters at most, since nobody knows how many
// Custom Vision takes.
func TwinName(project, name, token string) string {
	const most = 60
	if runes := []rune(name); len(runes) > most {
		name = string(runes[:most-1]) + "…"
	}
	return fmt.Sprintf("%s (compact twin of %s %s)", name, project, token[:TokenLength])
}

// twinName takes a number after the name: Custom Vision appends " (1)" where one is taken.
// With anything else there, somebody has renamed the project.
var twinName = pattern.Of(`(?s)^(.*) \(compact twin of ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}) ([A-Z2-7]{8})\)(?: \([0-9]+\))?$`)

// ParseTwin reads a twin's name. ok is false if the name is no twin's.
func ParseTwin(name string) (of TwinOf, ok bool) {
	m := twinName().FindStringSubmatch(name)
	if m == nil {
		return TwinOf{}, false
	}
	return TwinOf{Project: m[2], Name: m[1], Token: m[3]}, true
}

// named reports whether a rule names a project by a twin's word for it.
func (of TwinOf) named(rule string) bool {
	beginning, cut := strings.CutSuffix(of.Name, "…")
	return strings.EqualFold(rule, of.Name) || cut && len(rule) > len(beginning) && strings.EqualFold(rule[:len(beginning)], beginning)
}

// ofTwin is what is left of a rule for the twin of a project that it names: of all that is
// trained in it, since somebody may train it once more before it is archived.
func (r Rule) ofTwin() Rule {
	t := Rule{Project: r.Project, Exports: r.Exports, Iterations: Words{All}, OfTwin: true}
	if len(t.Exports) == 0 {
		t.Exports = Words{All}
	}
	return t
}
