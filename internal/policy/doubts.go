package policy

import (
	"fmt"
	"slices"
	"strings"

	"visionkeeper/internal/dotnet"
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
