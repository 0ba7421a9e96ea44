package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/overview"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/reconcile"
)

type planResult struct {
	Mode     policy.Mode `json:"mode"`
	Projects []planned   `json:"projects"`
	Warnings []string    `json:"warnings"`
}

type planned struct {
	overview.Plan
	Problems []problem `json:"problems"`
}

func (p *program) planCommand() *cobra.Command {
	var s selection
	c := p.verb("plan", "Say what a reconcile would do now, and why", `
It only looks: nothing is sent, copied or written. What a step would show isn't
guessed, so after those steps there may be more to do.`,
		func(ctx context.Context, _ []string) error { return failedTo("make a plan", p.plan(ctx, s)) })
	s.flags(c)
	return c
}

func (p *program) plan(ctx context.Context, s selection) error {
	r, projects, warnings, err := p.reconciler(ctx, s)
	if err != nil {
		return err
	}
	if r.Service == nil {
		project := customvision.Project{}
		if s.project != "" {
			if project.ID, err = customvision.ParseID(s.project); err != nil {
				return err
			}
		}
		projects = append(projects, project)
	}
	inForce, err := r.Policy.Now(ctx)
	if err != nil {
		return err
	}
	result := planResult{Mode: inForce.Mode, Projects: []planned{}, Warnings: append([]string{}, warnings...)}
	failed := false
	for i, project := range projects {
		p.out.progress(i, len(projects), project.Name)
		one, err := p.planProject(ctx, r, project, s.iteration)
		if err != nil && (len(projects) == 1 || ctx.Err() != nil) {
			return err
		}
		if err != nil {
			one.Problems = explain(failedTo(fmt.Sprintf("make a plan for the project %q", project.Name), err))
		}
		failed = failed || err != nil
		result.Projects = append(result.Projects, one)
	}
	if err := p.out.result(result, func() { p.sayPlan(result) }); err != nil || !failed {
		return err
	}
	return exitCode(exitFailed)
}

func (p *program) planProject(ctx context.Context, r *reconcile.Reconciler, project customvision.Project, iteration string) (planned, error) {
	key := reconcile.Key{Project: project.ID}
	none := planned{overview.Plan{ID: project.ID, Name: project.Name, Planned: []overview.Action{}, Waiting: []overview.Action{}, Conditions: []overview.Condition{}}, []problem{}}
	var err error
	if iteration != "" && r.Service != nil {
		if key.Iteration, err = findIteration(ctx, r.Service, project, iteration); err != nil {
			return none, err
		}
	}
	list, report, err := r.Preview(ctx, reconcile.Request{Key: key, Known: &project, Patient: true})
	if err != nil {
		return none, err
	}
	return planned{overview.NewPlan(project.ID, project.Name, list, report), []problem{}}, nil
}

func (p *program) sayPlan(result planResult) {
	for _, w := range result.Warnings {
		p.out.warn("%s.", p.out.yellow(sentence(w)))
	}
	rows := [][]string{{"", "PROJECT", "ITERATION", "EXPORT", "WHY"}}
	for _, project := range result.Projects {
		if project.Outside {
			rows = append(rows, []string{"leave", project.Name, "-", "-", "the policy names no rule for it"})
		}
		rows = append(rows, p.rows(project.Name, project.Planned, overview.Would)...)
		rows = append(rows, p.rows(project.Name, project.Waiting, overview.Would)...)
	}
	if len(rows) > 1 {
		p.out.table(rows)
	}
	troubled := false
	for _, project := range result.Projects {
		if t := project.Twin; t != nil && t.Open {
			p.out.say("%s: %s.", project.Name, t.Says())
		}
		p.out.sayConditions(project.Name, project.Conditions)
		p.out.problems(project.Problems, p.verbose)
		troubled = troubled || len(project.Conditions)+len(project.Problems) > 0
	}
	if len(rows) == 1 && !troubled {
		p.out.say("Nothing to do: all is as the policy wants it.")
	}
	if len(rows) == 1 {
		return
	}
	if result.Mode == policy.Observe {
		p.out.say("\nThe policy only observes: nothing is asked for or trained, finished exports are archived.")
	}
}
