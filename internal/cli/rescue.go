package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"visionkeeper/internal/app"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/overview"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/reconcile"
	"visionkeeper/internal/rescue"
	"visionkeeper/internal/state"
)

type rescueResult struct {
	Projects []rescued    `json:"projects"`
	Total    *state.Total `json:"total"`    // of all of them; null where there is none
	NotBegun []string     `json:"notBegun"` // left out by an interruption
}

type rescued struct {
	state.Coverage
	Unproven int       `json:"unproven"` // finished exports without a backup
	Whole    bool      `json:"whole"`    // all that can be saved is
	Problems []problem `json:"problems"`
}

type rescuePlanResult struct {
	Projects []rescue.Plan `json:"projects"`
	// CallsPerSecond is the rate of one process alone, Hours what all calls take at it.
	CallsPerSecond float64 `json:"callsPerSecond"`
	Hours          float64 `json:"hours"`
	Bytes          int64   `json:"bytes"` // estimated
	// DollarsOnce and DollarsMonthly are what storage costs, computed from list prices.
	DollarsOnce    float64 `json:"dollarsOnce"`
	DollarsMonthly float64 `json:"dollarsMonthly"`
}

func (p *program) rescueCommand() *cobra.Command {
	var project string
	var all, plan, predictions bool
	c := p.verb("rescue", "Save everything of a project: every export, and the whole data set", `
Asks for every export that every exportable iteration offers, archives them, and
saves the data set: every image with its tags, boxes and metadata, as the
project has it now and as each iteration saw it, with a proof for each. What is
saved already costs only a look. It may be ended at any time; the next run, or
the app's sweeps where the policy has "rescue", go on from there.

--plan only looks, and says what that takes. The exit code is 3 if something
that can be saved isn't.`,
		func(ctx context.Context, _ []string) error {
			if plan {
				return failedTo("plan the rescue", p.rescuePlan(ctx, project))
			}
			return failedTo("rescue the project", p.rescue(ctx, project, predictions))
		})
	c.Flags().StringVar(&project, "project", "", "`name` or id of the project")
	c.Flags().BoolVar(&all, "all", false, "every project")
	c.Flags().BoolVar(&predictions, "predictions", false, "save stored predictions too: pictures that people had classified")
	c.Flags().BoolVar(&plan, "plan", false, "say what it takes, and do nothing")
	c.PreRunE = func(c *cobra.Command, _ []string) error {
		if !all && project == "" {
			return errors.New("--project or --all is missing: give it the name or id of a project, or take every one")
		}
		return notTogether(c, "all", "project")
	}
	return c
}

// rescuer opens what a rescue needs, and finds the projects.
func (p *program) rescuer(ctx context.Context, which string) (*reconcile.Reconciler, *rescue.Rescuer, []customvision.Project, error) {
	r, projects, err := p.asker(ctx, which)
	if err != nil {
		return nil, nil, nil, err
	}
	set, _, err := p.settings()
	if err != nil {
		return nil, nil, nil, err
	}
	if which == "" { // twins have their originals' data sets
		projects = slices.DeleteFunc(projects, func(project customvision.Project) bool {
			_, ok := policy.ParseTwin(project.Name)
			return ok
		})
	}
	saver, err := app.NewRescuer(set, p.version, r)
	return r, saver, projects, err
}

func (p *program) rescue(ctx context.Context, which string, predictions bool) error {
	r, saver, projects, err := p.rescuer(ctx, which)
	if err != nil {
		return err
	}
	result := rescueResult{Projects: []rescued{}, NotBegun: []string{}}
	whole, failed := true, false
	for i, project := range projects {
		if ctx.Err() != nil {
			result.NotBegun = append(result.NotBegun, project.Name)
			continue
		}
		p.out.progress(i, len(projects), project.Name)
		one := rescued{Problems: []problem{}}
		var modelsErr error
		one.Unproven, modelsErr = p.rescueModels(ctx, r, project)
		progress, err := p.rescueData(ctx, saver, project.ID, rescue.Wish{Force: true, Predictions: predictions})
		if err := errors.Join(modelsErr, err); err != nil {
			one.Problems, failed = explain(failedTo(fmt.Sprintf("save everything of the project %q", project.Name), err)), true
		}
		one.Coverage = progress.Covered
		one.Whole = one.Coverage.Whole() && one.Unproven == 0 && len(one.Problems) == 0
		whole = whole && one.Whole
		result.Projects = append(result.Projects, one)
	}
	var all []state.Coverage
	for _, one := range result.Projects {
		all = append(all, one.Coverage)
	}
	result.Total = state.Sum(all, overview.DaysLeft(time.Now()))
	if err := p.out.result(result, func() { p.sayRescued(result) }); err != nil {
		return err
	}
	if err := p.broken(ctx, result.NotBegun, failed); err != nil || whole {
		return err
	}
	return exitCode(exitFound)
}

// rescueModels has every exportable iteration exported, and waits until all of it is
// archived or refused. It returns how many finished exports have no backup.
func (p *program) rescueModels(ctx context.Context, r *reconcile.Reconciler, project customvision.Project) (unproven int, err error) {
	iterations, err := r.Service.Iterations(ctx, project.ID)
	if err != nil {
		return 0, err
	}
	for _, it := range iterations {
		if it.Status != customvision.StatusCompleted || !it.Exportable {
			continue
		}
		ask := &reconcile.Ask{Exports: []string{policy.All}, Again: true}
		for ctx.Err() == nil {
			report, err := r.Reconcile(p.logged(context.WithoutCancel(ctx)), reconcile.Request{Key: reconcile.Key{Project: project.ID, Iteration: it.ID}, Ask: ask})
			if err := errors.Join(err, report.Err(it.ID)); err != nil {
				return unproven, err
			}
			unproven = report.Unproven
			if len(report.Waiting) == 0 {
				break
			}
			ask = &reconcile.Ask{Exports: ask.Exports}
		}
	}
	return unproven, nil
}

// rescueData saves the data set, and waits while another process is at it.
func (p *program) rescueData(ctx context.Context, saver *rescue.Rescuer, project string, wish rescue.Wish) (rescue.Progress, error) {
	for {
		progress, err := saver.Run(ctx, project, wish)
		if !errors.Is(err, rescue.ErrBusy) {
			return progress, err
		}
		p.out.warn("%s.", sentence(err.Error()))
		select {
		case <-ctx.Done():
			return progress, nil
		case <-time.After(max(time.Second, time.Until(progress.HeldUntil))):
		}
	}
}

func (p *program) sayRescued(r rescueResult) {
	for _, one := range r.Projects {
		p.out.problems(one.Problems, p.verbose)
		p.sayCoverage(one.Coverage)
		if one.Unproven > 0 {
			p.out.sayWrapped(p.out.yellow, count(one.Unproven, "finished export")+" "+have(one.Unproven)+" no backup; `visionkeeper status` says why.", 2)
		}
		if one.Whole {
			p.out.say("%s", p.out.green("  Everything that can be saved is in the archive."))
		}
	}
	if t := r.Total; t != nil && t.Projects > 1 {
		p.out.say("All of them")
		p.out.say("  models    %d of %d saved, %d can't be exported", t.Safe, t.Trained, t.Stuck)
		p.out.say("  images    %d of %d saved, %s", t.Saved, t.Images, size(t.Bytes))
		p.out.say("  data set  %d of %d snapshots complete", t.Complete, t.Wanted)
		p.out.say("  Custom Vision ends in %s.", count(t.RetirementDays, "day"))
	}
}

// sayCoverage says what of a project is saved.
func (p *program) sayCoverage(c state.Coverage) {
	p.out.say("%s", c.Name)
	p.out.say("  models    %d of %d saved", c.Safe, c.Trained)
	p.out.say("  images    %d of %d saved, %s", c.Saved, c.Images, size(c.Bytes))
	p.out.say("  data set  %d of %d snapshots complete", c.Complete, c.Wanted)
	p.sayStuck(c.Stuck)
	for _, m := range c.Missing {
		p.out.sayWrapped(p.out.yellow, sentence(m)+".", 2)
	}
}

// sayStuck names the models that can't leave Custom Vision.
func (p *program) sayStuck(list []state.Stuck) {
	for _, s := range list {
		text := fmt.Sprintf("%s, trained on %s, can't be exported: its domain %s isn't compact.", s.Name, s.Since.Format("2006-01-02"), s.Domain)
		if s.Twin != "" {
			text += " A compact twin of it is in the archive, which is not the same model."
		}
		p.out.sayWrapped(p.out.yellow, text, 2)
	}
}

// What storage costs, in US dollars: list prices as docs/deploy.md has them.
const (
	dollarsPerWrite   = 0.05 / 10_000
	dollarsPerGBMonth = 0.02
)

func (p *program) rescuePlan(ctx context.Context, which string) error {
	_, saver, projects, err := p.rescuer(ctx, which)
	if err != nil {
		return err
	}
	set, _, err := p.settings()
	if err != nil {
		return err
	}
	result := rescuePlanResult{Projects: []rescue.Plan{}, CallsPerSecond: set.CallsPerSecond / 2}
	calls, pictures := 0, 0
	for i, project := range projects {
		p.out.progress(i, len(projects), project.Name)
		plan, err := saver.Plan(ctx, project)
		if err != nil {
			return err
		}
		calls, pictures, result.Bytes = calls+plan.Calls, pictures+plan.Pictures, result.Bytes+plan.Bytes
		result.Projects = append(result.Projects, plan)
	}
	result.Hours = rescue.Time(calls, result.CallsPerSecond).Hours()
	result.DollarsOnce, result.DollarsMonthly = float64(pictures)*dollarsPerWrite, float64(result.Bytes)/1e9*dollarsPerGBMonth
	return p.out.result(result, func() { p.sayRescuePlan(result, calls) })
}

func (p *program) sayRescuePlan(r rescuePlanResult, calls int) {
	rows := [][]string{{"PROJECT", "EXPORTS", "IMAGES", "TO READ", "ABOUT", "CALLS"}}
	for _, one := range r.Projects {
		rows = append(rows, []string{one.Name, fmt.Sprint(one.Exports), fmt.Sprint(one.Images), fmt.Sprint(one.Pictures), size(one.Bytes), fmt.Sprint(one.Calls)})
	}
	p.out.table(rows)
	for _, one := range r.Projects {
		if len(one.Stuck) > 0 {
			p.out.say("%s", one.Name)
			p.sayStuck(one.Stuck)
		}
	}
	p.out.sayWrapped(plain, fmt.Sprintf("It takes about %s calls, %s at %g a second, besides the time for the bytes and for Custom Vision's own work.",
		fmt.Sprint(calls), duration(r.Hours), r.CallsPerSecond), 0)
	p.out.sayWrapped(plain, fmt.Sprintf("Storage costs about $%.2f once and $%.2f a month; reading images and asking for exports trains nothing.", r.DollarsOnce, r.DollarsMonthly), 0)
}

// duration says hours in words.
func duration(hours float64) string {
	if hours < 1 {
		return count(int(hours*60)+1, "minute")
	}
	return fmt.Sprintf("%.1f hours", hours)
}
