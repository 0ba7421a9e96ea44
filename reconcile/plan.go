package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"visionkeeper/archive"
	"visionkeeper/customvision"
	"visionkeeper/policy"
	"visionkeeper/state"
)

// Observed is all that Plan decides by: one look at a project.
type Observed struct {
	// Now is the storage service's time: intents are dated by it.
	Now     time.Time
	Project state.Project
	// Iterations of the project as the API lists them.
	Iterations []customvision.Iteration
	// Looks at single iterations, by id. Of the others nothing is planned.
	Looks map[string]*Look
	// Failed holds what was tried in this run in vain: it isn't planned again.
	Failed map[Action]bool
}

// Look is what was seen of one iteration.
type Look struct {
	Exports []customvision.Export
	Backups []archive.Backup
}

// Action is one step of a plan.
type Action struct {
	Kind      ActionKind
	Iteration string // id
	Export    string // "Platform" or "Platform.Flavor"; "" where the iteration is meant
	Why       string // for a person
}

// ActionKind names what is done.
type ActionKind string

const (
	Describe ActionKind = "describe" // gather what proofs tell of the iteration
	Backup   ActionKind = "backup"   // archive and prove a finished export
	Export   ActionKind = "export"   // ask for an export
	Retrain  ActionKind = "retrain"  // train again after a failure
	Adopt    ActionKind = "adopt"    // a training asked for is found though its answer was lost
	Block    ActionKind = "block"    // remember that something can't be done, and why
	Wait     ActionKind = "wait"     // nothing to do until the service has finished
	Settle   ActionKind = "settle"   // remember that everything is done
)

// Rules are the policy for one project with the times that plans depend on.
type Rules struct {
	policy.Rule
	Mode       policy.Mode
	StuckAfter time.Duration // an export that takes longer no longer holds its platform
	Grace      time.Duration // after a dead sender's deadline, until another may send
	SettledFor time.Duration // until a settled iteration is looked at again
}

// maxAttempts bounds how often one export is asked for, and how many damaged
// copies of one export are made.
const maxAttempts = 3

// Plan says what is to be done, in order. It has no I/O and changes nothing.
// What an action will show is not guessed: after acting, plan again.
func Plan(r Rules, o Observed) []Action {
	var actions []Action
	for _, it := range o.Iterations {
		switch it.Status {
		case customvision.StatusTraining:
			actions = append(actions, Action{Kind: Wait, Iteration: it.ID, Why: "it is training"})
		case customvision.StatusFailed:
			actions = append(actions, planRetrain(r, o, it)...)
		case customvision.StatusCompleted:
			if look := o.Looks[it.ID]; look != nil {
				actions = append(actions, planIteration(r, o, it, look)...)
			}
		}
	}
	actions = append(actions, planOpenTrainings(r, o)...)
	return slices.DeleteFunc(actions, func(a Action) bool { return o.Failed[a] })
}

// planIteration plans for a completed iteration: first what secures what there
// is, then the exports that are still wanted.
func planIteration(r Rules, o Observed, it customvision.Iteration, look *Look) []Action {
	record := o.Project.Iterations[it.ID]
	if record == nil {
		record = &state.Iteration{}
	}
	var actions []Action
	plan := func(kind ActionKind, export, why string) {
		actions = append(actions, Action{Kind: kind, Iteration: it.ID, Export: export, Why: why})
	}
	if record.Facts == nil {
		plan(Describe, "", "nothing is known of it yet")
	}

	// busy are the platforms with an export underway or not yet archived: two
	// flavors of a platform share one blob name in the model container.
	busy := map[string]bool{}
	listed := map[string]string{}
	for _, e := range look.Exports {
		key, err := archive.NewKey(o.Project.ID, it.ID, e.Platform, e.Flavor)
		if err != nil {
			continue // a name that nothing can be archived under; the API's list may hold anything
		}
		name := key.String()
		listed[name] = e.Status
		asked := record.Exports[name]
		switch e.Status {
		case customvision.ExportExporting:
			busy[key.Platform] = asked == nil || o.Now.Sub(asked.Asked) < r.StuckAfter
			plan(Wait, name, "it is being exported")
		case customvision.ExportDone:
			if asked != nil && asked.Blocked != "" {
				continue
			}
			switch verdicts := verdictsOf(look.Backups, key); {
			case slices.ContainsFunc(verdicts, archive.Verdict.Counts):
			case slices.Contains(verdicts, archive.Unidentified):
				plan(Block, name, "a copy is kept, but it can't be told that it is this export")
			case countOf(verdicts, archive.Damaged) >= maxAttempts:
				plan(Block, name, fmt.Sprintf("%d copies of it were damaged: the package itself is", maxAttempts))
			default:
				busy[key.Platform] = true
				plan(Backup, name, "it is exported and not yet proven in the archive")
			}
		}
	}

	wanted := isWanted(r.Rule, it, o.Iterations)
	if wanted && len(r.Exports) > 0 && !it.Exportable && record.Blocked == "" {
		plan(Block, "", "cannot be exported, because its domain is not a compact one: train it on a compact domain")
	}
	if wanted && it.Exportable {
		for _, name := range r.Exports {
			actions = append(actions, planExport(r, o, it, record, name, listed, busy)...)
		}
	}

	if !slices.ContainsFunc(actions, func(a Action) bool { return keepsOpen(r, a) }) && !settled(r, o, it) {
		plan(Settle, "", "everything asked for it is done")
	}
	return actions
}

// planExport plans for one export that the policy wants.
func planExport(r Rules, o Observed, it customvision.Iteration, record *state.Iteration, name string, listed map[string]string, busy map[string]bool) []Action {
	platform, flavor, _ := strings.Cut(name, ".")
	key, err := archive.NewKey(o.Project.ID, it.ID, platform, flavor)
	if err != nil {
		return nil // the policy's schema lets no such name through
	}
	action := Action{Iteration: it.ID, Export: key.String()}
	if listed[action.Export] != "" && listed[action.Export] != customvision.ExportFailed {
		return nil // planned for as what it is
	}
	asked := record.Exports[action.Export]
	if asked == nil {
		asked = &state.Export{}
	}
	switch {
	case asked.Refused != "" || asked.Blocked != "":
		return nil
	case it.ExportableTo != nil && !slices.ContainsFunc(it.ExportableTo, func(p string) bool { return strings.EqualFold(p, platform) }):
		action.Kind, action.Why = Block, "cannot be exported, because its domain offers only "+strings.Join(it.ExportableTo, ", ")
	case !asked.Until.IsZero() && o.Now.Before(asked.Until.Add(r.Grace)) && listed[action.Export] == "":
		action.Kind, action.Why = Wait, "it was asked for a moment ago"
		busy[key.Platform] = true
	case asked.Attempts >= maxAttempts:
		action.Kind, action.Why = Block, fmt.Sprintf("it was asked for %d times and never came", asked.Attempts)
	case busy[key.Platform]:
		action.Kind, action.Why = Wait, "another export of "+key.Platform+" has to be archived first"
	default:
		action.Kind, action.Why = Export, "the policy wants it"
		busy[key.Platform] = r.Mode == policy.Act
	}
	return []Action{action}
}

// planRetrain plans for one failed iteration.
func planRetrain(r Rules, o Observed, failed customvision.Iteration) []Action {
	if r.Retrain == nil || laterTraining(o.Iterations, failed) {
		return nil
	}
	if t := answerTo(o.Project.Trainings, failed.ID); t != nil && !given(t, r, o) {
		return nil // answered already, or an intent that planOpenTrainings looks after
	}
	switch {
	case o.Now.Sub(failed.LastModified) > time.Duration(r.Retrain.Within):
		return nil
	case chain(o.Project.Trainings, failed.ID) >= r.Retrain.AfterFailure:
		return nil
	case trainedSince(o.Project.Trainings, o.Now.Add(-month)) >= r.Retrain.PerMonth:
		return nil
	}
	return []Action{{Kind: Retrain, Iteration: failed.ID, Why: "its training failed"}}
}

// planOpenTrainings looks after intents whose answer was lost, or whose sender
// is not done yet: whatever training wasn't there before is the one asked for.
func planOpenTrainings(r Rules, o Observed) []Action {
	var actions []Action
	for _, t := range o.Project.Trainings {
		if !t.Open() {
			continue
		}
		if result := unknown(t, o.Iterations); result != "" {
			actions = append(actions, Action{Kind: Adopt, Iteration: result, Why: "it answers the failure of " + t.Cause})
		} else if !given(t, r, o) {
			actions = append(actions, Action{Kind: Wait, Iteration: t.Cause, Why: "its retraining was asked for a moment ago"})
		}
	}
	return actions
}

// given tells an intent whose sender is past its deadline without a trace.
func given(t *state.Training, r Rules, o Observed) bool {
	return t.Open() && unknown(t, o.Iterations) == "" && !o.Now.Before(t.Until.Add(r.Grace))
}

// month is what the policy's perMonth counts over.
const month = 30 * 24 * time.Hour

// laterTraining tells that something was trained after the failure. An
// iteration's created is no help: it is when the one before was trained.
func laterTraining(all []customvision.Iteration, failed customvision.Iteration) bool {
	return slices.ContainsFunc(all, func(it customvision.Iteration) bool {
		switch {
		case it.ID == failed.ID || it.Status == customvision.StatusNew:
			return false
		case it.Status == customvision.StatusTraining:
			return true
		case it.TrainedAt != nil:
			return it.TrainedAt.After(failed.LastModified)
		}
		return it.LastModified.After(failed.LastModified)
	})
}

// answerTo is the last training asked for because of the iteration.
func answerTo(trainings []*state.Training, cause string) *state.Training {
	for _, t := range slices.Backward(trainings) {
		if t.Cause == cause {
			return t
		}
	}
	return nil
}

// chain counts our trainings that led to the iteration, each the answer to the
// failure before.
func chain(trainings []*state.Training, id string) int {
	n := 0
	for _, t := range slices.Backward(trainings) {
		if t.Result == id {
			n, id = n+1, t.Cause
		}
	}
	return n
}

func trainedSince(trainings []*state.Training, since time.Time) int {
	return countFunc(trainings, func(t *state.Training) bool { return t.Refused == "" && t.Asked.After(since) })
}

// unknown is an iteration that wasn't there when the intent was written.
func unknown(t *state.Training, all []customvision.Iteration) string {
	for _, it := range all {
		if it.Status != customvision.StatusNew && !slices.Contains(t.Known, it.ID) {
			return it.ID
		}
	}
	return ""
}

// isWanted tells whether the rule asks for exports of the iteration.
func isWanted(r policy.Rule, it customvision.Iteration, all []customvision.Iteration) bool {
	return slices.ContainsFunc(r.Iterations, func(which string) bool {
		switch which {
		case policy.All:
			return true
		case policy.Published:
			return it.PublishName != ""
		}
		return it.ID == newest(all)
	})
}

// newest is the completed iteration that was trained last, by trainedAt: neither
// position nor name nor created tell.
func newest(all []customvision.Iteration) string {
	var id string
	var at time.Time
	for _, it := range all {
		if it.Status == customvision.StatusCompleted && it.TrainedAt != nil && it.TrainedAt.After(at) {
			id, at = it.ID, *it.TrainedAt
		}
	}
	return id
}

// settled tells that the iteration needs no look: everything was done under this
// rule, and not long ago.
func settled(r Rules, o Observed, it customvision.Iteration) bool {
	record := o.Project.Iterations[it.ID]
	if record == nil || record.Settled == nil {
		return false
	}
	s := record.Settled
	return s.Rule == r.hash() && s.Wanted == isWanted(r.Rule, it, o.Iterations) && o.Now.Sub(s.At) < r.SettledFor
}

// hash is the fingerprint of all that a settled iteration was settled under.
func (r Rules) hash() string { return string(r.Mode) + "-" + r.Hash() }

// keepsOpen tells an action after which there is more to come. In observe mode
// nothing comes of what isn't done.
func keepsOpen(r Rules, a Action) bool {
	return a.Kind == Backup || a.Kind == Wait || a.Kind == Export && r.Mode == policy.Act
}

func verdictsOf(backups []archive.Backup, key archive.Key) []archive.Verdict {
	var verdicts []archive.Verdict
	for _, b := range backups {
		if b.Key == key {
			verdicts = append(verdicts, b.Verdict)
		}
	}
	return verdicts
}

func countOf[T comparable](list []T, what T) int {
	return countFunc(list, func(v T) bool { return v == what })
}

func countFunc[T any](list []T, is func(T) bool) int {
	n := 0
	for _, v := range list {
		if is(v) {
			n++
		}
	}
	return n
}
