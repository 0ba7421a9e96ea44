package cli

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

// condition is something that can't be done now.
type condition struct {
	Iteration     string     `json:"iteration"` // empty where it is about the whole project, as are the name, the fact, the export, the blob and the destination
	IterationName string     `json:"iterationName"`
	Fact          string     `json:"fact"` // what the service doesn't say of the iteration; empty where it is something else
	Export        string     `json:"export"`
	Blob          string     `json:"blob"`        // of the model container
	Destination   string     `json:"destination"` // of events that it doesn't take
	Code          state.Code `json:"code"`
	Why           string     `json:"why"`
	Since         time.Time  `json:"since"`
	Attempts      int        `json:"attempts"`
	// Next is when it is tried again; null where that is with the next look, or never:
	// Final reports whether no later look can change it.
	Next     *time.Time `json:"next"`
	Final    bool       `json:"final"`
	Unproven bool       `json:"unproven"` // it stands for a finished export without a backup
}

// conditions are those of a project, the oldest first. Name finds an iteration's name;
// it is empty where that isn't known.
func conditions(list []state.Condition, name func(iteration string) string) []condition {
	out := []condition{}
	for _, c := range list {
		one := condition{
			Iteration: c.Iteration, IterationName: name(c.Iteration), Fact: c.Fact, Export: c.Export, Blob: c.Blob, Destination: c.Destination,
			Code: c.Code, Why: c.Why, Since: c.First, Attempts: c.Attempts, Final: c.Final(), Unproven: c.Unproven,
		}
		if !c.Next.IsZero() {
			one.Next = &c.Next
		}
		out = append(out, one)
	}
	slices.SortStableFunc(out, func(a, b condition) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.place(), b.place()))
	})
	return out
}

// named finds names in the service's list.
func named(iterations []customvision.Iteration) func(string) string {
	return func(id string) string {
		if i := slices.IndexFunc(iterations, func(it customvision.Iteration) bool { return it.ID == id }); i >= 0 {
			return iterations[i].Name
		}
		return ""
	}
}

// place is what a condition is about, within its project.
func (c condition) place() string {
	return strings.Join(slices.DeleteFunc([]string{cmp.Or(c.IterationName, c.Iteration), c.Export, c.Blob, c.Destination}, func(s string) bool { return s == "" }), ", ")
}

// when says since when, and when the next try is.
func (c condition) when(now time.Time) string {
	since := "since " + minute(c.Since)
	switch {
	case c.Final:
		return since + "; no later try can change it"
	case c.Destination != "" && c.Next == nil: // nobody tries it by itself
		return since
	case c.Next == nil || !now.Before(*c.Next):
		return since + "; it is tried with the next look"
	}
	return since + "; next try " + minute(*c.Next)
}

func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") + "Z" }

// mostConditions is how many conditions of a project are shown to a person.
const mostConditions = 20

// sayConditions prints the conditions of a project.
func (o *output) sayConditions(project string, list []condition) {
	for _, text := range conditionTexts(project, list) {
		o.say("%s", o.yellow(text))
	}
}

// conditionTexts say the conditions of a project, a sentence each.
func conditionTexts(project string, list []condition) []string {
	var texts []string
	for _, c := range list[:min(len(list), mostConditions)] {
		where := strings.Trim(project+", "+c.place(), ", ")
		if where != "" {
			where += ": "
		}
		texts = append(texts, "Blocked: "+where+strings.TrimRight(c.Why, ".")+"; "+c.when(time.Now())+".")
	}
	if more := len(list) - mostConditions; more > 0 {
		texts = append(texts, "Blocked: "+project+": "+count(more, "thing")+" more; --json lists all.")
	}
	return texts
}
