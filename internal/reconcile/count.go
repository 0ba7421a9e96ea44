package reconcile

import (
	"time"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

// counts counts what is left of the project: by what was seen of the iterations
// that were looked at, and by the conditions of the others.
func (v *visit) counts() state.Counts {
	unproven := map[state.Scope]bool{}
	for id, look := range v.seen.Looks {
		for _, e := range look.Exports {
			if e.Status == customvision.ExportDone && !look.proven(e.Key) {
				unproven[state.Scope{Iteration: id, Export: e.Key.String()}] = true
			}
		}
		for key := range look.copied() {
			unproven[state.Scope{Iteration: id, Export: key.String()}] = true
		}
	}
	for _, c := range v.seen.Project.Conditions {
		if c.Unproven && !v.saw(c.Iteration) {
			unproven[c.Scope] = true
		}
	}
	c := state.Counts{Blocked: len(v.seen.Project.Conditions)}
	for s := range unproven {
		c.AddUnproven(v.trainedAt(s.Iteration))
	}
	return c
}

// trainedAt is when an iteration was trained; zero where that isn't known.
func (v *visit) trainedAt(iteration string) time.Time {
	if it := v.iteration(iteration); it != nil && it.TrainedAt != nil {
		return *it.TrainedAt
	}
	if at := factsOf(v.seen.Project.Iterations[iteration]).TrainedAt; at != nil {
		return *at // as it was seen last
	}
	return time.Time{}
}

// conditions are the project's, for those who watch.
func (v *visit) conditions() []state.Condition {
	list := []state.Condition{}
	for _, c := range v.seen.Project.Conditions {
		list = append(list, *c)
	}
	return list
}
