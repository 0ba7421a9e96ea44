// Package twin makes compact twins. The models of most domains can't be exported, so nothing
// can save them. A twin is a copy of such a project, trained on a compact domain with the
// same images and tags, and exported: something to go on with, and not the same model.
//
// A person asks for each twin (Begin); a rule of the policy has to allow it. From then on
// every Run does what can be done now: make the copy, change its domain, train it once, see
// its exports into the archive, write what the twin is, and delete the copy. How far it has
// come is looked up each time, at the service and in the project's state, so a run goes on
// wherever another one ended. The exports are asked for and archived by package reconcile,
// which knows a twin by its name.
//
// It never changes the original. Start reading at Maker.Run, then steps.go.
package twin

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/reconcile"
	"visionkeeper/internal/remedy"
	"visionkeeper/internal/state"
)

// Maker makes twins. It is safe for concurrent use, also with those of other processes. It
// takes the Service, the Archive, the State, the Policy, the Clock and the IntentGrace.
type Maker struct {
	reconcile.Options
	// Now tries at once what was refused: a person waits.
	Now bool
}

// senderTime bounds how long one sender may take between its announcement and the answer,
// where its context has no deadline.
const senderTime = 5 * time.Minute

// Takes is what making a twin takes.
type Takes struct {
	Project string `json:"project"` // id
	Name    string `json:"name"`
	// Iteration is the newest, which can't be exported, and Domain the one of its project.
	Iteration     string    `json:"iteration"` // id
	IterationName string    `json:"iterationName"`
	Since         time.Time `json:"since"` // when it was trained
	Domain        string    `json:"domain"`
	Compact       string    `json:"compactDomain"` // that of the twin
	Images        int       `json:"images"`
	Hours         int       `json:"budgetHours"` // of training, at most
	Projects      int       `json:"projects"`    // that the resource has now
	Keep          bool      `json:"keep"`
	// Twin is the one that there is already, finished or not; nil where there is none.
	Twin *state.Twin `json:"twin"`
}

// Takes looks, and says what making a twin of a project takes. The error says why none can
// be made. It writes nothing.
func (m *Maker) Takes(ctx context.Context, project customvision.Project) (Takes, error) {
	project.ID = customvision.Canonical(project.ID)
	t := Takes{Project: project.ID, Name: project.Name}
	rule, err := m.rule(ctx, project)
	if err != nil {
		return t, err
	}
	t.Hours, t.Keep = rule.Twin.BudgetHours, rule.Twin.Keep
	record, err := m.State.Load(ctx, project.ID)
	if err != nil {
		return t, err
	}
	t.Twin = record.Twin
	all, err := m.Service.Projects(ctx)
	if err != nil {
		return t, err
	}
	t.Projects = len(all)
	iterations, err := m.Service.Iterations(ctx, project.ID)
	if err != nil {
		return t, err
	}
	it := newest(iterations)
	switch {
	case it == nil:
		return t, remedy.New("train the project first", "nothing is trained in the project %q", project.Name)
	case it.Exportable:
		return t, remedy.New("run `visionkeeper reconcile` to have it exported and archived", "the newest model of the project %q can be exported itself", project.Name)
	}
	domains, err := m.Service.Domains(ctx)
	if err != nil {
		return t, err
	}
	compact, err := compactOf(domains, project.Settings.DomainID)
	if err != nil {
		return t, err
	}
	if t.Images, err = m.Service.ImageCount(ctx, project.ID, "", customvision.AllImages); err != nil {
		return t, err
	}
	t.Iteration, t.IterationName, t.Since = customvision.Canonical(it.ID), it.Name, *it.TrainedAt
	t.Domain, t.Compact = nameOf(domains, it.DomainID), compact.Name
	return t, nil
}

// rule is the rule for a project, which allows a twin.
func (m *Maker) rule(ctx context.Context, project customvision.Project) (policy.Rule, error) {
	inForce, err := m.Policy.Now(ctx)
	if err != nil {
		return policy.Rule{}, err
	}
	rule, ok := inForce.For(project.ID, project.Name)
	switch {
	case rule.OfTwin:
		return rule, remedy.New("name its original, or rename it in Custom Vision: then it is a project like any other", "the project %q is a twin itself", project.Name)
	case !ok || rule.Twin == nil:
		return rule, remedy.New(`give the rule for it "twin": {"budgetHours": 1}`, "the policy lets no twin of the project %q be made", project.Name)
	case inForce.Mode != policy.Act:
		return rule, remedy.New("set its mode to act", "the policy only observes, so no twin is made")
	}
	return rule, nil
}

// Begin records that a person wants a twin of the project as it is now. Where one is
// underway it is left as it is; where one has ended, another one is begun.
func (m *Maker) Begin(ctx context.Context, project customvision.Project, t Takes) error {
	project.ID = customvision.Canonical(project.ID)
	token, err := m.orphan(ctx, project)
	if err != nil {
		return err
	}
	if token == "" {
		token = rand.Text()[:policy.TokenLength]
	}
	record, err := m.State.Load(ctx, project.ID)
	if err != nil {
		return err
	}
	return m.State.Update(ctx, record, func(p *state.Project) error {
		if p.Twin.Open() {
			return nil
		}
		p.Clear(scope)
		p.Twin = &state.Twin{
			Name: policy.TwinName(project.ID, project.Name, token), Token: token,
			Iteration: t.Iteration, IterationName: t.IterationName, Domain: t.Domain, Asked: record.Seen.UTC(), Hours: t.Hours,
		}
		if p.Name == "" {
			p.Name = project.Name
		}
		return nil
	})
}

// orphan is the token of a twin that is in Custom Vision and of which nothing is remembered
// or recorded; empty where there is none. It is gone on with: another one would cost again.
// A copy that a person made of a recorded one has the same token, and is theirs.
func (m *Maker) orphan(ctx context.Context, project customvision.Project) (string, error) {
	all, err := m.Service.Projects(ctx)
	if err != nil {
		return "", err
	}
	recorded, err := m.Archive.Twins(ctx, project.ID)
	if err != nil {
		return "", err
	}
	record, err := m.State.Load(ctx, project.ID)
	if err != nil {
		return "", err
	}
	for _, p := range all {
		of, ok := policy.ParseTwin(p.Name)
		known := slices.ContainsFunc(recorded, func(t archive.Twin) bool { return strings.HasSuffix(t.ID, "-"+strings.ToLower(of.Token)) })
		if ok && of.Project == project.ID && !known && (record.Twin == nil || record.Twin.Token != of.Token) {
			return of.Token, nil
		}
	}
	return "", nil
}

// Allowed reports whether the policy lets something be done about the twin of a project now.
func Allowed(p policy.Policy, project customvision.Project) bool {
	rule, ok := p.For(project.ID, project.Name)
	return ok && rule.Twin != nil && p.Mode == policy.Act
}

// Run does what can be done now about the twin that was asked for of a project, and returns
// what there is then: nil where nobody asked. What the service refuses is a condition of the
// project. The error is of what may pass by itself: the next run tries again.
func (m *Maker) Run(ctx context.Context, project customvision.Project) (*state.Twin, error) {
	project.ID = customvision.Canonical(project.ID)
	record, err := m.State.Load(ctx, project.ID)
	if err != nil || !record.Twin.Open() {
		return copied(record), err
	}
	inForce, err := m.Policy.Now(ctx)
	if err != nil || !Allowed(inForce.Policy, project) {
		return copied(record), err
	}
	rule, _ := inForce.For(project.ID, project.Name)
	r := &run{Maker: m, project: project, rule: *rule.Twin, record: record, loaded: m.Clock.Now()}
	r.seen = record.Seen
	if c := record.Condition(scope); c != nil && !m.Now && r.now().Before(c.Next) {
		return copied(record), nil
	}
	for more := true; more && record.Twin.Open(); {
		if more, err = r.step(ctx); err != nil {
			more, err = false, r.recorded(ctx, err)
		}
	}
	if errors.Is(err, errOvertaken) {
		err = nil
	}
	return copied(record), err
}

func copied(r *state.Record) *state.Twin {
	if r == nil {
		return nil
	}
	return r.Clone().Twin
}

// errOvertaken says that another process goes on with the same twin.
var errOvertaken = errors.New("another process was first")

// refusal is the service's no: a condition.
type refusal struct {
	why string
	err error
}

func (r refusal) Error() string { return fmt.Sprintf("%s: %s", r.why, r.err) }
func (r refusal) Unwrap() error { return r.err }

// ended is why nothing comes of a twin any more.
type ended string

func (e ended) Error() string { return string(e) }

// pauses are the times between two tries of what was refused.
var pauses = []time.Duration{10 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour}

var scope = state.Scope{Fact: state.FactTwin}

// recorded writes into the state what kept a run from going on, if that is known for good or
// for a while; else it is the error.
func (r *run) recorded(ctx context.Context, err error) error {
	var no refusal
	var end ended
	switch {
	case errors.As(err, &end):
		return r.update(ctx, func(p *state.Project) {
			p.Clear(scope)
			p.Twin.Why, p.Twin.Ended = string(end), r.now()
		})
	case errors.As(err, &no) && (customvision.Definite(err) || customvision.Forbidden(err)):
		return r.update(ctx, func(p *state.Project) {
			c := state.Condition{Scope: scope, Code: state.TwinRefused, Why: no.Error(), First: r.now(), Last: r.now(), Attempts: 1}
			if known := p.Condition(scope); known != nil {
				c.Attempts = known.Attempts + 1
			}
			c.Next = r.now().Add(pauses[min(c.Attempts, len(pauses))-1])
			p.Note(c)
		})
	}
	return err
}

// run is one passage.
type run struct {
	*Maker
	project customvision.Project // the original
	rule    policy.Twin
	record  *state.Record
	seen    time.Time // the storage service's, when the state was read
	loaded  time.Time // ours, then
}

// now is the storage service's time, counted on from when it was read.
func (r *run) now() time.Time { return r.seen.Add(r.Clock.Now().Sub(r.loaded)).UTC() }

// update writes on top of the very twin that was looked at. Who loses that race leaves the
// twin to the winner.
func (r *run) update(ctx context.Context, change func(*state.Project)) error {
	planned := asJSON(r.record.Twin)
	return r.State.Update(ctx, r.record, func(p *state.Project) error {
		if !bytes.Equal(asJSON(p.Twin), planned) {
			return errOvertaken
		}
		change(p)
		return nil
	})
}

func asJSON(t *state.Twin) []byte {
	data, _ := json.Marshal(t) // its times are within JSON's bounds
	return data
}

// newest is the completed iteration that was trained last; nil where there is none.
func newest(list []customvision.Iteration) *customvision.Iteration {
	var last *customvision.Iteration
	for i, it := range list {
		if it.Status == customvision.StatusCompleted && it.TrainedAt != nil && (last == nil || it.TrainedAt.After(*last.TrainedAt)) {
			last = &list[i]
		}
	}
	return last
}

// general is the name of the compact domain that a twin is trained on. Of the compact
// domains it alone is known to take advanced trainings, which have a budget.
const general = "General (compact)"

// compactOf is the compact domain of the same type as another one.
func compactOf(list []customvision.Domain, id string) (customvision.Domain, error) {
	is := func(d customvision.Domain) bool { return d.ID == customvision.Canonical(id) }
	if i := slices.IndexFunc(list, is); i >= 0 {
		of := list[i]
		if i := slices.IndexFunc(list, func(d customvision.Domain) bool { return d.Type == of.Type && d.Name == general && d.Exportable }); i >= 0 {
			return list[i], nil
		}
	}
	return customvision.Domain{}, remedy.New("look at the domains in Custom Vision's portal", "Custom Vision lists no domain %s of the same type as the project's", general)
}

func nameOf(list []customvision.Domain, id string) string {
	for _, d := range list {
		if d.ID == customvision.Canonical(id) {
			return d.Name
		}
	}
	return id
}
