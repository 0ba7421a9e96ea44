package reconcile

import (
	"slices"
	"time"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
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
	// Blobs of the model container that the state doesn't know in this version; a
	// sweep alone looks for them.
	Blobs []modelBlob
	// Failed holds what was tried in this run in vain: it isn't planned again.
	Failed map[Action]bool
}

// Look is what was seen of one iteration.
type Look struct {
	Exports []customvision.Export
	Backups []archive.Backup
}

// holds tells that a blob of the model container, in this version, is archived. Of
// a damaged copy the blob itself may be good.
func (l *Look) holds(b modelBlob) bool {
	return slices.ContainsFunc(l.Backups, func(c archive.Backup) bool {
		return c.Origin.Kind == archive.FromContainer && c.Origin.Name == b.name && c.Origin.ETag == b.etag && c.Verdict != "" && c.Verdict != archive.Lost && c.Verdict != archive.Damaged
	})
}

// Action is one step of a plan.
type Action struct {
	Kind      ActionKind
	Iteration string // id
	Export    string // "Platform" or "Platform.Flavor"; "" where the iteration is meant
	Blob      string // of the model container, where one is meant
	Why       string // for a person
}

// ActionKind names what is done.
type ActionKind string

const (
	Describe ActionKind = "describe" // gather what proofs tell of the iteration
	Backup   ActionKind = "backup"   // archive and prove a finished export
	Collect  ActionKind = "collect"  // archive a blob that no listed export accounts for
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
	actions = append(actions, planBlobs(o, actions)...)
	return slices.DeleteFunc(actions, func(a Action) bool { return o.Failed[a] })
}

// planBlobs plans for blobs of the model container that nothing else accounts
// for: of iterations that the service no longer has, or that no export in its
// list is. What is still to be backed up may turn out to be one of them.
func planBlobs(o Observed, planned []Action) []Action {
	var actions []Action
	for _, b := range o.Blobs {
		look := o.Looks[b.iteration]
		awaited := slices.ContainsFunc(planned, func(a Action) bool { return a.Kind == Backup && a.Iteration == b.iteration })
		if awaited || look != nil && look.holds(b) {
			continue
		}
		actions = append(actions, Action{Kind: Collect, Iteration: b.iteration, Blob: b.name, Why: "it lies in the model container, and no export in the list is it"})
	}
	return actions
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
// position nor name nor created tell. Of two trained at once it is always the same.
func newest(all []customvision.Iteration) string {
	var id string
	var at time.Time
	for _, it := range all {
		if it.Status != customvision.StatusCompleted || it.TrainedAt == nil {
			continue
		}
		if it.TrainedAt.After(at) || it.TrainedAt.Equal(at) && it.ID > id {
			id, at = it.ID, *it.TrainedAt
		}
	}
	return id
}

// settled tells that the iteration needs no look: everything was done under this
// rule, and not long ago. One that is no longer wanted asks for nothing more.
func settled(r Rules, o Observed, it customvision.Iteration) bool {
	record := o.Project.Iterations[it.ID]
	if record == nil || record.Settled == nil {
		return false
	}
	s := record.Settled
	return s.Rule == r.hash() && (s.Wanted || !isWanted(r.Rule, it, o.Iterations)) && o.Now.Sub(s.At) < r.SettledFor
}

// hash is the fingerprint of all that a settled iteration was settled under.
func (r Rules) hash() string { return string(r.Mode) + "-" + r.Hash() }

// keepsOpen tells an action after which there is more to come. In observe mode
// nothing comes of what isn't done.
func keepsOpen(r Rules, a Action) bool {
	return a.Kind == Backup || a.Kind == Wait || a.Kind == Export && r.Mode == policy.Act
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
