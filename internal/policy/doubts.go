package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

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

// doubledKeys finds keys that stand twice in one object. The last one counts.
func doubledKeys(data []byte) []error {
	var doubts []error
	d := json.NewDecoder(bytes.NewReader(data))
	var value func(where string) error
	value = func(where string) error {
		token, err := d.Token()
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('{'):
			seen := map[string]bool{}
			for d.More() {
				key, err := d.Token()
				if err != nil {
					return err
				}
				name := fmt.Sprint(key)
				if seen[name] {
					doubts = append(doubts, remedy.New("take out one of them; the last one counts", "the key %q stands twice in the policy, at '%s'", name, where))
				}
				seen[name] = true
				if err := value(where + "/" + name); err != nil {
					return err
				}
			}
			_, err = d.Token()
		case json.Delim('['):
			for i := 0; d.More(); i++ {
				if err := value(fmt.Sprintf("%s/%d", where, i)); err != nil {
					return err
				}
			}
			_, err = d.Token()
		}
		return err
	}
	_ = value("") // what can't be read is Parse's to say
	return doubts
}
