package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"visionkeeper/internal/app"
	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/reconcile"
	"visionkeeper/internal/state"
)

type retryResult struct {
	Projects []retried `json:"projects"` // those that have anything that couldn't be done
	Due      int       `json:"due"`      // how many things are due now
	Final    int       `json:"final"`    // how many no later try can change
}

type retried struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Due   int    `json:"due"`
	Final int    `json:"final"`
}

func (p *program) retryCommand() *cobra.Command {
	var s selection
	var export string
	c := p.verb("retry", "Make due now what couldn't be done", `
What can't be done is tried again by itself, after pauses that grow up to a week.
This ends the pauses: all of them, or those of one project, iteration or export.
Only the state is changed. The next sweep or message then tries, or `+"`visionkeeper\nreconcile`"+`. Names are looked up in the state, Custom Vision and the archive; with
ids the state alone is needed.`,
		func(ctx context.Context, _ []string) error {
			return failedTo("end the pauses", p.retry(ctx, s, export))
		})
	s.flags(c)
	c.Flags().StringVar(&export, "export", "", "`platform` of an export, with its flavor: ONNX, DockerFile.Linux; default all")
	return c
}

func (p *program) retry(ctx context.Context, s selection, export string) error {
	v, err := p.openVault()
	if err != nil {
		return err
	}
	records, err := p.remembered(ctx, v, s.project)
	if err != nil {
		return err
	}
	scope := state.Scope{}
	if s.iteration != "" {
		if scope.Iteration, err = p.iterationID(ctx, v, s, records); err != nil {
			return err
		}
	}
	result := retryResult{Projects: []retried{}}
	for _, record := range records {
		one, err := retryProject(ctx, v.state, record, scope, export)
		if err != nil {
			return err
		}
		if one.Due+one.Final > 0 {
			result.Projects = append(result.Projects, one)
		}
		result.Due += one.Due
		result.Final += one.Final
	}
	return p.out.result(result, func() { p.sayRetried(result) })
}

// retryProject ends the pauses of one project.
func retryProject(ctx context.Context, s *state.Store, record *state.Record, scope state.Scope, export string) (retried, error) {
	one := retried{ID: record.ID, Name: record.Name}
	var exports []string // as the state writes it
	for _, c := range record.Conditions {
		if scope.Iteration != "" && c.Iteration != scope.Iteration || export != "" && !strings.EqualFold(c.Export, export) {
			continue
		}
		if c.Final() {
			one.Final++
		} else if export != "" {
			exports = append(exports, c.Export)
		}
	}
	if export == "" {
		exports = []string{""}
	}
	slices.Sort(exports)
	r := reconcile.New(reconcile.Options{State: s})
	for _, scope.Export = range slices.Compact(exports) {
		n, err := r.Retry(ctx, record.ID, scope)
		if err != nil {
			return one, err
		}
		one.Due += n
	}
	return one, nil
}

// remembered are the states of the project that is named, or of all.
func (p *program) remembered(ctx context.Context, v *vault, project string) ([]*state.Record, error) {
	if id, err := customvision.ParseID(project); err == nil {
		record, err := v.state.Load(ctx, id)
		return []*state.Record{record}, err
	}
	ids, err := v.state.Projects(ctx)
	if err != nil {
		return nil, err
	}
	var records []*state.Record
	for _, id := range ids {
		record, err := v.state.Load(ctx, id)
		if err != nil {
			return nil, err
		}
		records = append(records, record)
	}
	if project == "" {
		return records, nil
	}
	is := func(r *state.Record) bool { return strings.EqualFold(r.Name, project) }
	if !slices.ContainsFunc(records, is) { // it may have another name now, or have had one
		also := p.projectsNamed(ctx, v, project)
		is = func(r *state.Record) bool { return slices.Contains(also, r.ID) }
	}
	found := slices.DeleteFunc(slices.Clone(records), func(r *state.Record) bool { return !is(r) })
	return found, one("project", project, names(found, func(r *state.Record) string { return r.ID }), names(records, func(r *state.Record) string { return r.Name }))
}

// projectsNamed are the ids of the projects that Custom Vision or the archive know by
// a name, as far as they can be asked.
func (p *program) projectsNamed(ctx context.Context, v *vault, name string) []string {
	var ids []string
	if service := p.serviceIfAny(); service != nil {
		if list, err := findProjects(ctx, service, name); err == nil {
			ids = append(ids, list[0].ID)
		}
	}
	if models, err := v.archive.Inventory(ctx); err == nil {
		for _, m := range models {
			if strings.EqualFold(m.ProjectName, name) {
				ids = append(ids, m.Project)
			}
		}
	}
	return ids
}

// iterationID is the id of the iteration that is named.
func (p *program) iterationID(ctx context.Context, v *vault, s selection, records []*state.Record) (string, error) {
	if id, err := customvision.ParseID(s.iteration); err == nil {
		return id, nil
	}
	if s.project == "" {
		return "", errWhichProject
	}
	var list []iterationName
	if service := p.serviceIfAny(); service != nil {
		if all, err := service.Iterations(ctx, records[0].ID); err == nil {
			list = iterationNames(all)
		}
	}
	models, err := v.archive.Inventory(ctx)
	if err != nil && len(list) == 0 {
		return "", err
	}
	models = slices.DeleteFunc(models, func(m *archive.Model) bool {
		return m.Project != records[0].ID || slices.ContainsFunc(list, func(n iterationName) bool { return n.ID == m.Iteration })
	})
	return chooseIteration(append(list, archivedNames(models)...), s.iteration)
}

// serviceIfAny is Custom Vision, where the settings name it.
func (p *program) serviceIfAny() *customvision.Client {
	set, _, err := p.settings()
	if err != nil {
		return nil
	}
	service, err := app.OpenService(set, app.FewRetries())
	if err != nil {
		return nil
	}
	return service
}

func (p *program) sayRetried(r retryResult) {
	if r.Due == 0 {
		p.out.say("Nothing to try again: there is nothing that couldn't be done and may still be.")
	} else {
		p.out.say("%s that couldn't be done %s due now, of %s.", sentence(count(r.Due, "thing")), are(r.Due), count(len(r.Projects), "project"))
		p.out.say("The next sweep or message tries again; `visionkeeper reconcile` does so at once.")
	}
	if r.Final > 0 {
		p.out.say("%s for good, whatever is tried: `visionkeeper status` says why.", sentence(count(r.Final, "thing")+" "+are(r.Final)+" lost"))
	}
}
