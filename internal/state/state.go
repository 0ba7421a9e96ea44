// Package state keeps what must be remembered between invocations: what was
// asked for and how often, what is settled, dead letters. One JSON blob per
// project, each sealed by a hash of its own body and written only on top of the
// version that was read. It holds nothing that a proof or the API doesn't tell
// again, but for intents. Start reading at Project, then Store.
package state

import (
	"encoding/json"
	"time"
)

// Project is what is remembered of one Custom Vision project. Ids are canonical
// lower-case GUIDs.
type Project struct {
	// Version is that of the format; see formatVersion.
	Version int    `json:"version"`
	ID      string `json:"id"`
	Name    string `json:"name"`
	// Container tells that the service writes the project's exports into a model
	// container, as its settings said last.
	Container bool `json:"container,omitempty"`
	// ConnectionTest is when the service last showed that it reaches our queue.
	ConnectionTest *time.Time `json:"connectionTest,omitempty"`
	// Seen is when the app first saw the project in Custom Vision. What failed
	// before is never answered by a training.
	Seen time.Time `json:"seen,omitzero"`
	// Rebuilt reports whether the state was made anew though the project has a past:
	// until a sweep has looked at all of it, nothing is trained.
	Rebuilt bool `json:"rebuilt,omitempty"`
	// Iterations by id: at most the 20 a project can have.
	Iterations map[string]*Iteration `json:"iterations,omitempty"`
	// Trainings we asked for, oldest first; the intents among them have no Result yet.
	Trainings []*Training `json:"trainings,omitempty"`
	// Conditions are what can't be done now.
	Conditions []*Condition `json:"conditions,omitempty"`
	// Revision is random and new with every write: a writer whose answer was lost
	// knows its own write by it.
	Revision string `json:"revision"`
}

// Iteration is what is remembered of one iteration.
type Iteration struct {
	// Facts is what proofs tell of the iteration besides its bytes; opaque here.
	Facts json.RawMessage `json:"facts,omitempty"`
	// Ended is when the training failed, as the service had it when the app first saw
	// it: a rename changes lastModified, but not this.
	Ended time.Time `json:"ended,omitzero"`
	// Exports that we asked for, by "Platform" or "Platform.Flavor".
	Exports map[string]*Export `json:"exports,omitempty"`
	// Blobs of the model container that are archived: ETag by name.
	Blobs   map[string]string `json:"blobs,omitempty"`
	Settled *Settled          `json:"settled,omitempty"`
}

// Settled records that everything asked for an iteration was done, but for what
// its conditions say.
type Settled struct {
	// At is when the look began that showed it.
	At time.Time `json:"at"`
	// Rule is the hash of the policy's rule, and Wanted whether it asked for
	// exports of this iteration: another rule unsettles it, and being wanted since.
	Rule   string `json:"rule"`
	Wanted bool   `json:"wanted"`
}

// Export is an export we asked for.
type Export struct {
	// Asked is when the last request was announced, Until when its sender gives up
	// at the latest, zero once the answer is known; both by the storage service's clock.
	Asked time.Time `json:"asked,omitzero"`
	Until time.Time `json:"until,omitzero"`
}

// Training is a training we asked for: an intent until Result or Refused is set.
type Training struct {
	// Token is the sender's own mark: it finds its intent again by it.
	Token string `json:"token"`
	// Cause is the failed iteration that it answers.
	Cause string `json:"cause"`
	// Known are the iterations there were before: any other one is the result.
	Known []string `json:"known"`
	// Asked and Until as in Export.
	Asked time.Time `json:"asked"`
	Until time.Time `json:"until"`
	// Result is the iteration that came of it.
	Result string `json:"result,omitempty"`
	// Nothing says why nothing came of it: the sender ended before it was sent, or it
	// began before the app knew the project.
	Nothing string `json:"refused,omitempty"`
}

// Open tells an intent whose outcome isn't known yet.
func (t *Training) Open() bool { return t.Result == "" && t.Nothing == "" }

// Iteration returns the record of an iteration, made where there is none.
func (p *Project) Iteration(id string) *Iteration {
	if p.Iterations == nil {
		p.Iterations = map[string]*Iteration{}
	}
	if p.Iterations[id] == nil {
		p.Iterations[id] = &Iteration{}
	}
	return p.Iterations[id]
}

// Export returns the record of an export, made where there is none.
func (i *Iteration) Export(name string) *Export {
	if i.Exports == nil {
		i.Exports = map[string]*Export{}
	}
	if i.Exports[name] == nil {
		i.Exports[name] = &Export{}
	}
	return i.Exports[name]
}

// Archived records that a blob of the model container is archived in this version.
func (i *Iteration) Archived(blob, etag string) {
	if i.Blobs == nil {
		i.Blobs = map[string]string{}
	}
	i.Blobs[blob] = etag
}
