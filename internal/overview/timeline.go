package overview

import (
	"cmp"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

// Event is something that the app saw or did.
type Event struct {
	At        time.Time `json:"at"`
	Kind      EventKind `json:"kind"`
	ProjectID string    `json:"projectId"` // empty where it is about no single project
	Project   string    `json:"project"`
	Text      string    `json:"text"` // for a person
}

// EventKind names what happened.
type EventKind string

// The kinds of events.
const (
	Trained    EventKind = "trained"
	Failed     EventKind = "failed"  // a training
	Deleted    EventKind = "deleted" // an iteration, by the app, to make room
	Asked      EventKind = "asked"   // for a training, by the app or a person
	Notified   EventKind = "message" // of the service
	Archived   EventKind = "archived"
	Blocked    EventKind = "blocked"
	DeadLetter EventKind = "dead-letter"
	Swept      EventKind = "swept"
	Policed    EventKind = "policy"
)

// Timeline is what the app saw and did, the latest first.
type Timeline struct {
	Events []Event `json:"events"`
}

// mostEvents bounds a timeline.
const mostEvents = 200

// Word is the kind for a person.
func (k EventKind) Word() string {
	switch k {
	case Asked:
		return "asked for"
	case DeadLetter:
		return "dead letter"
	case Swept:
		return "sweep"
	}
	return string(k)
}

// Timeline tells what the app saw and did lately, of one project by its id or, where that is
// empty, of all and of itself: from the dates that archive and state keep anyway; nothing is
// written for it. What has passed without a trace, such as a condition that is gone, isn't
// in it.
func (s Status) Timeline(project string) Timeline {
	t := &teller{}
	for _, p := range s.Projects {
		if project == "" || p.ID == project {
			t.project(s, p)
		}
	}
	if project == "" {
		t.app(s)
	}
	slices.SortStableFunc(t.events, func(a, b Event) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Project, b.Project), cmp.Compare(a.Text, b.Text))
	})
	return Timeline{append([]Event{}, t.events[:min(len(t.events), mostEvents)]...)}
}

type teller struct{ events []Event }

func (t *teller) tell(at time.Time, kind EventKind, p Project, text string) {
	if !at.IsZero() {
		t.events = append(t.events, Event{At: at.UTC(), Kind: kind, ProjectID: p.ID, Project: p.Name, Text: text})
	}
}

// app tells what is about no one project.
func (t *teller) app(s Status) {
	for _, c := range s.Conditions {
		t.tell(c.Since, Blocked, Project{}, c.Place()+": "+c.Why)
	}
	if s.view != nil {
		for _, l := range s.view.Letters {
			t.tell(l.Last, DeadLetter, Project{}, "a message was kept as a dead letter, "+l.ID[:min(12, len(l.ID))])
		}
		if f := s.view.InForce; !f.Since.IsZero() {
			t.tell(f.Since, Policed, Project{}, "the policy "+path.Base(filepath.ToSlash(f.From))+" came into force")
		}
	}
	if s.Sweep != nil {
		t.tell(s.Sweep.Ended, Swept, Project{}, fmt.Sprintf("the last sweep ended: %d of %d projects looked at", s.Sweep.Covered, s.Sweep.Projects))
		if s.Sweep.Round != nil && !s.Sweep.Round.Equal(s.Sweep.Ended) {
			t.tell(*s.Sweep.Round, Swept, Project{}, "the last whole round of sweeps ended")
		}
	}
}

func (t *teller) project(s Status, p Project) {
	names := map[string]string{}
	for _, m := range p.Iterations {
		names[m.ID] = m.Name
		t.tell(m.Trained(), Trained, p, m.Name+" was trained")
		for _, b := range m.backups {
			t.tell(b.LastModified, Archived, p, fmt.Sprintf("%s of %s was archived%s", b.Key, m.Name, verdictText(b.Verdict)))
		}
	}
	for _, c := range p.Conditions {
		t.tell(c.Since, Blocked, p, strings.TrimPrefix(c.Place()+": ", ": ")+c.Why)
	}
	if s.view == nil || s.view.Projects[p.ID] == nil {
		return
	}
	remembered := s.view.Projects[p.ID]
	if remembered.ConnectionTest != nil {
		t.tell(*remembered.ConnectionTest, Notified, p, "Custom Vision's test message arrived")
	}
	t.tell(remembered.Notified, Notified, p, "Custom Vision sent its last notification")
	for id, shown := range remembered.Shown {
		names[id] = shown.Name
		if shown.Status == customvision.StatusFailed {
			t.tell(shown.Changed, Failed, p, "the training "+shown.Name+" failed")
		}
	}
	for _, d := range remembered.Deletions {
		t.tell(d.Gone, Deleted, p, d.Name+" was deleted at Custom Vision to make room; the archive has it")
	}
	for _, training := range remembered.Trainings {
		text := "a training was asked for"
		if cause := training.Cause; cause.Kind != state.Person {
			if cause.Kind == state.Failure {
				cause.Of = cmp.Or(names[cause.Of], cause.Of)
			}
			text += ", because " + cause.String()
		}
		if training.Result != "" {
			text += ": " + cmp.Or(names[training.Result], training.Result)
		}
		t.tell(training.Asked, Asked, p, text)
	}
}

func verdictText(v archive.Verdict) string {
	switch v {
	case "":
		return ", and has no proof yet"
	case archive.Lost:
		return ", and is gone"
	}
	return " and is " + string(v)
}
