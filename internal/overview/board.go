package overview

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/connect"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
)

// atOnce is how many calls of Custom Vision are under way at a time.
const atOnce = 8

// board joins what the archive, Custom Vision and the state have of the models.
type board struct {
	names  map[string]string // of projects, by id
	models map[string]map[string]*Model
	// conditions are the projects' own, by id.
	conditions map[string][]state.Condition
	// connected and trainings are as Custom Vision has them, by the project's id.
	connected map[string]bool
	trainings map[string][]Training
	twins     map[string]*Twin // by the original's id
	// answered are the projects for which Custom Vision answered; asked reports whether
	// it did for all.
	answered map[string]bool
	asked    bool
}

// newBoard has what the archive has.
func newBoard(models []*archive.Model) *board {
	b := &board{names: map[string]string{}, models: map[string]map[string]*Model{}, conditions: map[string][]state.Condition{},
		connected: map[string]bool{}, trainings: map[string][]Training{}, twins: map[string]*Twin{}, answered: map[string]bool{}}
	for _, m := range models {
		b.names[m.Project] = m.ProjectName
		s := b.model(m.Project, m.Iteration)
		s.Name, s.Published, s.PublishedName, s.Safe, s.backups, s.facts = m.IterationName, m.PublishedName != "", m.PublishedName, m.Safe(), m.Backups, m.Facts
		s.TrainedAt = known(m.TrainedAt)
		for export, copies := range m.Exports() {
			if copies[0].Blob != "" {
				s.Archived = append(s.Archived, export)
			}
			if copies[0].Verdict.Counts() {
				s.Proven = append(s.Proven, export)
			}
		}
		slices.Sort(s.Archived)
		slices.Sort(s.Proven)
	}
	return b
}

func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func (b *board) model(project, iteration string) *Model {
	if b.models[project] == nil {
		b.models[project] = map[string]*Model{}
	}
	if b.models[project][iteration] == nil {
		b.models[project][iteration] = &Model{
			ID: iteration, Name: iteration, Wanted: []string{}, Exported: []string{}, Exporting: []string{}, Failed: []string{}, Archived: []string{}, Proven: []string{}, Unproven: []string{}, Blocked: map[string]string{},
		}
	}
	return b.models[project][iteration]
}

// addService adds the iterations and their exports as Custom Vision has them: one
// call, one for each project and one for each completed iteration. One project that
// can't be shown doesn't hide the others. Queue is the URI of the app's own.
func (b *board) addService(ctx context.Context, service *customvision.Client, queue string) []error {
	projects, err := service.Projects(ctx)
	if err != nil {
		return []error{err}
	}
	var errs []error
	for _, project := range projects {
		id, err := customvision.ParseID(project.ID)
		if err == nil {
			project.ID = id
			err = b.addProject(ctx, service, project)
		}
		if err == nil {
			b.answered[id] = true
			err = b.addConnection(ctx, service, project, queue)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("project %q: %w", project.Name, err))
		}
	}
	b.asked = len(errs) == 0
	return errs
}

func (b *board) addProject(ctx context.Context, service *customvision.Client, project customvision.Project) error {
	b.names[project.ID] = project.Name
	if b.models[project.ID] == nil {
		b.models[project.ID] = map[string]*Model{}
	}
	iterations, err := service.Iterations(ctx, project.ID)
	if err != nil {
		return err
	}
	b.trainings[project.ID] = trainings(iterations)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, it := range iterations {
		id, err := customvision.ParseID(it.ID)
		if err != nil || it.Status != customvision.StatusCompleted {
			continue
		}
		m := b.model(project.ID, id)
		m.Name, m.TrainedAt, m.Published, m.PublishedName = it.Name, it.TrainedAt, it.PublishName != "", it.PublishName
		m.Stuck = !it.Exportable
		group.Go(func() error {
			exports, err := service.Exports(ctx, project.ID, id)
			for _, e := range exports {
				if key, err := archive.NewKey(project.ID, id, e.Platform, e.Flavor); err == nil {
					m.addExport(key.String(), e.Status)
				}
			}
			return err
		})
	}
	return group.Wait()
}

// addConnection finds out whether a project's notifications go to the app's queue.
func (b *board) addConnection(ctx context.Context, service *customvision.Client, project customvision.Project, queue string) error {
	if _, ok := policy.ParseTwin(project.Name); ok { // sweeps look after it
		return nil
	}
	if project.Settings.NotificationQueueURI == "" {
		var err error
		if project, err = connect.ReadBack(ctx, service, project.ID); err != nil {
			return err
		}
	}
	b.connected[project.ID] = connect.SameURI(project.Settings.NotificationQueueURI, queue)
	return nil
}

// trainings are those that are underway, and those that failed after the newest model
// was trained.
func trainings(iterations []customvision.Iteration) []Training {
	var newest time.Time
	for _, it := range iterations {
		if it.Status == customvision.StatusCompleted && it.TrainedAt != nil && it.TrainedAt.After(newest) {
			newest = *it.TrainedAt
		}
	}
	var list []Training
	for _, it := range iterations {
		if it.Status == customvision.StatusCompleted || it.Status == customvision.StatusNew || it.Status == customvision.StatusFailed && it.LastModified.Before(newest) {
			continue
		}
		list = append(list, Training{ID: it.ID, Name: it.Name, Status: it.Status, Last: it.LastModified})
	}
	slices.SortFunc(list, func(a, b Training) int { return cmp.Or(a.Last.Compare(b.Last), strings.Compare(a.ID, b.ID)) })
	return list
}

// addExport adds an export with the status that Custom Vision gives it; the list of
// statuses is open.
func (m *Model) addExport(export, status string) {
	list := &m.Exporting
	switch status {
	case customvision.ExportDone:
		list = &m.Exported
	case customvision.ExportFailed:
		list = &m.Failed
	}
	*list = append(*list, export)
}

// addState adds what the state remembers: what can't be done now, and, of the projects
// for which Custom Vision didn't answer, what the last looks showed. Where it answered
// for all, other projects than its own and those of the archive are left out.
func (b *board) addState(view *state.View, facts func(project string) map[string]told) {
	for id, project := range view.Projects {
		if b.models[id] == nil && (b.asked || len(project.Shown)+len(project.Conditions)+len(project.Name) == 0) {
			continue
		}
		if b.models[id] == nil {
			b.names[id], b.models[id] = project.Name, map[string]*Model{}
		}
		if !b.answered[id] {
			b.addShown(project)
		}
		b.twins[id] = twinOf(project.Twin)
		for iteration, f := range facts(id) {
			if m := b.models[id][iteration]; m != nil {
				m.facts, m.Performance = f.Facts, f.shown
			}
		}
		for iteration, d := range project.Deletions {
			if m := b.models[id][iteration]; m != nil && !d.Open() {
				m.Deleted, m.Published, m.PublishedName = known(d.Gone), false, ""
			}
		}
		for _, c := range project.Conditions {
			b.conditions[id] = append(b.conditions[id], *c)
			if c.Unproven && c.Export != "" && !b.asked {
				b.model(id, c.Iteration)
			}
			if m := b.models[id][c.Iteration]; m != nil && c.Blob == "" && c.Fact == "" {
				m.Blocked[c.Export] = c.Why
			}
		}
	}
}

// addShown adds what the last looks at a project showed.
func (b *board) addShown(project *state.Project) {
	if project.Name != "" {
		b.names[project.ID] = project.Name
	}
	var iterations []customvision.Iteration
	for id, s := range project.Shown {
		iterations = append(iterations, customvision.Iteration{ID: id, Name: s.Name, Status: s.Status, TrainedAt: known(s.Trained), LastModified: s.Changed})
		if s.Status != customvision.StatusCompleted {
			continue
		}
		m := b.model(project.ID, id)
		m.Name, m.TrainedAt, m.Published, m.PublishedName = s.Name, known(s.Trained), s.Published != "", s.Published
		m.Stuck = s.Stuck
		for export, status := range s.Exports {
			m.addExport(export, status)
		}
	}
	b.trainings[project.ID] = trainings(iterations)
}

// countUnproven finds the finished exports without a backup that counts: as Custom
// Vision lists them, or as the conditions remember them.
func (b *board) countUnproven() {
	for project, models := range b.models {
		for _, m := range models {
			for _, list := range [][]string{m.Exported, m.Exporting, m.Failed} {
				slices.Sort(list)
			}
			done := slices.Clone(m.Exported)
			for _, c := range b.conditions[project] {
				if c.Iteration == m.ID && c.Unproven && c.Export != "" {
					done = append(done, c.Export)
				}
			}
			slices.Sort(done)
			m.Unproven = append(m.Unproven, slices.DeleteFunc(slices.Compact(done), func(export string) bool { return slices.Contains(m.Proven, export) })...)
		}
	}
}

// projects are in the order of their names, their models the newest first. Rules are
// the policy that is followed, nil where that isn't known.
func (b *board) projects(rules *policy.Policy) []Project {
	list := []Project{}
	for id, models := range b.models {
		p := Project{ID: id, Name: cmp.Or(b.names[id], id), Iterations: []Model{}, Trainings: append([]Training{}, b.trainings[id]...), Conditions: Conditions(b.conditions[id], func(iteration string) string {
			if m := models[iteration]; m != nil {
				return m.Name
			}
			return ""
		})}
		if connected, asked := b.connected[id]; asked {
			p.Connected = &connected
		}
		p.Twin = b.twins[id]
		if of, ok := policy.ParseTwin(p.Name); ok {
			p.TwinOf = of.Project
		}
		for _, m := range models {
			if p.TwinOf != "" && m.Stuck && len(m.backups) == 0 { // it brought that along from its original
				continue
			}
			m.Type = m.facts.ClassificationType
			if m.Performance == nil { // it is known from a proof alone, if at all
				m.Performance = tell(m.facts).shown
			}
			p.Iterations = append(p.Iterations, *m)
		}
		slices.SortFunc(p.Iterations, func(x, y Model) int {
			return cmp.Or(y.Trained().Compare(x.Trained()), strings.Compare(x.ID, y.ID))
		})
		if len(p.Iterations) > 0 {
			p.Iterations[0].Newest = true
			p.Domain = p.Iterations[0].facts.Domain.Name
		}
		if rules != nil {
			p.want(*rules)
		}
		list = append(list, p)
	}
	slices.SortFunc(list, func(x, y Project) int {
		return strings.Compare(strings.ToLower(x.Name)+x.ID, strings.ToLower(y.Name)+y.ID)
	})
	return list
}

// want fills in what the policy asks for, as far as that can be told without asking
// Custom Vision.
func (p *Project) want(rules policy.Policy) {
	rule, ok := rules.For(p.ID, p.Name)
	for i := range p.Iterations {
		m := &p.Iterations[i]
		wanted := ok && m.Deleted == nil && slices.ContainsFunc(rule.Iterations, func(which string) bool {
			return which == policy.All || which == policy.Newest && m.Newest || which == policy.Published && m.Published
		})
		if wanted && !slices.Contains(rule.Exports, policy.All) { // which there are of All, Custom Vision alone knows
			m.Wanted = append(m.Wanted, rule.Exports...)
		}
	}
}
