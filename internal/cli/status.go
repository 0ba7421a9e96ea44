package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"visionkeeper/internal/app"
	"visionkeeper/internal/connect"
	"visionkeeper/internal/overview"
	"visionkeeper/internal/remedy"
	"visionkeeper/internal/settings"
	"visionkeeper/internal/state"
)

func (p *program) statusCommand() *cobra.Command {
	var wide bool
	c := p.verb("status", "Show where everything stands", `
The archive has what is archived and proven; it alone is needed. Custom Vision
adds what is trained and exported, the state what can't be done now and what the
last sweep found, the queue what waits. What the settings name and can't be
reached is left out, and said; then the exit code is 3.`,
		func(ctx context.Context, _ []string) error { return failedTo("show the status", p.status(ctx, wide)) })
	c.Flags().BoolVar(&wide, "wide", false, "show all exports of all models, however long the lines get")
	return c
}

func (p *program) status(ctx context.Context, wide bool) error {
	v, err := p.openVault()
	if err != nil {
		return err
	}
	sources := overview.Sources{Archive: v.archive, State: v.state, Sets: v.sets}
	notes := []string{}
	set, _, err := p.settings()
	complete := err == nil
	if err == nil && set.Endpoint == "" {
		notes = append(notes, "what is trained and exported is shown as far as it is remembered: CUSTOMVISION_ENDPOINT is not set")
	}
	if err == nil {
		err = addSources(&sources, set)
	}
	if err != nil {
		complete = false
		first := explain(err)[0]
		notes = append(notes, overview.Note("only the archive is shown", remedy.New(first.Do, "%s", first.Why)))
	}
	result, err := overview.New(sources).Gather(ctx)
	if err != nil {
		return err
	}
	result.Complete = result.Complete && complete
	result.Notes = append(notes, result.Notes...)
	if err := p.out.result(result, func() { p.sayStatus(result, wide) }); err != nil || result.Complete {
		return err
	}
	return exitCode(exitFound)
}

// addSources adds what besides archive and state the settings lead to.
func addSources(s *overview.Sources, set settings.Settings) (err error) {
	s.Queue, s.QueueURI = set.Queue, connect.URIsOf(set).Queue
	if s.Queues, err = set.Models.Queue(nil); err != nil {
		return err
	}
	s.Service, err = app.OpenService(set, app.FewRetries())
	return err
}

func (p *program) sayStatus(r overview.Status, wide bool) {
	if wide {
		p.sayModelsWide(r.Projects)
	} else {
		p.sayModels(r.Projects)
	}
	for _, project := range r.Projects {
		for _, t := range project.Trainings {
			p.sayLine(wide, p.out.yellow, fmt.Sprintf("%s: the training %s has the status %s since %s.", project.Name, t.Name, t.Status, overview.Minute(t.Last)))
		}
		if project.Connected != nil && !*project.Connected {
			p.sayLine(wide, p.out.yellow, fmt.Sprintf("%s is not connected: only the timer finds its models. Run `%s`.", project.Name, connectCommand(project.Name, project.ID)))
		}
		if t := project.Twin; t != nil {
			p.sayLine(wide, plain, project.Name+": "+t.Says()+".")
		}
		for _, text := range conditionTexts(project.Name, project.Conditions) {
			p.sayLine(wide, p.out.yellow, text)
		}
	}
	if r.Unproven > 0 {
		p.sayLine(wide, p.out.yellow, count(r.Unproven, "finished export")+" "+have(r.Unproven)+" no proven backup.")
	}
	var counts []string
	if r.Queue != nil {
		counts = append(counts, count(r.Queue.Messages, "message")+" on the queue", fmt.Sprintf("%d in its poison queue", r.Queue.Poison))
	}
	if r.DeadLetters != nil {
		counts = append(counts, count(*r.DeadLetters, "dead letter"))
	}
	if len(counts) > 0 {
		p.sayLine(wide, plain, sentence(strings.Join(counts, ", "))+".")
	}
	for _, text := range conditionTexts("", r.Conditions) {
		p.sayLine(wide, p.out.yellow, text)
	}
	p.saySets(r.Rescue, wide)
	p.saySweep(r.Sweep, wide)
	for _, n := range r.Notes {
		p.sayLine(wide, p.out.yellow, sentence(n)+".")
	}
	p.out.say("%s", share(r))
	p.out.say("Custom Vision retires on %s, in %s.", overview.Retirement.Format("2 January 2006"), count(r.RetirementDays, "day"))
}

// saySets says what is saved of data sets, and the first things that are missing.
func (p *program) saySets(list []state.Coverage, wide bool) {
	for _, c := range list {
		p.sayLine(wide, plain, fmt.Sprintf("Data set of %s: %d of %s complete, %d of %s saved.",
			c.Name, c.Complete, count(c.Wanted, "snapshot"), c.Saved, count(c.Images, "image")))
		p.sayStuck(c.Stuck)
		shown := c.Missing[:min(len(c.Missing), mostMissing)]
		for _, m := range shown {
			p.sayLine(wide, p.out.yellow, sentence(m)+".")
		}
		if more := len(c.Missing) - len(shown); more > 0 {
			p.sayLine(wide, p.out.yellow, fmt.Sprintf("And %d more; `visionkeeper status --json` names them.", more))
		}
	}
}

// mostMissing is how much of what is missing of a data set is said.
const mostMissing = 3

// share says how many of the known models are safe. Without Custom Vision's whole
// answer nobody knows of how many.
func share(r overview.Status) string {
	switch {
	case !r.Asked:
		return fmt.Sprintf("%s in the archive %s safe; which others there are is not known.", count(r.Safe, "model"), are(r.Safe))
	case r.Models == 0:
		return "No model is trained."
	}
	return fmt.Sprintf("%d of %s %s safe (%d %%).", r.Safe, count(r.Models, "model"), are(r.Safe), 100*r.Safe/r.Models)
}

// sayModels prints a line for each model, and more for one that isn't safe.
func (p *program) sayModels(projects []overview.Project) {
	const widest = 26 // of a name, so that a line fits 80 columns
	rows := [][]string{{"PROJECT", "ITERATION", "TRAINED", "SAFE"}}
	details := [][]string{nil}
	for _, project := range projects {
		if len(project.Iterations) == 0 && project.Connected != nil { // Custom Vision was asked
			rows = append(rows, []string{cut(project.Name, widest), "no model yet", "-", "-"})
			details = append(details, nil)
		}
		for _, m := range project.Iterations {
			rows = append(rows, []string{cut(project.Name, widest), cut(title(m), widest), trained(m), yes(m.Safe)})
			details = append(details, more(m))
		}
	}
	if len(rows) == 1 {
		return
	}
	for i, line := range align(rows) {
		p.out.say("%s", line)
		for _, detail := range details[i] {
			p.out.sayWrapped(p.out.yellow, detail, 2)
		}
	}
	p.out.say("")
}

func (p *program) sayModelsWide(projects []overview.Project) {
	rows := [][]string{{"PROJECT", "ITERATION", "TRAINED", "EXPORTED", "ARCHIVED", "PROVEN", "SAFE"}}
	for _, project := range projects {
		for _, m := range project.Iterations {
			rows = append(rows, []string{project.Name, title(m), trained(m), list(m.Exported), list(m.Archived), list(m.Proven), yes(m.Safe)})
		}
	}
	if len(rows) > 1 {
		p.out.table(rows)
		p.out.say("")
	}
}

// more says what there is to know of a model that isn't safe, or not wholly.
func more(m overview.Model) []string {
	var details []string
	if m.Deleted != nil {
		details = append(details, "deleted at Custom Vision by this app on "+m.Deleted.Format("2006-01-02")+" to make room; the archive has it")
	}
	for _, d := range []struct {
		what    string
		exports []string
	}{
		{"exported, and without a proven backup", m.Unproven},
		{"being exported", m.Exporting},
		{"Custom Vision could not export", m.Failed},
	} {
		if len(d.exports) > 0 {
			details = append(details, d.what+": "+strings.Join(d.exports, ", "))
		}
	}
	switch {
	case len(details) > 0 || m.Safe:
	case len(m.Archived) > 0:
		details = append(details, "in the archive, and no backup: "+strings.Join(m.Archived, ", "))
	case m.Stuck:
		details = append(details, "can't be exported since it was trained: its domain isn't compact")
	default:
		details = append(details, "not exported")
	}
	return details
}

func title(m overview.Model) string {
	if m.Newest {
		return m.Name + " (newest)"
	}
	return m.Name
}

func trained(m overview.Model) string {
	if m.TrainedAt == nil {
		return "-"
	}
	return m.TrainedAt.Format("2006-01-02")
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// saySweep says what the last sweep did.
func (p *program) saySweep(s *overview.Sweep, wide bool) {
	if s == nil {
		return
	}
	text := fmt.Sprintf("The last sweep ended %s: %d of %s looked at.", overview.Minute(s.Ended), s.Covered, count(s.Projects, "project"))
	switch {
	case s.Round == nil:
		text += " No round over all projects was whole yet."
	case s.Round.Before(s.Ended):
		text += " The last whole round ended " + overview.Minute(*s.Round) + "."
	}
	p.sayLine(wide, plain, text)
	for _, text := range conditionTexts("", s.Conditions) {
		p.sayLine(wide, p.out.yellow, text)
	}
	for _, w := range append(slices.Clone(s.Warnings), s.Errors...) {
		p.sayLine(wide, p.out.yellow, "It said: "+strings.TrimRight(w, ".")+".")
	}
}

// sayLine prints a line, over several lines where it wouldn't fit 80 columns.
func (p *program) sayLine(wide bool, paint func(string) string, text string) {
	if wide {
		p.out.say("%s", paint(text))
		return
	}
	p.out.sayWrapped(paint, text, 0)
}

func plain(s string) string { return s }

func have(n int) string {
	if n == 1 {
		return "has"
	}
	return "have"
}

func list(names []string) string {
	if len(names) == 0 {
		return "-"
	}
	return strings.Join(names, " ")
}

// mostConditions is how many conditions of a project are shown to a person.
const mostConditions = 20

// sayConditions prints the conditions of a project.
func (o *output) sayConditions(project string, list []overview.Condition) {
	for _, text := range conditionTexts(project, list) {
		o.say("%s", o.yellow(text))
	}
}

// conditionTexts say the conditions of a project, a sentence each.
func conditionTexts(project string, list []overview.Condition) []string {
	var texts []string
	for _, c := range list[:min(len(list), mostConditions)] {
		where := strings.Trim(project+", "+c.Place(), ", ")
		if where != "" {
			where += ": "
		}
		texts = append(texts, "Blocked: "+where+strings.TrimRight(c.Why, ".")+"; "+c.When(time.Now())+".")
	}
	if more := len(list) - mostConditions; more > 0 {
		texts = append(texts, "Blocked: "+project+": "+count(more, "thing")+" more; --json lists all.")
	}
	return texts
}
