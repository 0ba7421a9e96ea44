package reconcile

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
)

// Worth is what tells whether a training is worth it though none failed. A look at a
// whole project sees as much of it as the policy asks for.
type Worth struct {
	// Now counts the tagged images, Then those that the last training saw; nil where they
	// aren't counted. Then is zero where nothing was trained yet.
	Now, Then *state.Tally
	// After is what last became of the project that the policy waits for.
	After state.Happened
	// Of is that project's id.
	Of string
	// Modified is when anything of the project last changed, as far as the service says.
	Modified time.Time
}

// trainingScope is that of a training that answers no failure.
var trainingScope = state.Scope{Fact: state.FactTraining}

// sight is a fingerprint of the project: while it is the same, a training that was refused
// would be refused again, as far as can be seen.
func (w *Worth) sight(iterations []customvision.Iteration) string {
	of := []string{w.Modified.UTC().String()}
	for _, it := range iterations {
		if it.Status != customvision.StatusNew {
			of = append(of, it.ID)
		}
	}
	slices.Sort(of[1:])
	if w.Now != nil {
		of = append(of, fmt.Sprint(w.Now.Images, w.Now.Tags)) // fmt sorts maps
	}
	return fingerprint(of...)
}

// worth is what a training is worth it for, and why; the zero value where nothing is. An
// event is answered by any training begun since. All else is counted from the last
// training, one that failed too.
func (p *plan) worth() (state.Cause, string) {
	w := p.o.Worth
	if w == nil || p.o.Project.Seen.IsZero() {
		return state.Cause{}, ""
	}
	last := lastOf(p.o)
	if w.After.Iteration != "" {
		cause := state.Cause{Kind: state.AfterEvent, Of: p.Retrain.After.Event + " " + w.Of + " " + w.After.Iteration}
		before := w.After.At.Before(p.o.Project.Seen.Add(-clocksDiffer)) // its answer may have been forgotten
		if !before && !p.answered(cause, w.After.At, last) && p.o.Now.Sub(w.After.At) <= time.Duration(p.Retrain.Within) {
			return cause, fmt.Sprintf("%s of the project %s, iteration %s", p.Retrain.After.Event, p.Retrain.After.Project, w.After.Iteration)
		}
	}
	if n, ok := p.tagged(last); ok {
		why := fmt.Sprintf("%d images were tagged since the last training", n)
		if last == nil && w.Then.Iteration == "" {
			why = fmt.Sprintf("%d images are tagged, and nothing was trained yet", n)
		}
		return state.Cause{Kind: state.Images, Of: strconv.Itoa(n)}, why
	}
	if last == nil || p.Retrain.OlderThan == 0 || p.o.Now.Sub(p.lastAt(*last)) <= time.Duration(p.Retrain.OlderThan) {
		return state.Cause{}, ""
	}
	day := p.ended(*last).UTC().Format(time.DateOnly)
	return state.Cause{Kind: state.Age, Of: day}, fmt.Sprintf("the last training is from %s, which is more than %s ago", day, p.Retrain.OlderThan)
}

// answered reports whether a training was begun for the event, or for any cause since it
// happened: also one that is deleted by now, where it was the app's.
func (p *plan) answered(event state.Cause, at time.Time, last *customvision.Iteration) bool {
	answer := answerTo(p.o.Project.Trainings, event)
	return answer != nil && !answer.Open() || last != nil && !p.begun(*last).Before(at) ||
		slices.ContainsFunc(p.o.Project.Trainings, func(t *state.Training) bool { return t.Result != "" && !t.Asked.Before(at) })
}

// tagged is how many images more are tagged than the last training saw, and whether they
// are as many as the policy asks for, in all and of each tag.
func (p *plan) tagged(last *customvision.Iteration) (n int, enough bool) {
	w := p.o.Worth
	if w.Now == nil || last != nil && w.Then.Iteration != last.ID && !w.Then.At.After(p.ended(*last)) {
		return 0, false // counted before that training
	}
	n = w.Now.Images - w.Then.Images
	enough = n > 0 && n >= p.Retrain.OnImages
	if p.Retrain.OnImagesPerTag > 0 {
		enough = enough && len(w.Now.Tags) > 0
		for tag, images := range w.Now.Tags {
			enough = enough && images-w.Then.Tags[tag] >= p.Retrain.OnImagesPerTag
		}
	}
	return n, enough
}

// lastOf is the last training that the list has, one that failed too; nil where there is none.
func lastOf(o Observed) *customvision.Iteration {
	p := &plan{o: o}
	var last *customvision.Iteration
	for i, it := range o.Iterations {
		if it.Status == customvision.StatusNew {
			continue
		}
		if last == nil || p.order(it, *last) > 0 {
			last = &o.Iterations[i]
		}
	}
	return last
}

// order compares when two iterations were trained. Created is in that order, and no rename
// changes it; all that was imported has the same.
func (p *plan) order(a, b customvision.Iteration) int {
	created := 0
	if !a.Created.IsZero() && !b.Created.IsZero() {
		created = a.Created.Compare(b.Created)
	}
	return cmp.Or(created, p.ended(a).Compare(p.ended(b)), cmp.Compare(a.ID, b.ID))
}

// lastAt is when the last training ended: one that was deleted since may have been later
// than what the list has.
func (p *plan) lastAt(listed customvision.Iteration) time.Time {
	at := p.ended(listed)
	for _, t := range p.o.Project.Trainings {
		if t.Result != "" && t.Asked.After(at) {
			at = t.Asked
		}
	}
	if t := p.o.Project.Trained; t != nil && t.At.After(at) {
		at = t.At
	}
	return at
}

// begun is when a training began: as it was asked for by the app, else by how long the
// service says that it took, which may be later than it was.
func (p *plan) begun(it customvision.Iteration) time.Time {
	for _, t := range p.o.Project.Trainings {
		if t.Result == it.ID {
			return t.Asked
		}
	}
	return p.ended(it).Add(-time.Duration(it.TrainingTimeInMinutes) * time.Minute)
}

// expected is how many minutes a training counts as before it is known how long it takes.
// The hours that are reserved for an advanced one bound what it costs. A regular one has
// no documented bound: it counts as budgetHours, or an hour, and at least as the longest
// that the project has.
func (p *plan) expected(o customvision.TrainOptions) int {
	reserved := 60 * o.ReservedBudgetInHours
	if o.Type == customvision.TypeAdvanced {
		return reserved
	}
	minutes := max(regularMinutes(p.Retrain), reserved)
	for _, it := range p.o.Iterations {
		if it.TrainingType != customvision.TypeAdvanced {
			minutes = max(minutes, it.TrainingTimeInMinutes)
		}
	}
	return minutes
}

// regularMinutes is what a regular training counts as at least, while it isn't known how
// long it took.
func regularMinutes(r *policy.Retrain) int {
	if r == nil { // a person asks
		return 60
	}
	return 60 * max(r.BudgetHours, 1)
}

// spentOn is what an iteration's training counts as: the service's own minutes, once it is
// completed, but, unless it is a regular one, never less than what was reserved, which may
// be what is billed.
func spentOn(it customvision.Iteration, r *policy.Retrain) int {
	reserved := 0
	if it.TrainingType != customvision.TypeRegular {
		reserved = 60 * it.ReservedBudgetInHours
	}
	minutes := max(reserved, it.TrainingTimeInMinutes)
	if reserved > 0 || it.Status == customvision.StatusCompleted && minutes > 0 {
		return minutes
	}
	return max(regularMinutes(r), minutes)
}

// spent is what the trainings of the last 30 days cost or may cost: those that were asked
// for, also where nobody knows what came of that, and those of the list that others began.
// What is deleted stays. What has no time counts from when it was first seen.
func (p *plan) spent() []state.Spent {
	within := func(at time.Time) bool { return p.o.Now.Sub(at) < month }
	list := slices.DeleteFunc(slices.Clone(p.o.Project.Spent), func(s state.Spent) bool { return !within(s.At) })
	for _, it := range p.o.Iterations {
		at := p.ended(it)
		if it.Status == customvision.StatusTraining {
			at = p.o.Now
		}
		if it.Status == customvision.StatusNew || !at.IsZero() && !within(at) {
			continue
		}
		i := slices.IndexFunc(list, func(s state.Spent) bool { return s.Iteration == it.ID })
		if i < 0 {
			i = slices.IndexFunc(list, func(s state.Spent) bool { return s.Iteration == "" && s.Token != "" && p.made(s.Token) == it.ID })
		}
		if i < 0 {
			list, i = append(list, state.Spent{At: cmp.Or(at, p.o.Now)}), len(list)
		}
		list[i].Iteration, list[i].Minutes = it.ID, spentOn(it, p.Retrain)
		if at.After(list[i].At) {
			list[i].At = at
		}
	}
	return list
}

// made is the iteration that came of an announced training; empty where that isn't known.
func (p *plan) made(token string) string {
	for _, t := range p.o.Project.Trainings {
		if t.Token == token {
			return t.Result
		}
	}
	return ""
}

// limit says which of the policy's limits keeps a training of so many minutes from being
// asked for, and until when at least; it is empty where none does.
func (p *plan) limit(minutes int) (why string, until time.Time) {
	if asked := p.asked(); len(asked) >= p.Retrain.PerMonth {
		return fmt.Sprintf("%d trainings of the last 30 days count, and perMonth allows %d", len(asked), p.Retrain.PerMonth), p.freeAgain(asked, p.Retrain.PerMonth-1)
	}
	return p.overBudget(minutes)
}

// overBudget says whether a training of so many minutes could bring the hours of a month
// beyond the policy's ceiling, which counts for whoever asks, and until when at least.
func (p *plan) overBudget(minutes int) (why string, until time.Time) {
	if p.Retrain == nil {
		return "", time.Time{}
	}
	budget := 60 * p.Retrain.MonthlyBudgetHours
	spent := p.spent()
	sum := 0
	for _, s := range spent {
		sum += s.Minutes
	}
	if budget == 0 || sum+minutes <= budget {
		return "", time.Time{}
	}
	return fmt.Sprintf("it counts as %s, and %s of the %s of monthlyBudgetHours are spent", Hours(minutes), Hours(sum), Hours(budget)), p.freeAgain(spent, budget-minutes)
}

// freeAgain is when what is older than 30 days no longer counts, so that no more than this
// is left; in 30 days where that never is so.
func (p *plan) freeAgain(list []state.Spent, left int) time.Time {
	sum := 0
	for _, s := range list {
		sum += s.Minutes
	}
	slices.SortFunc(list, func(a, b state.Spent) int { return a.At.Compare(b.At) })
	for _, s := range list {
		if sum -= s.Minutes; sum <= left {
			return s.At.Add(month)
		}
	}
	return p.o.Now.Add(month)
}

// asked are our trainings of the last 30 days, but not those that came to nothing, each
// counted as one. One from before the app knew the project may be ours too: what was
// remembered of it may have been lost.
func (p *plan) asked() (list []state.Spent) {
	known, since := map[string]bool{}, p.o.Now.Add(-month)
	for _, t := range p.o.Project.Trainings {
		known[t.Result] = true
		if t.Cause.Kind != state.Person && t.Nothing == "" && !p.abandoned(t) && t.Asked.After(since) {
			list = append(list, state.Spent{At: t.Asked, Minutes: 1})
		}
	}
	for _, it := range p.o.Iterations {
		if at := p.begun(it); it.Status != customvision.StatusNew && !known[it.ID] && at.After(since) && at.Before(p.o.Project.Seen) {
			list = append(list, state.Spent{At: at, Minutes: 1})
		}
	}
	return list
}

// Hours are minutes of training for a person, such as 1 h 30 min.
func Hours(minutes int) string {
	hours, rest := fmt.Sprintf("%d h", minutes/60), fmt.Sprintf("%d min", minutes%60)
	switch {
	case minutes%60 == 0:
		return hours
	case minutes < 60:
		return rest
	}
	return hours + " " + rest
}
