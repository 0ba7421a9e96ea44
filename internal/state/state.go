// Package state keeps what must be remembered between invocations: what was
// asked for and how often, what is settled, and dead letters. Each project has
// one JSON blob. It holds a hash of its own body and is written only on top of
// the version that was read. All of it but the intents can be rebuilt from the
// proofs in the archive and the API. Start reading at Project, then Store.
package state

import (
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// Project is what is remembered of one Custom Vision project. Ids are canonical
// lower-case GUIDs.
type Project struct {
	// Version is that of the format; see formatVersion.
	Version int    `json:"version"`
	ID      string `json:"id"`
	Name    string `json:"name"`
	// Container reports whether the service writes the project's exports into a
	// model container, by the settings that were read last.
	Container bool `json:"container,omitempty"`
	// ContainerURI is that container's address by the same settings, without a query.
	ContainerURI string `json:"containerUri,omitempty"`
	// ConnectionTest is when the service's last test message arrived.
	ConnectionTest *time.Time `json:"connectionTest,omitempty"`
	// Notified is when the service last put a message about the project on the queue, of
	// those that led to a look.
	Notified time.Time `json:"notified,omitzero"`
	// Seen is when the app first saw the project in Custom Vision. What failed
	// before is never answered by a training.
	Seen time.Time `json:"seen,omitzero"`
	// Rebuilt reports whether the state was made anew though the project has a past:
	// until a sweep has looked at all of it, nothing is trained.
	Rebuilt bool `json:"rebuilt,omitempty"`
	// Iterations by id. A project has at most 20.
	Iterations map[string]*Iteration `json:"iterations,omitempty"`
	// Trainings that the app asked for, oldest first.
	Trainings []*Training `json:"trainings,omitempty"`
	// Promotion is what is remembered of the name to publish under; nil where the policy
	// has none.
	Promotion *Promotion `json:"promotion,omitempty"`
	// Spent are the hours of trainings of the last 30 days, where the policy bounds them.
	Spent []Spent `json:"spent,omitempty"`
	// Trained is what the last training saw, where the policy counts images.
	Trained *Tally `json:"trained,omitempty"`
	// Completed is the newest completed iteration that the app has seen: trainings of other
	// projects may follow from it.
	Completed Happened `json:"completed,omitzero"`
	// Deletions are the iterations that the app asked the service to delete, by id.
	Deletions map[string]*Deletion `json:"deletions,omitempty"`
	// Twin is the compact twin that a person asked for last; nil where nobody did.
	Twin *Twin `json:"twin,omitempty"`
	// Looking says that a process looks at the project because of messages: others wait for
	// what it finds.
	Looking *Looking `json:"looking,omitempty"`
	// Conditions are what can't be done now.
	Conditions []*Condition `json:"conditions,omitempty"`
	// Shown is what the service showed of each iteration, by id. The iterations are those
	// of the last list, the exports those of the last look at each. It is for people:
	// nothing is decided by it.
	Shown map[string]*Shown `json:"shown,omitempty"`
	// Outbox is what others are to be told; nil where nobody is.
	Outbox *Outbox `json:"outbox,omitempty"`
	// Revision is random and new with every write: a writer whose answer was lost
	// knows its own write by it.
	Revision string `json:"revision"`

	index *conditionIndex
}

// Iteration is what is remembered of one iteration.
type Iteration struct {
	// Facts is what the iteration's proofs record besides the bytes. This package
	// doesn't read it.
	Facts json.RawMessage `json:"facts,omitempty"`
	// Ended is when the training failed, as the service had it when the app first saw
	// it: a rename changes lastModified, but not this.
	Ended time.Time `json:"ended,omitzero"`
	// Before reports whether the service had it, completed, when the app first saw the
	// project.
	Before bool `json:"before,omitempty"`
	// Exports that we asked for, by "Platform" or "Platform.Flavor".
	Exports map[string]*Export `json:"exports,omitempty"`
	// Blobs of the model container that are archived: ETag by name.
	Blobs   map[string]string `json:"blobs,omitempty"`
	Settled *Settled          `json:"settled,omitempty"`
	// Figures are what the gate of a promotion goes by; nil where they aren't needed.
	Figures *Figures `json:"figures,omitempty"`
	// Measuring is how far the measure by a hold-out set has come; nil while none is underway.
	Measuring *Measuring `json:"measuring,omitempty"`
	// Looked is the last look because of a message, if it left something to wait for.
	Looked *Looked `json:"looked,omitempty"`
	// Lacked is since when the service's list lacks it; zero while it is there.
	Lacked time.Time `json:"lacked,omitzero"`
}

// Shown is what the service showed of an iteration.
type Shown struct {
	Name   string `json:"name"`
	Status string `json:"status"` // as the service has it, such as Training or Failed
	// Trained is when it was trained, Changed when it last changed.
	Trained   time.Time `json:"trained,omitzero"`
	Changed   time.Time `json:"changed,omitzero"`
	Published string    `json:"published,omitempty"` // the name under which it is published
	Stuck     bool      `json:"stuck,omitempty"`     // it is completed, and can't be exported
	// Exports has each export's status by "Platform" or "Platform.Flavor".
	Exports map[string]string `json:"exports,omitempty"`
}

// Settled records that everything asked for an iteration was done, but for what
// its conditions say.
type Settled struct {
	// At is when the look began that showed it.
	At time.Time `json:"at"`
	// Rule is the hash of the policy rule that was in force. Wanted reports whether
	// the rule asked for exports of this iteration. The iteration is looked at
	// again if the rule changes, or if Wanted becomes true.
	Rule   string `json:"rule"`
	Wanted bool   `json:"wanted"`
	// Done are the exports that the service listed as done.
	Done []string `json:"done,omitempty"`
}

// Looked records a look at a completed iteration at which nothing failed.
type Looked struct {
	At   time.Time `json:"at"`   // when it began
	Rule string    `json:"rule"` // as in Settled
	Done []string  `json:"done"` // exports that the service listed as done
}

// Looking is a look that is underway. One that came to no end ends by itself.
type Looking struct {
	Token string    `json:"token"` // random
	Until time.Time `json:"until"` // by the storage service's clock
}

// Export is an export that the app asked for.
type Export struct {
	// Asked is when the last request was announced. Until is when its sender gives
	// up at the latest, zero once the answer is known. Both are by the storage
	// service's clock.
	Asked time.Time `json:"asked,omitzero"`
	Until time.Time `json:"until,omitzero"`
}

// Deletion is an iteration that the app asked the service to delete. It is an intent until
// Gone is set.
type Deletion struct {
	ID      string    `json:"id"`   // of its tombstones in the archive
	Name    string    `json:"name"` // of the iteration
	Trained time.Time `json:"trained,omitzero"`
	// Asked and Until as in Export.
	Asked time.Time `json:"asked"`
	Until time.Time `json:"until"`
	// Lacked is since when its announcement can't be found in the archive; zero where it is.
	Lacked time.Time `json:"lacked,omitzero"`
	// Gone is when the service was seen to have it no longer, and that stood in the archive.
	Gone time.Time `json:"gone,omitzero"`
}

// Open reports whether it isn't known yet that the iteration is gone.
func (d *Deletion) Open() bool { return d.Gone.IsZero() }

// mostDeletions is how many iterations that are gone are remembered. The archive has all.
const mostDeletions = 100

// Delete records a deletion that is about to be asked for, and forgets the oldest.
func (p *Project) Delete(iteration string, d Deletion) {
	if p.Deletions == nil {
		p.Deletions = map[string]*Deletion{}
	}
	p.Deletions[iteration] = &d
	gone := slices.SortedFunc(maps.Keys(p.Deletions), func(a, b string) int { return p.Deletions[a].Asked.Compare(p.Deletions[b].Asked) })
	gone = slices.DeleteFunc(gone, func(id string) bool { return p.Deletions[id].Open() })
	for _, id := range gone[:max(0, len(gone)-mostDeletions)] {
		delete(p.Deletions, id)
	}
}

// Iteration returns the record of an iteration. It adds an empty one if there is
// none.
func (p *Project) Iteration(id string) *Iteration {
	if p.Iterations == nil {
		p.Iterations = map[string]*Iteration{}
	}
	if p.Iterations[id] == nil {
		p.Iterations[id] = &Iteration{}
	}
	return p.Iterations[id]
}

// Export returns the record of an export. It adds an empty one if there is none.
func (i *Iteration) Export(name string) *Export {
	if i.Exports == nil {
		i.Exports = map[string]*Export{}
	}
	if i.Exports[name] == nil {
		i.Exports[name] = &Export{}
	}
	return i.Exports[name]
}

// Archived records that this version of a blob of the model container is
// archived.
func (i *Iteration) Archived(blob, etag string) {
	if i.Blobs == nil {
		i.Blobs = map[string]string{}
	}
	i.Blobs[blob] = etag
}
