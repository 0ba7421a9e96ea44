package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"visionkeeper/internal/app"
	"visionkeeper/internal/archive"
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
}

// newBoard has what the archive has.
func newBoard(models []*archive.Model) *board {
	b := &board{names: map[string]string{}, models: map[string]map[string]*modelStatus{}}
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
			ID: iteration, Name: iteration, Exported: []string{}, Archived: []string{}, Proven: []string{}, Blocked: map[string]string{},
		}
	}
	return b.models[project][iteration]
}

// addService adds the completed iterations and their exports as Custom Vision has
// them: one call, one for each project and one for each iteration.
func (b *board) addService(ctx context.Context, s settings.Settings) error {
	service, err := app.OpenService(s, app.FewRetries())
	if err != nil {
		return err
	}
	if service == nil {
		return errNoEndpoint
	}
	projects, err := findProjects(ctx, service, "")
	if err != nil {
		return err
	}
	for _, project := range projects {
		b.names[project.ID] = project.Name
		if b.models[project.ID] == nil {
			b.models[project.ID] = map[string]*modelStatus{}
		}
		iterations, err := service.Iterations(ctx, project.ID)
		if err != nil {
			return err
		}
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
		if err := group.Wait(); err != nil {
			return err
		}
	}
	return nil
}

func (m *modelStatus) addExports(ctx context.Context, service *customvision.Client, project string) error {
	exports, err := service.Exports(ctx, project, m.ID)
	if err != nil {
		return err
	}
	for _, e := range exports {
		key, err := archive.NewKey(project, m.ID, e.Platform, e.Flavor)
		if err == nil && e.Status == customvision.ExportDone {
			m.Exported = append(m.Exported, key.String())
		}
	}
	slices.Sort(m.Exported)
	return nil
}

// addState adds what is blocked, of the projects on the board.
func (b *board) addState(ctx context.Context, s *state.Store) error {
	for project, models := range b.models {
		record, err := s.Load(ctx, project)
		if err != nil {
			return err
		}
		for _, c := range record.Conditions {
			if m := models[c.Iteration]; m != nil && c.Blob == "" {
				m.Blocked[c.Export] = c.Why
			}
		}
	}
	return nil
}

// projects are in the order of their names, their models the newest first.
func (b *board) projects() []projectStatus {
	list := []projectStatus{}
	for id, models := range b.models {
		p := projectStatus{ID: id, Name: b.names[id], Iterations: []modelStatus{}}
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
