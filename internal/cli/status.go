package cli

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/settings"
	"visionkeeper/internal/state"
	"visionkeeper/internal/storage"
)

// retirement is when Custom Vision ends:
// https://learn.microsoft.com/azure/ai-services/custom-vision-service/migration-options
var retirement = time.Date(2028, time.September, 25, 0, 0, 0, 0, time.UTC)

type statusResult struct {
	Projects []projectStatus `json:"projects"`
	// Models counts the known trained iterations, Safe those of them that have a
	// proven or intact backup.
	Models int `json:"models"`
	Safe   int `json:"safe"`
	// Unproven counts the finished exports without a backup, whatever keeps them from one.
	Unproven int `json:"unproven"`
	// Complete reports whether everything could be seen that the settings name. If
	// not, Notes say what is missing.
	Complete bool `json:"complete"`
	// Sweep is what the last sweep found; null where there was none, or where the state
	// can't be read.
	Sweep          *sweepStatus `json:"sweep"`
	Queue          *queueStatus `json:"queue"`       // null where it can't be reached
	DeadLetters    *int         `json:"deadLetters"` // null where the state can't be read
	RetirementDays int          `json:"retirementDays"`
	Notes          []string     `json:"notes"` // what isn't shown, why, and what to do
}

type projectStatus struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Connected reports whether Custom Vision puts the project's notifications on the
	// app's queue; null where it can't be asked.
	Connected  *bool         `json:"connected"`
	Iterations []modelStatus `json:"iterations"` // the newest first
	// Trainings are underway, or failed after the newest model was trained.
	Trainings  []training  `json:"trainings"`
	Conditions []condition `json:"conditions"` // what can't be done now, the oldest first
}

type modelStatus struct {
	ID        string            `json:"id"`
	Name      string            `json:"name"`
	Newest    bool              `json:"newest"`
	TrainedAt *time.Time        `json:"trainedAt"`
	Published bool              `json:"published"`
	Exported  []string          `json:"exported"` // as Custom Vision lists them; empty without it
	Exporting []string          `json:"exporting"`
	Failed    []string          `json:"failed"` // exports that Custom Vision could not make
	Archived  []string          `json:"archived"`
	Proven    []string          `json:"proven"`   // of these, what is proven or intact
	Unproven  []string          `json:"unproven"` // exported, and not proven or intact in the archive
	Blocked   map[string]string `json:"blocked"`  // why by export; "" is the iteration itself
	Safe      bool              `json:"safe"`
}

type training struct {
	ID     string    `json:"id"`
	Name   string    `json:"name"`
	Status string    `json:"status"` // as Custom Vision has it, such as Training or Failed
	Last   time.Time `json:"lastModified"`
}

// sweepStatus is what health.json says of the last sweep.
type sweepStatus struct {
	Ended    time.Time  `json:"ended"`
	Round    *time.Time `json:"round"` // when everything was last looked at; null before that
	Projects int        `json:"projects"`
	Covered  int        `json:"covered"`
	Warnings []string   `json:"warnings"`
	Errors   []string   `json:"errors"`
	// Conditions are those that no project's state has: of the list of projects, and of
	// projects with an id that nothing can be stored under.
	Conditions []condition `json:"conditions"`
}

type queueStatus struct {
	Messages int `json:"messages"`
	Poison   int `json:"poison"`
}

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
	models, err := v.archive.Inventory(ctx)
	if err != nil {
		return err
	}
	result := statusResult{RetirementDays: int(time.Until(retirement).Hours() / 24), Complete: true, Notes: []string{}}
	missing := func(what string, err error) {
		first := explain(err)[0]
		result.Complete = false
		result.Notes = append(result.Notes, fmt.Sprintf("%s: %s. %s", what, strings.TrimSuffix(first.Why, "."), sentence(first.Do)))
	}
	table := newBoard(models)
	set, _, err := p.settings()
	switch {
	case err != nil:
		missing("only the archive is shown", err)
	case set.Endpoint == "":
		result.Notes = append(result.Notes, "what is trained and exported is not shown: CUSTOMVISION_ENDPOINT is not set")
	default:
		for _, err := range table.addService(ctx, set) {
			missing("what is trained and exported is not shown", err)
		}
	}
	if err == nil {
		if result.Queue, err = queueLength(ctx, set); err != nil {
			missing("the queue is not shown", err)
		}
	}
	if err := p.addState(ctx, v, table, &result); err != nil {
		missing("what the state holds is not shown", err)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	table.countUnproven()
	result.Projects = table.projects()
	for _, project := range result.Projects {
		for _, m := range project.Iterations {
			result.Models++
			result.Unproven += len(m.Unproven)
			if m.Safe {
				result.Safe++
			}
		}
	}
	if err := p.out.result(result, func() { p.sayStatus(result, wide, table.asked) }); err != nil || result.Complete {
		return err
	}
	return exitCode(exitFound)
}

// addState adds what the state holds: conditions, dead letters, the last sweep, and
// whether the policy that was set is followed.
func (p *program) addState(ctx context.Context, v *vault, table *board, result *statusResult) error {
	letters, err := v.state.CountDeadLetters(ctx)
	if err != nil {
		return err
	}
	result.DeadLetters = &letters
	health, err := v.state.Health(ctx)
	if err != nil {
		return err
	}
	if !health.Ended.IsZero() {
		result.Sweep = &sweepStatus{
			Ended: health.Ended, Projects: health.Projects, Covered: health.Covered,
			Warnings: append([]string{}, health.Warnings...), Errors: append([]string{}, health.Errors...),
		}
		var stateless []state.Condition
		for _, c := range health.Conditions {
			if _, err := customvision.ParseID(c.Project); err != nil {
				stateless = append(stateless, c.Condition)
			}
		}
		result.Sweep.Conditions = conditions(stateless, func(string) string { return "" })
		if !health.Round.IsZero() {
			result.Sweep.Round = &health.Round
		}
	}
	set, err := v.state.Policy(ctx)
	if err != nil {
		return err
	}
	if set != nil {
		if _, err := policy.Parse(set); err != nil {
			result.Notes = append(result.Notes, fmt.Sprintf("the policy set in %s is not followed, nothing is asked for or trained: %s", v.state.PolicyPlace(), err))
		}
	}
	return table.addState(ctx, v.state)
}

// queueLength counts the messages of the queue and of its poison queue, which
// isn't there before the first poison message.
func queueLength(ctx context.Context, s settings.Settings) (*queueStatus, error) {
	queues, err := s.Models.Queue(nil)
	if err != nil {
		return nil, err
	}
	messages, err := storage.QueueLength(ctx, queues, s.Queue)
	if err != nil {
		return nil, err
	}
	poison, err := storage.QueueLength(ctx, queues, s.Queue+storage.PoisonSuffix)
	if err != nil && storage.Status(err) != http.StatusNotFound {
		return nil, err
	}
	return &queueStatus{Messages: messages, Poison: poison}, nil
}

func (p *program) sayStatus(r statusResult, wide, asked bool) {
	if wide {
		p.sayModelsWide(r.Projects)
	} else {
		p.sayModels(r.Projects)
	}
	for _, project := range r.Projects {
		for _, t := range project.Trainings {
			p.sayLine(wide, p.out.yellow, fmt.Sprintf("%s: the training %s has the status %s since %s.", project.Name, t.Name, t.Status, minute(t.Last)))
		}
		if project.Connected != nil && !*project.Connected {
			p.sayLine(wide, p.out.yellow, fmt.Sprintf("%s is not connected: only the timer finds its models. Run `%s`.", project.Name, connectCommand(project.Name, project.ID)))
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
	p.saySweep(r.Sweep, wide)
	for _, n := range r.Notes {
		p.sayLine(wide, p.out.yellow, sentence(n)+".")
	}
	p.out.say("%s", r.share(asked))
	p.out.say("Custom Vision retires on %s, in %s.", retirement.Format("2 January 2006"), count(r.RetirementDays, "day"))
}

// share says how many of the known models are safe. Without Custom Vision's whole
// answer nobody knows of how many.
func (r statusResult) share(asked bool) string {
	switch {
	case !asked:
		return fmt.Sprintf("%s in the archive %s safe; which others there are is not known.", count(r.Safe, "model"), are(r.Safe))
	case r.Models == 0:
		return "No model is trained."
	}
	return fmt.Sprintf("%d of %s %s safe (%d %%).", r.Safe, count(r.Models, "model"), are(r.Safe), 100*r.Safe/r.Models)
}

// sayModels prints a line for each model, and more for one that isn't safe.
func (p *program) sayModels(projects []projectStatus) {
	const widest = 26 // of a name, so that a line fits 80 columns
	rows := [][]string{{"PROJECT", "ITERATION", "TRAINED", "SAFE"}}
	details := [][]string{nil}
	for _, project := range projects {
		if len(project.Iterations) == 0 && project.Connected != nil { // Custom Vision was asked
			rows = append(rows, []string{cut(project.Name, widest), "no model yet", "-", "-"})
			details = append(details, nil)
		}
		for _, m := range project.Iterations {
			rows = append(rows, []string{cut(project.Name, widest), cut(m.title(), widest), m.trained(), yes(m.Safe)})
			details = append(details, m.details())
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

func (p *program) sayModelsWide(projects []projectStatus) {
	rows := [][]string{{"PROJECT", "ITERATION", "TRAINED", "EXPORTED", "ARCHIVED", "PROVEN", "SAFE"}}
	for _, project := range projects {
		for _, m := range project.Iterations {
			rows = append(rows, []string{project.Name, m.title(), m.trained(), list(m.Exported), list(m.Archived), list(m.Proven), yes(m.Safe)})
		}
	}
	if len(rows) > 1 {
		p.out.table(rows)
		p.out.say("")
	}
}

// details say what there is to know of a model that isn't safe, or not wholly.
func (m modelStatus) details() []string {
	var details []string
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
	default:
		details = append(details, "not exported")
	}
	return details
}

func (m modelStatus) title() string {
	if m.Newest {
		return m.Name + " (newest)"
	}
	return m.Name
}

func (m modelStatus) trained() string {
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
func (p *program) saySweep(s *sweepStatus, wide bool) {
	if s == nil {
		return
	}
	text := fmt.Sprintf("The last sweep ended %s: %d of %s looked at.", minute(s.Ended), s.Covered, count(s.Projects, "project"))
	switch {
	case s.Round == nil:
		text += " No round over all projects was whole yet."
	case s.Round.Before(s.Ended):
		text += " The last whole round ended " + minute(*s.Round) + "."
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
