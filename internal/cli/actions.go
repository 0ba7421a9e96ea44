package cli

import (
	"visionkeeper/internal/overview"
	"visionkeeper/internal/reconcile"
)

// rows are the actions' lines in a table. Actions that only change the program's
// own state are shown with --verbose alone.
func (p *program) rows(project string, list []overview.Action, words map[reconcile.ActionKind]string) [][]string {
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
		if a.ExpectedCost != nil {
			why += "; " + a.ExpectedCost.String()
		}
		if a.Next != nil {
			why += "; next try " + overview.Minute(*a.Next)
		}
		rows = append(rows, []string{words[a.Kind], orDash(project), orDash(iteration), orDash(a.Exported()), why})
	}
	return rows
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

var wasDone = map[reconcile.ActionKind]string{
	reconcile.Describe: "described", reconcile.Backup: "archived", reconcile.Collect: "archived", reconcile.Export: "asked for", reconcile.Delete: "deleted", reconcile.Bury: "noted", reconcile.Retrain: "retraining", reconcile.Train: "training",
	reconcile.Measure: "measured", reconcile.Publish: "published", reconcile.Promote: "published",
	reconcile.Adopt: "found again", reconcile.Postpone: "put off", reconcile.Settle: "settled", reconcile.Wait: "waiting",
}
