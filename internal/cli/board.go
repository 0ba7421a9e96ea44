package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"visionkeeper/internal/app"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/connect"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/settings"
	"visionkeeper/internal/state"
)

// atOnce is how many calls of Custom Vision are under way at a time.
const atOnce = 8

// board joins what the archive, Custom Vision and the state have of the models.
type board struct {
	names  map[string]string // of projects, by id
	models map[string]map[string]*modelStatus
	// conditions are the projects' own, by id.
	conditions map[string][]state.Condition
	// connected and trainings are as Custom Vision has them, by the project's id.
	connected map[string]bool
	trainings map[string][]training
	// asked reports whether Custom Vision answered for every project.
	asked bool
}

// newBoard has what the archive has.
func newBoard(models []*archive.Model) *board {
	b := &board{names: map[string]string{}, models: map[string]map[string]*modelStatus{}, conditions: map[string][]state.Condition{},
		connected: map[string]bool{}, trainings: map[string][]training{}}
	for _, m := range models {
		b.names[m.Project] = m.ProjectName
		s := b.model(m.Project, m.Iteration)
		s.Name, s.Published, s.Safe = m.IterationName, m.PublishedName != "", m.Safe()
		if !m.TrainedAt.IsZero() {
			s.TrainedAt = &m.TrainedAt
		}
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

func (b *board) model(project, iteration string) *modelStatus {
	if b.models[project] == nil {
		b.models[project] = map[string]*modelStatus{}
	}
	if b.models[project][iteration] == nil {
		b.models[project][iteration] = &modelStatus{
			ID: iteration, Name: iteration, Exported: []string{}, Exporting: []string{}, Failed: []string{}, Archived: []string{}, Proven: []string{}, Unproven: []string{}, Blocked: map[string]string{},
		}
	}
	return b.models[project][iteration]
}

// addService adds the iterations and their exports as Custom Vision has them: one
// call, one for each project and one for each completed iteration. One project that
// can't be shown doesn't hide the others.
func (b *board) addService(ctx context.Context, s settings.Settings) []error {
	service, err := app.OpenService(s, app.FewRetries())
	if err != nil {
		return []error{err}
	}
	if service == nil {
		return []error{errNoEndpoint}
	}
	projects, err := findProjects(ctx, service, "")
	if err != nil {
		return []error{err}
	}
	var errs []error
	queue := connect.URIsOf(s).Queue
	for _, project := range projects {
		err := b.addProject(ctx, service, project)
		if err == nil {
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
	if _, err := customvision.ParseID(project.ID); err != nil {
		return err
	}
	b.names[project.ID] = project.Name
	if b.models[project.ID] == nil {
		b.models[project.ID] = map[string]*modelStatus{}
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
		m.Name, m.TrainedAt, m.Published = it.Name, it.TrainedAt, it.PublishName != ""
		group.Go(func() error { return m.addExports(ctx, service, project.ID) })
	}
	return group.Wait()
}

// addConnection finds out whether a project's notifications go to the app's queue.
func (b *board) addConnection(ctx context.Context, service *customvision.Client, project customvision.Project, queue string) error {
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
func trainings(iterations []customvision.Iteration) []training {
	var newest time.Time
	for _, it := range iterations {
		if it.Status == customvision.StatusCompleted && it.TrainedAt != nil && it.TrainedAt.After(newest) {
			newest = *it.TrainedAt
		}
	}
	var list []training
	for _, it := range iterations {
		if it.Status == customvision.StatusCompleted || it.Status == customvision.StatusNew || it.Status == customvision.StatusFailed && it.LastModified.Before(newest) {
			continue
		}
		list = append(list, training{ID: it.ID, Name: it.Name, Status: it.Status, Last: it.LastModified})
	}
	return list
}

func (m *modelStatus) addExports(ctx context.Context, service *customvision.Client, project string) error {
	exports, err := service.Exports(ctx, project, m.ID)
	if err != nil {
		return err
	}
	for _, e := range exports {
		key, err := archive.NewKey(project, m.ID, e.Platform, e.Flavor)
		if err != nil {
			continue
		}
		list := &m.Exporting // the list of statuses is open
		switch e.Status {
		case customvision.ExportDone:
			list = &m.Exported
		case customvision.ExportFailed:
			list = &m.Failed
		}
		*list = append(*list, key.String())
	}
	for _, list := range [][]string{m.Exported, m.Exporting, m.Failed} {
		slices.Sort(list)
	}
	return nil
}

// addState adds what can't be done now: of the projects on the board, and, where Custom
// Vision didn't answer for all of them, of those that the state knows besides.
func (b *board) addState(ctx context.Context, s *state.Store) error {
	projects := slices.Collect(maps.Keys(b.models))
	if !b.asked {
		remembered, err := s.Projects(ctx)
		if err != nil {
			return err
		}
		projects = append(projects, remembered...)
	}
	slices.Sort(projects)
	for _, project := range slices.Compact(projects) {
		record, err := s.Load(ctx, project)
		if err != nil {
			return err
		}
		if len(record.Conditions) > 0 && b.models[project] == nil {
			b.names[project], b.models[project] = record.Name, map[string]*modelStatus{}
		}
		for _, c := range record.Conditions {
			b.conditions[project] = append(b.conditions[project], *c)
			if c.Unproven && c.Export != "" && !b.asked {
				b.model(project, c.Iteration)
			}
			if m := b.models[project][c.Iteration]; m != nil && c.Blob == "" && c.Fact == "" {
				m.Blocked[c.Export] = c.Why
			}
		}
	}
	return nil
}

// countUnproven finds the finished exports without a backup that counts: as Custom
// Vision lists them, or, where it can't be asked, as the conditions remember them.
func (b *board) countUnproven() {
	for project, models := range b.models {
		for _, m := range models {
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

// projects are in the order of their names, their models the newest first.
func (b *board) projects() []projectStatus {
	list := []projectStatus{}
	for id, models := range b.models {
		p := projectStatus{ID: id, Name: b.names[id], Iterations: []modelStatus{}, Trainings: append([]training{}, b.trainings[id]...), Conditions: conditions(b.conditions[id], func(iteration string) string {
			if m := models[iteration]; m != nil {
				return m.Name
			}
			return ""
		})}
		if connected, asked := b.connected[id]; asked {
			p.Connected = &connected
		}
		for _, m := range models {
			p.Iterations = append(p.Iterations, *m)
		}
		slices.SortFunc(p.Iterations, func(x, y modelStatus) int {
			if order := trained(y).Compare(trained(x)); order != 0 {
				return order
			}
			return strings.Compare(x.ID, y.ID)
		})
		if len(p.Iterations) > 0 {
			p.Iterations[0].Newest = true
		}
		list = append(list, p)
	}
	slices.SortFunc(list, func(x, y projectStatus) int {
		return strings.Compare(strings.ToLower(x.Name)+x.ID, strings.ToLower(y.Name)+y.ID)
	})
	return list
}

func trained(m modelStatus) time.Time {
	if m.TrainedAt == nil {
		return time.Time{}
	}
	return *m.TrainedAt
}
