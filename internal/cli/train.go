package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/reconcile"
	"visionkeeper/internal/state"
)

type trainResult struct {
	Project string `json:"project"` // id
	Name    string `json:"name"`
	// Started reports whether this command started the training. If not, one runs already.
	Started       bool   `json:"started"`
	Iteration     string `json:"iteration"` // id; empty where it isn't known yet
	IterationName string `json:"iterationName"`
}

func (p *program) trainCommand() *cobra.Command {
	var project string
	var force bool
	c := p.verb("train", "Train a project", `
Training costs money at Custom Vision's prices. The training is announced in the
state and sent once, as the app's own are; while one runs, none is started. It
needs no rule in the policy. Where the policy has monthlyBudgetHours, that bounds it
too. The app goes on by itself when the training ends.`,
		func(ctx context.Context, _ []string) error {
			return failedTo("train the project", p.train(ctx, project, force))
		})
	c.Flags().StringVar(&project, "project", "", "`name` or id of the project")
	c.Flags().BoolVar(&force, "force", false, "train even if nothing changed since the last training")
	c.PreRunE = func(*cobra.Command, []string) error { return needProject(project) }
	return c
}

func (p *program) train(ctx context.Context, which string, force bool) error {
	r, projects, err := p.asker(ctx, which)
	if err != nil {
		return err
	}
	project := projects[0]
	report, err := r.Reconcile(p.logged(context.WithoutCancel(ctx)), reconcile.Request{
		Key: reconcile.Key{Project: project.ID}, Known: &project, Ask: &reconcile.Ask{Train: true, Force: force},
	})
	if err := errors.Join(err, report.Err("")); err != nil {
		var refused *customvision.Error
		if errors.As(err, &refused) && customvision.NotNeeded(err) {
			return problem{
				What: "Could not train the project", Why: "Nothing changed since its last training", RequestID: refused.RequestID,
				Do: "Add or tag pictures first, or say --force to train it all the same",
			}
		}
		if reconcile.CodeOf(err) == state.BudgetSpent {
			return problem{What: "Could not train the project", Why: sentence(reconcile.WhyOf(err)), Do: "Wait until then, or raise monthlyBudgetHours in the policy: it is a ceiling over all trainings, whoever asks for them"}
		}
		return err
	}
	result := trainResult{Project: project.ID, Name: project.Name,
		Started: slices.ContainsFunc(report.Done, func(a reconcile.Action) bool { return a.Kind == reconcile.Train })}
	for _, it := range report.Iterations {
		if it.Status == customvision.StatusTraining {
			result.Iteration, result.IterationName = it.ID, it.Name
		}
	}
	return p.out.result(result, func() {
		if result.Started {
			p.out.say("%s", p.out.green(fmt.Sprintf("Training %s of %s. `visionkeeper status` shows how far it is.", orDash(result.IterationName), project.Name)))
			return
		}
		p.out.say("A training of %s runs already (%s). None was started.", project.Name, orDash(result.IterationName))
	})
}

// asker opens what a person's own ask needs, and finds the project that is named.
func (p *program) asker(ctx context.Context, which string) (*reconcile.Reconciler, []customvision.Project, error) {
	r, projects, _, err := p.reconciler(ctx, selection{project: which})
	if err == nil {
		err = requireService(r.Service)
	}
	return r, projects, err
}
