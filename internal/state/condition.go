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
	// NotExportable: the iteration's domain isn't a compact one.
	NotExportable Code = "not-exportable"
	// NotOffered: the iteration's domain doesn't offer the platform.
	NotOffered Code = "not-offered"
	// ExportRefused and TrainingRefused: the service's answer was no.
	ExportRefused   Code = "export-refused"
	TrainingRefused Code = "training-refused"
	// ExportFailed: the service lists the export as failed.
	ExportFailed Code = "export-failed"
	// NoLink: the export is done, and nothing leads to its bytes.
	NoLink Code = "no-link"
	// LinkRefused: the export's link leads where the app doesn't go.
	LinkRefused Code = "link-refused"
	// Resting: the bytes lie in the Archive tier, and there is no other way to them.
	Resting Code = "resting"
	// TooLarge: the package is larger than this version takes.
	TooLarge Code = "too-large"
	// Ambiguous: it can't be said which export of its platform the bytes are.
	Ambiguous Code = "ambiguous"
	// BadName: an id or a name that nothing can be stored under.
	BadName Code = "bad-name"
	// Overwritten: another export took its place, and no other way gives its bytes.
	Overwritten Code = "overwritten"
	// Damaged: the source itself is damaged, by its own bytes.
	Damaged Code = "damaged"
)

// Final reports whether no later look can change the condition.
func (c Code) Final() bool { return c == Overwritten || c == Damaged }

// Scope is what a condition is about: the project where all are empty, else an
// iteration, an export of it, or a blob of the model container.
type Scope struct {
	Iteration string `json:"iteration,omitempty"` // id
	Export    string `json:"export,omitempty"`    // "Platform" or "Platform.Flavor"
	Blob      string `json:"blob,omitempty"`      // name
	ETag      string `json:"etag,omitempty"`      // of the blob: a new version is another thing
}

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
	// Attempts counts the tries, each before it was made; Next is when the next one
	// is due. It is zero for a final condition.
	Attempts int       `json:"attempts"`
	Next     time.Time `json:"next,omitzero"`
	// Under is the fingerprint of policy, settings and version that were in force:
	// under another one it is tried again at once.
	Under string `json:"under"`
	// Unproven reports whether it stands for a finished export without a backup.
	Unproven bool `json:"unproven,omitempty"`
}

// Condition finds the condition of a scope; nil where there is none.
func (p *Project) Condition(s Scope) *Condition {
	for _, c := range p.Conditions {
		if c.Scope == s {
			return c
		}
	}
	return nil
}

// Clear removes the condition of a scope.
func (p *Project) Clear(s Scope) {
	p.Conditions = slices.DeleteFunc(p.Conditions, func(c *Condition) bool { return c.Scope == s })
}

// Note records a condition in the place of an earlier one of the same scope, whose
// First stays.
func (p *Project) Note(c Condition) {
	known := p.Condition(c.Scope)
	if known == nil {
		p.Conditions = append(p.Conditions, &c)
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
		if covered && !c.Code.Final() {
			c.Next, c.Attempts = time.Time{}, 0
			n++
		}
	}
	return n
}
