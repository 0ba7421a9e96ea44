package cli

import (
	"slices"
	"time"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/reconcile"
	"visionkeeper/internal/state"
)

// action is one step that was or would be taken.
type action struct {
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
}

// actions are those of a report, in words that stay.
func actions(list []reconcile.Action, report reconcile.Report) []action {
	out := []action{}
	name := named(report.Iterations)
	for _, a := range list {
		step := action{Kind: a.Kind, Iteration: a.Iteration, IterationName: name(a.Iteration), Export: a.Export, Blob: a.Blob, Why: a.Why, Code: a.Code}
		if i := slices.IndexFunc(report.Conditions, func(c state.Condition) bool { return c.Scope == a.Scope }); i >= 0 && a.Kind == reconcile.Postpone && !report.Conditions[i].Next.IsZero() {
			step.Next = &report.Conditions[i].Next
		}
		out = append(out, step)
	}
	return out
}

// rows are the actions' lines in a table. Actions that only change the program's
// own state are shown with --verbose alone.
func (p *program) rows(project string, list []action, words map[reconcile.ActionKind]string) [][]string {
	var rows [][]string
	for _, a := range list {
		if own := a.Kind == reconcile.Describe || a.Kind == reconcile.Settle; own && !p.verbose {
			continue
		}
		iteration := a.IterationName
		if iteration == "" {
			iteration = a.Iteration
		}
		why := a.Why
		if a.Next != nil {
			why += "; next try " + minute(*a.Next)
		}
		rows = append(rows, []string{words[a.Kind], orDash(project), iteration, orDash(a.exported()), why})
	}
	return rows
}

// exported is the export that is meant, or the platform in the blob's name.
func (a action) exported() string {
	if a.Export == "" && a.Blob != "" {
		_, _, platform, _ := customvision.ParseBlobName(a.Blob) // only such names are listed
		return platform
	}
	return a.Export
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

var (
	wasDone = map[reconcile.ActionKind]string{
		reconcile.Describe: "described", reconcile.Backup: "archived", reconcile.Collect: "archived", reconcile.Export: "asked for", reconcile.Retrain: "retraining", reconcile.Train: "training",
		reconcile.Adopt: "found again", reconcile.Postpone: "put off", reconcile.Settle: "settled", reconcile.Wait: "waiting",
	}
	wouldBeDone = map[reconcile.ActionKind]string{
		reconcile.Describe: "describe", reconcile.Backup: "archive", reconcile.Collect: "archive", reconcile.Export: "ask for", reconcile.Retrain: "retrain", reconcile.Train: "train",
		reconcile.Adopt: "find again", reconcile.Postpone: "put off", reconcile.Settle: "settle", reconcile.Wait: "wait",
	}
)
