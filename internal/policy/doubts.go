package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"visionkeeper/internal/dotnet"
	"visionkeeper/internal/pattern"
	"visionkeeper/internal/remedy"
)

// Doubts says what in a policy has no effect, or another one than it seems to have:
// rules that are never reached, and keys that stand twice. Data is a policy that
// Parse takes.
func Doubts(data []byte) []error {
	doubts := doubledKeys(data)
	p, err := Parse(data)
	if err != nil {
		return doubts
	}
	everything := slices.IndexFunc(p.Projects, func(r Rule) bool { return r.Project == "*" })
	for i, r := range p.Projects {
		first := slices.IndexFunc(p.Projects, func(o Rule) bool { return strings.EqualFold(o.Project, r.Project) })
		switch {
		case everything >= 0 && i > everything:
			doubts = append(doubts, remedy.New("move it before the rule for \"*\"", "rule %d of the policy, for the project %q, is never reached", i+1, r.Project))
		case first < i:
			doubts = append(doubts, remedy.New(fmt.Sprintf("join it with rule %d, which is for the same project", first+1), "rule %d of the policy, for the project %q, is never reached", i+1, r.Project))
		}
		if r.Promote != nil && r.Promote.Minimum == (Measures{}) {
			doubts = append(doubts, remedy.New("give it a minimum", "rule %d of the policy, for the project %q, publishes without a minimum: while no iteration has the name %q, any may get it, however bad it is", i+1, r.Project, r.Promote.Name))
		}
		doubts = append(doubts, p.retrainDoubts(i)...)
	}
	return doubts
}

// retrainDoubts says what keeps a rule's trainings from ever beginning.
func (p Policy) retrainDoubts(i int) (doubts []error) {
	t := p.Projects[i].Retrain
	if t == nil {
		return nil
	}
	if t.MonthlyBudgetHours > 0 && t.BudgetHours > t.MonthlyBudgetHours {
		doubts = append(doubts, remedy.New("make monthlyBudgetHours larger, or budgetHours smaller",
			"rule %d of the policy, for the project %q, never trains: one training counts as more hours than all of a month", i+1, p.Projects[i].Project))
	}
	if t.After == nil || isID(t.After.Project) { // a rule may name it by its name
		return doubts
	}
	switch other, ok := p.For(t.After.Project, t.After.Project); {
	case !ok:
		doubts = append(doubts, remedy.New("add a rule for it, so that the app sees what becomes of it", "rule %d of the policy trains after the project %q, which no rule names", i+1, t.After.Project))
	case t.After.Event == ModelPromoted && other.Promote == nil:
		doubts = append(doubts, remedy.New("give that rule promote", "rule %d of the policy trains after %s of the project %q, whose rule publishes nothing", i+1, ModelPromoted, t.After.Project))
	}
	return doubts
}

// isID reports whether a project is named by its id.
func isID(project string) bool { return idForm().MatchString(project) }

var idForm = pattern.Of(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// DoubledRules says which projects have a rule by their id and one by their name, of
// which only the first counts. Names are the projects' names by their ids.
func DoubledRules(p Policy, names map[string]string) []error {
	var doubts []error
	for _, id := range slices.Sorted(maps.Keys(names)) {
		name := names[id]
		var rules []int
		for i, r := range p.Projects {
			if r.Project != "*" && (strings.EqualFold(r.Project, id) || strings.EqualFold(r.Project, name)) {
				rules = append(rules, i)
			}
		}
		for _, i := range rules[min(len(rules), 1):] {
			if first := p.Projects[rules[0]].Project; !strings.EqualFold(first, p.Projects[i].Project) { // else Doubts says so
				doubts = append(doubts, remedy.New(fmt.Sprintf("join it with rule %d, which names it %s", rules[0]+1, first), "rule %d of the policy is for the project %q too (%s), so it is never reached", i+1, name, p.Projects[i].Project))
			}
		}
	}
	return doubts
}

// doubledKeys finds keys that stand twice in one object. The last one counts. What
// can't be read is Parse's to say.
func doubledKeys(data []byte) []error {
	root, err := dotnet.ParseJSON(data)
	if err != nil {
		return nil
	}
	return doubledBelow(root, "")
}

// doubledBelow finds them in a value. Path is where it stands in the policy.
func doubledBelow(value *dotnet.Node, path string) []error {
	var doubts []error
	seen := map[string]bool{}
	for _, m := range value.Members {
		if seen[m.Key] {
			doubts = append(doubts, remedy.New("take out one of them; the last one counts", "%s: the key %q stands twice in the policy, at '%s'", m.Place, m.Key, path))
		}
		seen[m.Key] = true
		doubts = append(doubts, doubledBelow(m.Value, path+"/"+m.Key)...)
	}
	for i, item := range value.Items {
		doubts = append(doubts, doubledBelow(item, fmt.Sprintf("%s/%d", path, i))...)
	}
	return doubts
}
