package cli

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/overview"
	"visionkeeper/internal/remedy"
	"visionkeeper/internal/state"
	"visionkeeper/internal/twin"
)

type twinResult struct {
	twin.Takes
	// Begun reports whether this command began it.
	Begun bool `json:"begun"`
	// Stage is how far it is, for a person; empty where there is none.
	Stage string `json:"stage"`
	// Refused is why it can't go on now; null where it can.
	Refused *overview.Condition `json:"refused"`
	// Record is what the archive says of it; null before it is there.
	Record *archive.Twin `json:"record"`
}

func (p *program) twinCommand() *cobra.Command {
	var project string
	var yes bool
	c := p.verb("twin", "Have a compact twin made of a project whose model can't be exported", `
A twin is a copy of the project, trained on a compact domain, exported and
archived, and then deleted at Custom Vision unless the policy keeps it. It is
not the same model. The project itself isn't touched. The policy's rule for the
project has to have "twin".

Without --yes it says what a twin takes, and begins nothing: training costs
money. With it, the twin is begun; the app's sweeps go on with it, and so does
this command whenever it is run. Where the last one has ended, --yes makes
another one, of the project as it is then.`,
		func(ctx context.Context, _ []string) error {
			return failedTo("make a twin", p.twin(ctx, project, yes))
		})
	c.Flags().StringVar(&project, "project", "", "`name` or id of the project")
	c.Flags().BoolVar(&yes, "yes", false, "really begin it")
	c.PreRunE = func(*cobra.Command, []string) error { return needProject(project) }
	return c
}

func (p *program) twin(ctx context.Context, which string, yes bool) error {
	r, projects, err := p.asker(ctx, which)
	if err != nil {
		return err
	}
	project, maker := projects[0], &twin.Maker{Options: r.Options, Now: true}
	takes, err := maker.Takes(ctx, project)
	// What there is is shown and gone on with, though there can't be another one now.
	if err != nil && (yes || takes.Twin == nil) && !takes.Twin.Open() {
		return err
	}
	result := twinResult{Takes: takes}
	if yes && !takes.Twin.Open() {
		if err := maker.Begin(ctx, project, takes); err != nil {
			return err
		}
		result.Begun = true
	}
	// What is begun is announced, sent and recorded, though somebody doesn't want to wait.
	result.Twin, err = maker.Run(p.logged(context.WithoutCancel(ctx)), project)
	switch {
	case err != nil && result.Begun:
		return remedy.New(fmt.Sprintf("leave it to the app's sweeps, or go on with `%s`", twinOf(project)), "it is begun, but can't go on now: %w", err)
	case err != nil:
		return err
	}
	if t := result.Twin; t != nil {
		result.Stage = t.Stage()
		if result.Refused, err = refused(ctx, r.State, project); err != nil {
			return err
		}
		if result.Record, err = p.twinRecord(ctx, r.Archive, project, t); err != nil {
			return err
		}
	}
	return p.out.result(result, func() { p.sayTwin(project, result) })
}

// refused is what keeps the twin of a project from being made; nil where nothing does.
func refused(ctx context.Context, states *state.Store, project customvision.Project) (*overview.Condition, error) {
	record, err := states.Load(ctx, customvision.Canonical(project.ID))
	if err != nil {
		return nil, err
	}
	c := record.Condition(state.Scope{Fact: state.FactTwin})
	if c == nil {
		return nil, nil
	}
	return &overview.Conditions([]state.Condition{*c}, overview.Named(nil))[0], nil
}

// twinRecord is what the archive says of a twin; nil where it says nothing yet.
func (p *program) twinRecord(ctx context.Context, a *archive.Archive, project customvision.Project, t *state.Twin) (*archive.Twin, error) {
	list, err := a.Twins(ctx, project.ID)
	for i := range list {
		if list[i].Blob() == t.Record {
			return &list[i], err
		}
	}
	return nil, err
}

// twinOf is the command that looks at the twin of a project, and goes on with it.
func twinOf(project customvision.Project) string {
	return "visionkeeper twin --project " + quoted(project.Name)
}

func (p *program) sayTwin(project customvision.Project, r twinResult) {
	say := func(format string, a ...any) { p.out.sayWrapped(plain, fmt.Sprintf(format, a...), 0) }
	if t := r.Twin; t != nil {
		say("The compact twin of %s of %s, asked for %s, %s.", t.IterationName, project.Name, overview.Minute(t.Asked), t.Stage())
		if r.Record != nil {
			p.sayCompared(*r.Record)
		}
		if r.Refused != nil {
			for _, text := range conditionTexts(project.Name, []overview.Condition{*r.Refused}) {
				p.out.sayWrapped(p.out.yellow, text, 0)
			}
		}
		if t.Open() {
			say("The app's sweeps go on with it; `visionkeeper status` shows how far it is.")
			return
		}
		if r.Begun || r.Iteration == "" { // it came to nothing at once, or there can't be another one now
			return
		}
	}
	begin := twinOf(project) + " --yes"
	if r.Record != nil && r.Record.Original.Iteration == r.Iteration {
		say("`%s` begins another one, of the project as it is now.", begin)
		return
	}
	say("%s of %s, trained on %s, can't be exported: its domain %s isn't compact.", r.IterationName, project.Name, r.Since.Format("2006-01-02"), r.Domain)
	then := "deleted at Custom Vision"
	if r.Keep {
		then = "kept as a project at Custom Vision, as the policy says"
	}
	say("A compact twin is a copy of the project, trained once on %s, exported and archived, compared with the original, and then %s. It is not the same model. The project itself isn't touched. It takes:", r.Compact, then)
	p.out.say("  training  %s at most, at Custom Vision's prices", count(r.Hours, "hour"))
	p.out.say("  projects  one more than the %d that the resource has", r.Projects)
	p.out.say("            (Custom Vision allows 100, and 2 in its free tier)")
	p.out.say("  images    %d, copied within Custom Vision as the project has them now", r.Images)
	say("Nothing was begun. `%s` begins it.", begin)
}

// sayCompared says how well a model and its twin predict.
func (p *program) sayCompared(t archive.Twin) {
	rows := [][]string{{"", "DOMAIN", "PRECISION", "RECALL", "AVERAGE PRECISION"}}
	for _, m := range []struct {
		is string
		archive.Trained
	}{{"original", t.Original}, {"twin", t.Twin}} {
		var f customvision.Performance
		_ = json.Unmarshal(m.Performance, &f) // what the archive doesn't know is shown as such
		rows = append(rows, []string{m.is, m.Domain, figure(f.Precision), figure(f.Recall), figure(f.AveragePrecision)})
	}
	p.out.table(rows)
	p.out.sayWrapped(plain, fmt.Sprintf("The twin is %s. Custom Vision measured each on a part of the images that it was trained with, at a probability of %g.", t.Says, t.Threshold), 0)
}

func figure(f *float64) string {
	if f == nil {
		return "-"
	}
	return fmt.Sprintf("%.3f", *f)
}
