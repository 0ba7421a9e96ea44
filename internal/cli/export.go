package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/overview"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/reconcile"
)

type exportResult struct {
	Project       string     `json:"project"` // id
	Name          string     `json:"name"`
	Iteration     string     `json:"iteration"` // id
	IterationName string     `json:"iterationName"`
	Exports       []exported `json:"exports"`
}

type exported struct {
	Export string `json:"export"`
	Status string `json:"status"` // asked, exporting, waiting, exported, proven, or refused
	Why    string `json:"why"`
}

func (p *program) exportCommand() *cobra.Command {
	var s selection
	var all, wait bool
	c := p.verb("export [PLATFORM[.FLAVOR]…]", "Have Custom Vision export a model", `
Asks for exports of one iteration, whatever the policy wants, and archives what is
finished of it. Each is announced in the state and sent once, as the app's own
are; what runs or is finished is never asked for again. Two flavors of one
platform have the same blob name, so the second waits until the first is
archived: --wait goes on until all is done. The exit code is 3 if Custom Vision
refuses one.`,
		func(ctx context.Context, args []string) error {
			if all {
				args = []string{policy.All}
			}
			return failedTo("export the model", p.export(ctx, s, args, wait))
		})
	s.flags(c)
	c.Flags().Lookup("project").Usage = "`name` or id of the project"
	c.Flags().Lookup("iteration").Usage, c.Flags().Lookup("iteration").DefValue = "`name` or id of an iteration, latest, or published", "latest"
	s.iteration = "latest"
	c.Flags().BoolVar(&all, "all", false, "every export that the project's domain offers")
	c.Flags().BoolVar(&wait, "wait", false, "go on until all of them are exported and archived")
	c.PreRunE = func(*cobra.Command, []string) error { return needProject(s.project) }
	c.Args = func(_ *cobra.Command, args []string) error {
		if all == (len(args) > 0) {
			return errors.New("name exports, such as ONNX or TensorFlow.TensorFlowLite, or take --all")
		}
		for i, arg := range args {
			k := slices.IndexFunc(policy.Known, func(known string) bool { return strings.EqualFold(known, arg) })
			if k < 0 {
				return fmt.Errorf("there is no export %q%s", arg, suggestion(arg, policy.Known))
			}
			args[i] = policy.Known[k]
		}
		return nil
	}
	return c
}

func (p *program) export(ctx context.Context, s selection, names []string, wait bool) error {
	r, projects, err := p.asker(ctx, s.project)
	if err != nil {
		return err
	}
	project := projects[0]
	id, err := findIteration(ctx, r.Service, project, s.iteration)
	if err != nil {
		return err
	}
	req := reconcile.Request{Key: reconcile.Key{Project: project.ID, Iteration: id}, Known: &project, Ask: &reconcile.Ask{Exports: names, Again: true}}
	var asked []reconcile.Action
	for {
		report, err := r.Reconcile(p.logged(context.WithoutCancel(ctx)), req)
		if err := errors.Join(err, report.Err(id)); err != nil {
			return err
		}
		asked = append(asked, report.Done...)
		if !wait || len(report.Waiting) == 0 || ctx.Err() != nil {
			return p.sayExported(project, id, names, report, asked)
		}
		req.Ask, req.Known = &reconcile.Ask{Exports: names}, nil
	}
}

// sayExported prints what became of each export that was asked for.
func (p *program) sayExported(project customvision.Project, id string, names []string, report reconcile.Report, done []reconcile.Action) error {
	result := exportResult{Project: project.ID, Name: project.Name, Iteration: id, IterationName: overview.Named(report.Iterations)(id), Exports: []exported{}}
	if i := slices.IndexFunc(report.Iterations, func(it customvision.Iteration) bool { return it.ID == id }); i >= 0 {
		names = policy.Rule{Exports: names}.ExportsOf(report.Iterations[i].ExportableTo)
	}
	refused := false
	for _, name := range names {
		e := statusOf(id, name, report, done)
		refused = refused || e.Status == "refused"
		result.Exports = append(result.Exports, e)
	}
	if err := p.out.result(result, func() {
		rows := [][]string{{"EXPORT", "STATUS", "WHY"}}
		for _, e := range result.Exports {
			rows = append(rows, []string{e.Export, e.Status, e.Why})
		}
		p.out.say("%s, %s", project.Name, result.IterationName)
		p.out.table(rows)
	}); err != nil || !refused {
		return err
	}
	return exitCode(exitFound)
}

// statusOf is what a report shows of an export.
func statusOf(iteration, name string, report reconcile.Report, done []reconcile.Action) exported {
	of := func(a reconcile.Action) bool { return a.Iteration == iteration && a.Export == name }
	if look := report.Looks[iteration]; look != nil && look.Status(name) != "" {
		return exported{name, look.Status(name), ""}
	}
	for _, c := range report.Conditions {
		if c.Iteration == iteration && c.Fact == "" && c.Blob == "" && (c.Export == name || c.Export == "") {
			return exported{name, "refused", c.Why}
		}
	}
	if i := slices.IndexFunc(report.Waiting, of); i >= 0 {
		return exported{name, "waiting", report.Waiting[i].Why}
	}
	if slices.ContainsFunc(done, func(a reconcile.Action) bool { return of(a) && a.Kind == reconcile.Export }) {
		return exported{name, "asked", ""}
	}
	return exported{name, "waiting", "another was asked for first"}
}
