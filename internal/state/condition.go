package state

import (
	"slices"
	"time"
)

// Code names the kind of a condition. The list is open: a newer version may write
// others.
type Code string

// What can't be done, or isn't known to be done.
const (
	// Unavailable: a request failed, or no answer came. It may pass by itself.
	Unavailable Code = "unavailable"
	// Unseen: the service didn't show it. Nothing rests on its not being there.
	Unseen Code = "unseen"
	// Elsewhere: the list of projects lacks it, and the service refuses to show it.
	Elsewhere Code = "elsewhere"
	// NotExportable: the iteration's domain isn't a compact one.
	NotExportable Code = "not-exportable"
	// NotOffered: the iteration's domain doesn't offer the platform.
	NotOffered Code = "not-offered"
	// ExportRefused and TrainingRefused: the service's answer was no.
	ExportRefused   Code = "export-refused"
	TrainingRefused Code = "training-refused"
	// TrainingNotNeeded: the service says that nothing changed since the last training.
	TrainingNotNeeded Code = "training-not-needed"
	// BudgetSpent: a training may cost more than is left of what the policy allows.
	BudgetSpent Code = "budget-spent"
	// ChainBroken: the project that a training is to follow isn't there, or that would be
	// a circle.
	ChainBroken Code = "chain-broken"
	// Full: the project has as many iterations as it may have. It isn't trained, or none of
	// them can be deleted.
	Full Code = "full"
	// NotSafe: an iteration isn't deleted, because not all of it is safe in the archive.
	NotSafe Code = "not-safe"
	// DeletionRefused: the service doesn't delete an iteration.
	DeletionRefused Code = "deletion-refused"
	// FactRefused: the service doesn't say what proofs record of the iteration.
	FactRefused Code = "fact-refused"
	// ExportFailed: the service lists the export as failed.
	ExportFailed Code = "export-failed"
	// ExportStuck: the service has been making the export for hours, and comes to no end.
	ExportStuck Code = "export-stuck"
	// Exporting: the export was refused or failed before, and is being made again.
	Exporting Code = "exporting"
	// NoLink: the export is done, and nothing leads to its bytes.
	NoLink Code = "no-link"
	// LinkRefused: the export's link leads where the app doesn't go.
	LinkRefused Code = "link-refused"
	// Unreadable: the blob is in the model container, and the storage service refuses to
	// give it.
	Unreadable Code = "unreadable"
	// Resting: the bytes lie in the Archive tier, and there is no other way to them.
	Resting Code = "resting"
	// TooLarge: the package is larger than this version takes.
	TooLarge Code = "too-large"
	// TooCostly: judging the package takes longer than its share of time.
	TooCostly Code = "too-costly"
	// Unfinished: archiving the package was begun, and nobody knows how that ended.
	Unfinished Code = "unfinished"
	// Copied: the bytes are in the archive, and their proof waits for what it records.
	Copied Code = "copied"
	// Ambiguous: it can't be said which export of its platform the bytes are.
	Ambiguous Code = "ambiguous"
	// BadName: an id or a name that nothing can be stored under.
	BadName Code = "bad-name"
	// Overwritten: another export took its place, and no other way gives its bytes.
	Overwritten Code = "overwritten"
	// HoldOutUnusable: nothing can be measured by the hold-out set.
	HoldOutUnusable Code = "hold-out-unusable"
	// GateFailed: the newest iteration isn't good enough to be published.
	GateFailed Code = "gate-failed"
	// LeftToPerson: somebody else decided which iteration is published, or may have.
	LeftToPerson Code = "left-to-person"
	// PublishRefused: the service doesn't publish it.
	PublishRefused Code = "publish-refused"
	// TwinRefused: the service refuses what a compact twin needs.
	TwinRefused Code = "twin-refused"
	// Damaged: the source itself is damaged, by its own bytes.
	Damaged Code = "damaged"
)

// Scope is what a condition is about: the project where all are empty, else an
// iteration, a fact about it, an export of it, a blob of the model container, or a
// destination of events.
type Scope struct {
	Iteration string `json:"iteration,omitempty"` // id
	Fact      string `json:"fact,omitempty"`      // that proofs record, domain, tags or performance; its list of exports; its figures or its promotion; or one about the project
	Export    string `json:"export,omitempty"`    // "Platform" or "Platform.Flavor"
	Blob      string `json:"blob,omitempty"`      // name
	ETag      string `json:"etag,omitempty"`      // of the blob: a new version is another thing

	Destination string `json:"destination,omitempty"` // of events
}

// Facts besides those that proofs record.
const (
	FactExports   = "exports"   // which exports an iteration has
	FactFigures   = "figures"   // how well it predicts, which the gate of its promotion goes by
	FactPromotion = "promotion" // that it is published by the policy
)

// The facts about a project as a whole.
const (
	FactTraining = "training" // whether it is to be trained
	FactImages   = "images"   // how many images are tagged
	FactAfter    = "after"    // what became of the project that its trainings follow
	FactTwin     = "twin"     // that a compact twin of it is made
	FactHoldOut  = "holdOut"  // which pictures its iterations are measured by
	FactRoom     = "room"     // that it, or an iteration that is in the way, leaves no room for another one
)

// Condition is something that can't be done now, and when it is tried again.
// There is one for each scope at most. Times are by the storage service's clock.
type Condition struct {
	Scope
	Code Code   `json:"code"`
	Why  string `json:"why"` // for a person
	// First is since when it can't be done, for whatever reason; Last is when the
	// reason was last seen.
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
	// On is what a final condition was met on: while that is the same, no later look can
	// change the condition. It is zero where a later look can.
	On Sight `json:"on,omitzero"`
	// Attempts counts the tries, each before it was made; Next is when the next one
	// is due. It is zero for a final condition.
	Attempts int       `json:"attempts"`
	Next     time.Time `json:"next,omitzero"`
	// Under is the fingerprint of policy, settings and version that were in force:
	// under another one it is tried again at once.
	Under string `json:"under"`
	// Sight is a fingerprint of the project as it was when a training was refused: another
	// one may be taken.
	Sight string `json:"sight,omitempty"`
	// At is how many iterations the project had when a training was refused for their number.
	At int `json:"at,omitempty"`
	// Unproven reports whether it stands for a finished export without a backup.
	Unproven bool `json:"unproven,omitempty"`
}

// Sight is a fingerprint of what bytes may come from.
type Sight struct {
	Blobs string `json:"blobs,omitempty"` // names and versions in the model container
	Entry string `json:"entry,omitempty"` // in the service's list of exports
}

// Final reports whether no later look can change the condition, unless it is a look at
// something else.
func (c Condition) Final() bool { return c.On != Sight{} }

// Condition finds the condition of a scope; nil where there is none.
func (p *Project) Condition(s Scope) *Condition {
	if i := p.find(s); i >= 0 {
		return p.Conditions[i]
	}
	return nil
}

// Clear removes the condition of a scope.
func (p *Project) Clear(s Scope) {
	i, last := p.find(s), len(p.Conditions)-1
	switch {
	case i < 0:
	case p.index == nil:
		p.Conditions = slices.Delete(p.Conditions, i, i+1)
	default: // the last one takes its place
		moved := p.Conditions[last]
		p.Conditions[i], p.Conditions[last] = moved, nil
		p.Conditions = p.Conditions[:last]
		p.index.at[moved.Scope] = i
		delete(p.index.at, s)
		p.index.of = p.Conditions
	}
}

// conditionIndex finds conditions among very many: a project may have one for each of
// a hundred thousand blobs.
type conditionIndex struct {
	of []*Condition // what it was made of: another slice needs another index
	at map[Scope]int
}

// indexed is the number of conditions from which on there is an index.
const indexed = 64

// find is the place of a scope's condition in the list; -1 where there is none.
func (p *Project) find(s Scope) int {
	if len(p.Conditions) < indexed {
		p.index = nil
		return slices.IndexFunc(p.Conditions, func(c *Condition) bool { return c.Scope == s })
	}
	if p.index == nil || len(p.index.of) != len(p.Conditions) || &p.index.of[0] != &p.Conditions[0] {
		p.index = &conditionIndex{of: p.Conditions, at: make(map[Scope]int, len(p.Conditions))}
		for i, c := range p.Conditions {
			p.index.at[c.Scope] = i
		}
	}
	if i, ok := p.index.at[s]; ok {
		return i
	}
	return -1
}

// maxWhy bounds a condition's text, in bytes.
const maxWhy = 1000

// Note records a condition in the place of an earlier one of the same scope, whose
// First stays.
func (p *Project) Note(c Condition) {
	c.Why = boundedText(c.Why, maxWhy)
	known := p.Condition(c.Scope)
	if known == nil {
		p.Conditions = append(p.Conditions, &c)
		if p.index != nil {
			p.index.at[c.Scope], p.index.of = len(p.Conditions)-1, p.Conditions
		}
		return
	}
	c.First = known.First
	*known = c
}

// Retry makes every condition that the scope covers due now: all of the project
// where the scope is empty, all of an iteration where it names one alone. It
// returns how many there were.
func (p *Project) Retry(s Scope) int {
	n := 0
	for _, c := range p.Conditions {
		covered := (s.Iteration == "" || s.Iteration == c.Iteration) && (s.Export == "" || s.Export == c.Export) && (s.Blob == "" || s.Blob == c.Blob)
		if covered && !c.Final() {
			c.Next, c.Attempts = time.Time{}, 0
			n++
		}
	}
	return n
}
