package cli

import (
	"slices"
	"strings"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
)

// choose narrows an inventory down to the project and the iteration that are named,
// by name or id.
func (s selection) choose(all []*archive.Model) ([]*archive.Model, error) {
	models := all
	if s.project != "" {
		id, notID := customvision.ParseID(s.project)
		models = slices.DeleteFunc(slices.Clone(all), func(m *archive.Model) bool {
			return !strings.EqualFold(m.ProjectName, s.project) && (notID != nil || m.Project != id)
		})
	}
	projects := names(models, func(m *archive.Model) string { return m.Project })
	if s.project != "" || s.iteration != "" {
		which := s.project
		if which == "" && len(projects) > 1 {
			return nil, problem{What: "Could not tell which project is meant", Why: "The archive has several",
				Do: "Give --project, one of " + strings.Join(names(all, func(m *archive.Model) string { return m.ProjectName }), ", ")}
		}
		if err := one("project", which, projects, names(all, func(m *archive.Model) string { return m.ProjectName })); err != nil {
			return nil, err
		}
	}
	if s.iteration == "" {
		return models, nil
	}
	id, err := chooseIteration(archivedNames(models), s.iteration)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(models), func(m *archive.Model) bool { return m.Iteration != id }), nil
}

// archivedNames are the iterations of a project's models.
func archivedNames(models []*archive.Model) []iterationName {
	var list []iterationName
	for i, m := range models { // newest first, so that what was never dated is never the latest
		n := iterationName{ID: m.Iteration, Name: m.IterationName, Trained: int64(len(models) - i), Published: m.PublishedName != ""}
		list = append(list, n)
	}
	return list
}

var errEmptyArchive = problem{
	What: "Could not find any backup", Why: "The archive is empty",
	Do: "Export a model, or run `visionkeeper reconcile`; if there should be one, name its container in ARCHIVE_CONTAINER",
}
