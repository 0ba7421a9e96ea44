package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/overview"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/reconcile"
	"visionkeeper/internal/state"
)

type promoteResult struct {
	Project       string `json:"project"` // id
	Name          string `json:"name"`
	Iteration     string `json:"iteration"` // id
	IterationName string `json:"iterationName"`
	PublishedAs   string `json:"publishedAs"`
	// Published reports whether this command published it. If not, it had the name already.
	Published bool `json:"published"`
}

func (p *program) promoteCommand() *cobra.Command {
	var s selection
	var force bool
	c := p.verb("promote", "Publish an iteration under the policy's name", `
The iteration gets the name that the policy's promote has for the project, if it
passes the gate there. The one that has the name now loses it. It is announced in
the state and sent once, as the app's own are. The policy leaves that as it is
until a newer iteration is there. Where the gate goes by a hold-out set, its
pictures are asked first, as far as they weren't yet.`,
		func(ctx context.Context, _ []string) error {
			return failedTo("publish the iteration", p.promote(ctx, s, force))
		})
	s.flags(c)
	c.Flags().Lookup("project").Usage = "`name` or id of the project"
	c.Flags().Lookup("iteration").Usage, c.Flags().Lookup("iteration").DefValue = "`name` or id of an iteration, or latest", "latest"
	s.iteration = "latest"
	c.Flags().BoolVar(&force, "force", false, "publish it even if it doesn't pass the policy's gate")
	c.PreRunE = func(*cobra.Command, []string) error { return needProject(s.project) }
	return c
}

func (p *program) rollbackCommand() *cobra.Command {
	var project string
	c := p.verb("rollback", "Publish again what was published before", `
The iteration that had the policy's name before gets it again, as the app
remembers it, whatever the policy's gate says. The policy leaves that as it is
until a newer iteration is there.`,
		func(ctx context.Context, _ []string) error {
			return failedTo("publish the iteration from before", p.rollback(ctx, project))
		})
	c.Flags().StringVar(&project, "project", "", "`name` or id of the project")
	c.PreRunE = func(*cobra.Command, []string) error { return needProject(project) }
	return c
}

func (p *program) promote(ctx context.Context, s selection, force bool) error {
	r, project, rule, err := p.promoter(ctx, s.project)
	if err != nil {
		return err
	}
	id, err := findIteration(ctx, r.Service, project, s.iteration)
	if err != nil {
		return err
	}
	report, err := p.askToPromote(ctx, r, project, reconcile.Ask{Promote: id, Force: force})
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(report.Iterations, func(it customvision.Iteration) bool { return it.ID == id }); i < 0 || report.Iterations[i].PublishName != rule.Name {
		return problem{What: "Could not publish the iteration", Why: "The list of the project's iterations can't be read whole now, so who has the name isn't known",
			Do: "Try again in some minutes; `visionkeeper plan` says what can't be seen"}
	}
	return p.sayPromoted(project, rule.Name, report)
}

func (p *program) rollback(ctx context.Context, which string) error {
	r, project, rule, err := p.promoter(ctx, which)
	if err != nil {
		return err
	}
	report, err := p.askToPromote(ctx, r, project, reconcile.Ask{Rollback: true})
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(report.Done, isPromotion) {
		return problem{What: "Could not publish the iteration from before", Why: fmt.Sprintf("The app remembers no other iteration that had the name %q and is there", rule.Name),
			Do: "Say which one: promote takes --iteration. `visionkeeper promote --help` shows how"}
	}
	return p.sayPromoted(project, rule.Name, report)
}

// promoter opens what publishing needs, and finds the project and the policy's rule.
func (p *program) promoter(ctx context.Context, which string) (*reconcile.Reconciler, customvision.Project, *policy.Promote, error) {
	r, projects, err := p.asker(ctx, which)
	if err != nil {
		return nil, customvision.Project{}, nil, err
	}
	project := projects[0]
	inForce, err := r.Policy.Now(ctx)
	if err != nil {
		return nil, project, nil, err
	}
	rule, _ := inForce.For(project.ID, project.Name)
	if rule.Promote == nil {
		return nil, project, nil, problem{What: "Could not publish an iteration", Why: fmt.Sprintf("The policy doesn't say under which name those of %s are published, and to which prediction resource", project.Name),
			Do: "Give the rule for the project a \"promote\" with name and predictionId; with mode observe the app itself publishes nothing"}
	}
	return r, project, rule.Promote, nil
}

func (p *program) askToPromote(ctx context.Context, r *reconcile.Reconciler, project customvision.Project, ask reconcile.Ask) (reconcile.Report, error) {
	report, err := r.Reconcile(p.logged(context.WithoutCancel(ctx)), reconcile.Request{Key: reconcile.Key{Project: project.ID}, Known: &project, Ask: &ask})
	err = errors.Join(err, report.Err(""))
	switch {
	case reconcile.CodeOf(err) == state.GateFailed:
		return report, problem{What: "Could not publish the iteration", Why: sentence(reconcile.WhyOf(err)), Do: "Choose another one, or say --force to publish it all the same"}
	case reconcile.CodeOf(err) == state.HoldOutUnusable:
		return report, problem{What: "Could not publish the iteration", Why: sentence(reconcile.WhyOf(err)), Do: "Mend the hold-out set, or say --force to publish it whatever it would show"}
	case err == nil && !slices.ContainsFunc(report.Done, isPromotion) && slices.ContainsFunc(report.Waiting, func(a reconcile.Action) bool { return a.Fact == state.FactFigures }):
		return report, problem{What: "Could not publish the iteration", Why: "The pictures of the hold-out set are being asked by another process", Do: "Look with `visionkeeper plan` whether that has ended, and ask again"}
	case err == nil && !slices.ContainsFunc(report.Done, isPromotion) && slices.ContainsFunc(report.Waiting, func(a reconcile.Action) bool { return a.Fact == state.FactPromotion }):
		return report, problem{What: "Could not publish the iteration", Why: "Another promotion of the project is underway", Do: "Look with `visionkeeper status` what came of it, and ask again in some minutes"}
	}
	return report, err
}

func isPromotion(a reconcile.Action) bool { return a.Kind == reconcile.Promote }

func (p *program) sayPromoted(project customvision.Project, name string, report reconcile.Report) error {
	result := promoteResult{Project: project.ID, Name: project.Name, PublishedAs: name, Published: slices.ContainsFunc(report.Done, isPromotion)}
	if i := slices.IndexFunc(report.Iterations, func(it customvision.Iteration) bool { return it.PublishName == name }); i >= 0 {
		result.Iteration, result.IterationName = report.Iterations[i].ID, overview.Named(report.Iterations)(report.Iterations[i].ID)
	}
	return p.out.result(result, func() {
		is := fmt.Sprintf("%s of %s is published as %s", cmp.Or(result.IterationName, result.Iteration), project.Name, name)
		if result.Published {
			p.out.say("%s", p.out.green(is+"."))
			return
		}
		p.out.say("%s already.", is)
	})
}
