// Package events tells others what happened. An event is made by the code that sees
// what happened, and is written into the outbox of the state with the change that
// causes it (state.Outbox). A Postman takes it from there to each destination, at least
// once and in order for each project, until that has acknowledged it. Start reading at
// the functions that make events, then Postman.
//
// A new type needs a constant, a function that makes its event, and a schema in
// docs/events.
package events

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/dataset"
	"visionkeeper/internal/redact"
	"visionkeeper/internal/state"
)

// The types of events.
const (
	BackupProven      = "backup.proven"
	BackupBroken      = "backup.broken"
	ExportBlocked     = "export.blocked"
	TrainingCompleted = "training.completed"
	TrainingFailed    = "training.failed"
	ModelPromoted     = "model.promoted"
	DatasetComplete   = "dataset.complete"
	SweepOverdue      = "sweep.overdue"
)

// Types are all types.
var Types = []string{BackupProven, BackupBroken, ExportBlocked, TrainingCompleted, TrainingFailed, ModelPromoted, DatasetComplete, SweepOverdue}

// BlockedAfter is how long a thing can't be done until others are told.
const BlockedAfter = 24 * time.Hour

// Named is a thing with its id, and its name as far as it is known.
type Named struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// event makes an event, whose id is that of its type and of what it is about.
func event(kind, subject string, at time.Time, about ...string) state.Event {
	sum := sha256.Sum256([]byte(strings.Join(append([]string{kind}, about...), "\n")))
	return state.Event{ID: hex.EncodeToString(sum[:16]), Type: kind, Subject: subject, Time: at.UTC()}
}

func with(e state.Event, data any) state.Event {
	e.Data, _ = json.Marshal(data) // of texts, numbers and times alone
	return e
}

// Proved is what a proof in the archive says of a package, at the time that it was
// written: that it is a backup, or that it is damaged. It is false where the proof says
// neither. The rest is read from the proof when the event is sent.
func Proved(b archive.Backup, at time.Time) (state.Event, bool) {
	kind := BackupBroken
	switch {
	case b.Proof == "":
		return state.Event{}, false
	case b.Verdict.Counts():
		kind = BackupProven
	case b.Verdict != archive.Damaged:
		return state.Event{}, false
	}
	e := event(kind, b.Blob, at, b.Proof)
	e.Proof = b.Proof
	return e, true
}

// brokenData is the data of BackupBroken where no proof tells it.
type brokenData struct {
	Project   Named           `json:"project"`
	Iteration Named           `json:"iteration"`
	Export    string          `json:"export"`
	Platform  string          `json:"platform"`
	Flavor    string          `json:"flavor"`
	Container string          `json:"container"`
	Blob      string          `json:"blob"`
	Verdict   archive.Verdict `json:"verdict"`
	Finding   string          `json:"finding,omitempty"`
	Why       string          `json:"why"`
}

// Broken is that a backup was read again and is none any more: finding says whether it
// is lost or broken. It is told once a day.
func Broken(a *archive.Archive, b archive.Backup, project, iteration, finding, why string, at time.Time) state.Event {
	blob := b.Blob
	if blob == "" {
		blob = b.Proof
	}
	return with(event(BackupBroken, blob, at, blob, finding, at.UTC().Format(time.DateOnly)), brokenData{
		Project: Named{b.Project, project}, Iteration: Named{b.Iteration, iteration},
		Export: b.Key.String(), Platform: b.Platform, Flavor: b.Flavor, Container: a.Name(), Blob: blob,
		Verdict: b.Verdict, Finding: finding, Why: redact.String(why),
	})
}

type trainingData struct {
	Project            Named     `json:"project"`
	Iteration          Named     `json:"iteration"`
	At                 time.Time `json:"at"`
	DomainID           string    `json:"domainId"`
	ClassificationType string    `json:"classificationType"`
	TrainingType       string    `json:"trainingType"`
	Exportable         bool      `json:"exportable"`
}

// Trained is that a training came to its end at a time; it is false where it didn't.
func Trained(p *state.Project, it customvision.Iteration, at time.Time) (state.Event, bool) {
	kind := map[string]string{customvision.StatusCompleted: TrainingCompleted, customvision.StatusFailed: TrainingFailed}[it.Status]
	if kind == "" {
		return state.Event{}, false
	}
	return with(event(kind, p.ID+"/"+it.ID, at, p.ID, it.ID), trainingData{
		Project: Named{p.ID, p.Name}, Iteration: Named{it.ID, it.Name}, At: at.UTC(),
		DomainID: it.DomainID, ClassificationType: it.ClassificationType, TrainingType: it.TrainingType, Exportable: it.Exportable,
	}), true
}

type promotedData struct {
	Project   Named          `json:"project"`
	Iteration Named          `json:"iteration"`
	Name      string         `json:"name"`     // the name that it is published under
	Previous  Named          `json:"previous"` // who had the name before; empty where none had
	By        state.Promoter `json:"by"`
	At        time.Time      `json:"at"`
}

// Promoted is that an iteration got the name that the policy publishes under; it is false
// where none has since the app knows the name. Called finds an iteration's name.
func Promoted(p *state.Project, called func(iteration string) string) (state.Event, bool) {
	r := p.Promotion
	if r == nil || r.At.IsZero() || r.Holder == "" {
		return state.Event{}, false
	}
	named := func(id string) Named { return Named{id, called(id)} }
	return with(event(ModelPromoted, p.ID+"/"+r.Holder, r.At, p.ID, r.Name, r.Holder, r.At.UTC().Format(time.RFC3339Nano)), promotedData{
		Project: Named{p.ID, p.Name}, Iteration: named(r.Holder), Name: r.Name, Previous: named(r.From), By: r.By, At: r.At.UTC(),
	}), true
}

type blockedData struct {
	Project   Named      `json:"project"`
	Iteration Named      `json:"iteration"` // empty where it is about the whole project
	Export    string     `json:"export"`
	Fact      string     `json:"fact"`
	Blob      string     `json:"blob"`
	Code      state.Code `json:"code"`
	Why       string     `json:"why"`
	Since     time.Time  `json:"since"`
	Attempts  int        `json:"attempts"`
	Final     bool       `json:"final"`
	Unproven  bool       `json:"unproven"`
}

// Blocked is that something couldn't be done for a day; it is false where it isn't that
// long, or where it is events that couldn't be delivered. Name is the iteration's.
func Blocked(p *state.Project, c state.Condition, name string, now time.Time) (state.Event, bool) {
	if c.Destination != "" || now.Sub(c.First) < BlockedAfter {
		return state.Event{}, false
	}
	about := []string{p.ID, c.Iteration, c.Fact, c.Export, c.Blob, c.ETag}
	if c.Blob == "" { // the times of blobs may be stored cut, and their versions tell them apart
		about = append(about, c.First.UTC().Format(time.RFC3339Nano))
	}
	subject := strings.Trim(p.ID+"/"+c.Iteration+"/"+c.Export+c.Fact, "/")
	return with(event(ExportBlocked, subject, c.First.Add(BlockedAfter), about...), blockedData{
		Project: Named{p.ID, p.Name}, Iteration: Named{c.Iteration, name}, Export: c.Export, Fact: c.Fact, Blob: c.Blob,
		Code: c.Code, Why: redact.String(c.Why), Since: c.First.UTC(), Attempts: c.Attempts, Final: c.Final(), Unproven: c.Unproven,
	}), true
}

type savedData struct {
	Project   Named  `json:"project"`
	Snapshot  string `json:"snapshotId"`
	Container string `json:"container"`
	Blob      string `json:"blob"`
	Proof     string `json:"proof"`
	Size      int64  `json:"size"` // bytes of the snapshot
	SHA256    string `json:"sha256"`
	// Files and Bytes count the pictures that it names, each content once.
	Files int   `json:"files"`
	Bytes int64 `json:"bytes"`
	dataset.Counts
	Begun time.Time `json:"begun"`
	Ended time.Time `json:"ended"`
}

// Saved is that a project's data set is complete in the archive as it was when the proof's
// snapshot was taken; it is false where the proof says something else.
func Saved(a *archive.Archive, p dataset.Proof) (state.Event, bool) {
	if p.Of != dataset.Workspace || p.Verdict != dataset.Complete {
		return state.Event{}, false
	}
	return with(event(DatasetComplete, p.Name.Blob(), p.Ended, p.Name.Blob()), savedData{
		Project: Named{p.Project, p.ProjectName}, Snapshot: p.Snapshot, Container: a.Name(), Blob: p.Name.Blob(), Proof: p.Name.Proof(p.Verdict),
		Size: p.Size, SHA256: p.SHA256, Files: p.Files, Bytes: p.Bytes, Counts: p.Found, Begun: p.Begun.UTC(), Ended: p.Ended.UTC(),
	}), true
}

type overdueData struct {
	LastEnded time.Time  `json:"lastEnded"` // of the last sweep
	Missed    time.Time  `json:"missed"`    // the first time at which one should have begun since
	Round     *time.Time `json:"round"`     // when the last whole round was completed; null where there was none
}

// Overdue is that no sweep came to its end since the last one, though one should have
// begun at the time that is missed.
func Overdue(last state.Health, missed, now time.Time) state.Event {
	data := overdueData{LastEnded: last.Ended.UTC(), Missed: missed.UTC()}
	if !last.Round.IsZero() {
		data.Round = &last.Round
	}
	return with(event(SweepOverdue, "sweep", now, last.Ended.UTC().Format(time.RFC3339Nano)), data)
}

// fingerprint changes with each of the texts, and tells none of them.
func fingerprint(texts ...string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", texts))
	return hex.EncodeToString(sum[:8])
}
