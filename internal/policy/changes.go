package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Changes says in a few words each what differs between two policies. It is empty
// if they ask for the same.
func Changes(before, after Policy) []string {
	var changes []string
	if before.Mode != after.Mode {
		changes = append(changes, fmt.Sprintf("mode: %s, was %s", after.Mode, before.Mode))
	}
	for _, r := range after.Projects {
		old := before.rule(r.Project)
		switch {
		case old == nil:
			changes = append(changes, fmt.Sprintf("new rule for %q: %s", r.Project, r))
		case r.Hash() != old.Hash():
			changes = append(changes, fmt.Sprintf("rule for %q: %s; was: %s", r.Project, r, *old))
		}
	}
	for _, r := range before.Projects {
		if after.rule(r.Project) == nil {
			changes = append(changes, fmt.Sprintf("no rule for %q any more; was: %s", r.Project, r))
		}
	}
	if len(changes) == 0 && !slices.EqualFunc(before.Projects, after.Projects, func(a, b Rule) bool { return a.Hash() == b.Hash() }) {
		changes = append(changes, "the order of the rules")
	}
	return changes
}

// rule is the first rule with a project's id or name as it stands in the policy.
func (p Policy) rule(project string) *Rule {
	i := slices.IndexFunc(p.Projects, func(r Rule) bool { return strings.EqualFold(r.Project, project) })
	if i < 0 {
		return nil
	}
	return &p.Projects[i]
}

// String is what a rule asks for, for a person.
func (r Rule) String() string {
	exports := "no exports"
	if len(r.Exports) > 0 {
		exports = "exports " + strings.Join(r.Exports, ", ")
	}
	text := exports + " of iterations " + strings.Join(r.Iterations, ", ")
	if r.Rescue {
		text += "; rescue: the data set too"
		if r.Predictions {
			text += ", and stored predictions"
		}
	}
	if r.Keep > 0 {
		text += fmt.Sprintf("; keep: %d iterations at most", r.Keep)
	}
	if r.Retrain != nil {
		text += "; retrain: " + r.Retrain.String()
	}
	if r.Promote != nil {
		text += "; promote: " + r.Promote.String()
	}
	if r.Twin != nil {
		text += "; twin: " + r.Twin.String()
	}
	return text
}

// String is when an iteration is published, for a person.
func (p Promote) String() string {
	_, resource, _ := strings.Cut(p.PredictionID, "/accounts/")
	text := fmt.Sprintf("as %q to %s, minimum precision %v, recall %v, averagePrecision %v, notWorseBy %v, threshold %v",
		p.Name, resource, p.Minimum.Precision, p.Minimum.Recall, p.Minimum.AveragePrecision, p.NotWorseBy, p.Threshold)
	if !p.PerTag {
		text += ", not per tag"
	}
	if p.HoldOut != "" {
		text += ", by the pictures of " + p.HoldOut
	}
	return text
}
