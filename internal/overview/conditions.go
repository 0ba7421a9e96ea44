package overview

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/reconcile"
	"visionkeeper/internal/state"
)

// Condition is something that can't be done now.
type Condition struct {
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

// Conditions are those of a project, the oldest first. Name finds an iteration's name;
// it is empty where that isn't known.
func Conditions(list []state.Condition, name func(iteration string) string) []Condition {
	out := []Condition{}
	for _, c := range list {
		one := Condition{
			Iteration: c.Iteration, IterationName: name(c.Iteration), Fact: c.Fact, Export: c.Export, Blob: c.Blob, Destination: c.Destination,
			Code: c.Code, Why: c.Why, Since: c.First, Attempts: c.Attempts, Final: c.Final(), Unproven: c.Unproven,
		}
		if !c.Next.IsZero() {
			one.Next = &c.Next
		}
		out = append(out, one)
	}
	slices.SortStableFunc(out, func(a, b Condition) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Place(), b.Place()))
	})
	return out
}

// Named finds names in the service's list.
func Named(iterations []customvision.Iteration) func(string) string {
	return func(id string) string {
		if i := slices.IndexFunc(iterations, func(it customvision.Iteration) bool { return it.ID == id }); i >= 0 {
			return iterations[i].Name
		}
		return ""
	}
}

// Place is what a condition is about, within its project.
func (c Condition) Place() string {
	return strings.Join(slices.DeleteFunc([]string{cmp.Or(c.IterationName, c.Iteration), c.Export, c.Blob, c.Destination}, func(s string) bool { return s == "" }), ", ")
}

// When says since when, and when the next try is.
func (c Condition) When(now time.Time) string {
	since := "since " + Minute(c.Since)
	switch {
	case c.Final:
		return since + "; no later try can change it"
	case c.Destination != "" && c.Next == nil: // nobody tries it by itself
		return since
	case c.Next == nil || !now.Before(*c.Next):
		return since + "; it is tried with the next look"
	}
	return since + "; next try " + Minute(*c.Next)
}

// Minute is a time for a person.
func Minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") + "Z" }

// Action is one step that was or would be taken.
type Action struct {
	Kind          reconcile.ActionKind `json:"kind"`
	Iteration     string               `json:"iteration"`
	IterationName string               `json:"iterationName"`
	Export        string               `json:"export"`
	Blob          string               `json:"blob"` // of the model container, where one is meant
	Why           string               `json:"why"`
	// Code and Next are those of what is put off: why in a word, and when it is tried
	// again; null where that isn't known, or never.
	Code state.Code `json:"code"`
	Next *time.Time `json:"next"`
	// ExpectedCost is that of a training or of a measure by a hold-out set; null of all else.
	ExpectedCost *Cost `json:"expectedCost"`
}

// Cost is what a training counts as before it is known how long it takes, or how many quick
// tests a measure takes.
type Cost struct {
	Hours float64 `json:"hours"`
	// AtMost reports whether it can't take longer: Custom Vision names no bound of a regular
	// training.
	AtMost     bool `json:"atMost"`
	QuickTests int  `json:"quickTests,omitempty"`
}

// String says it for a person.
func (c Cost) String() string {
	if c.QuickTests > 0 {
		return fmt.Sprintf("%d quick tests", c.QuickTests)
	}
	hours := reconcile.Hours(int(math.Round(c.Hours * 60)))
	if c.AtMost {
		return "it may take " + hours + " of training at most"
	}
	return "it counts as " + hours + " of training"
}

// Actions are those of a report, in words that stay.
func Actions(list []reconcile.Action, report reconcile.Report) []Action {
	out := []Action{}
	name := Named(slices.Concat(report.Iterations, report.Removed))
	for _, a := range list {
		step := Action{Kind: a.Kind, Iteration: a.Iteration, IterationName: name(a.Iteration), Export: a.Export, Blob: a.Blob, Why: a.Why, Code: a.Code}
		if i := slices.IndexFunc(report.Conditions, func(c state.Condition) bool { return c.Scope == a.Scope }); i >= 0 && a.Kind == reconcile.Postpone && !report.Conditions[i].Next.IsZero() {
			step.Next = &report.Conditions[i].Next
		}
		if t := a.Training; t != nil {
			step.ExpectedCost = &Cost{Hours: float64(t.Minutes) / 60, AtMost: t.Options.Type == customvision.TypeAdvanced}
		}
		if a.QuickTests > 0 {
			step.ExpectedCost = &Cost{QuickTests: a.QuickTests, AtMost: true}
		}
		out = append(out, step)
	}
	return out
}

// Exported is the export that is meant, or the platform in the blob's name.
func (a Action) Exported() string {
	if a.Export == "" && a.Blob != "" {
		_, _, platform, _ := customvision.ParseBlobName(a.Blob) // only such names are listed
		return platform
	}
	return a.Export
}

// Would says what is done by an action that is only planned.
var Would = map[reconcile.ActionKind]string{
	reconcile.Describe: "describe", reconcile.Backup: "archive", reconcile.Collect: "archive", reconcile.Export: "ask for", reconcile.Retrain: "retrain", reconcile.Train: "train",
	reconcile.Measure: "measure", reconcile.Publish: "publish", reconcile.Promote: "publish",
	reconcile.Delete: "delete", reconcile.Bury: "note that it is gone",
	reconcile.Adopt: "find again", reconcile.Postpone: "put off", reconcile.Settle: "settle", reconcile.Wait: "wait",
}

// Plan is what a run over one project would do now, and why.
type Plan struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Outside bool     `json:"outsidePolicy"`
	Planned []Action `json:"planned"`
	Waiting []Action `json:"waiting"`
	// Conditions are what can't be done now, by the last look that tried it.
	Conditions []Condition `json:"conditions"`
	Unproven   int         `json:"unproven"` // finished exports without a backup, as far as they were looked at
	// Twin is the compact twin that a person asked for last, which sweeps go on with; null
	// where nobody did.
	Twin *Twin `json:"twin,omitempty"`
}

// NewPlan is the plan that a preview of a project shows.
func NewPlan(id, name string, planned []reconcile.Action, report reconcile.Report) Plan {
	return Plan{
		ID: id, Name: name, Outside: report.Outside,
		Planned: Actions(planned, report), Waiting: Actions(report.Waiting, report),
		Conditions: Conditions(report.Conditions, Named(report.Iterations)), Unproven: report.Unproven, Twin: twinOf(report.Twin),
	}
}
