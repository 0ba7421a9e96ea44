package cli

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"visionkeeper/internal/settings"
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
	Unproven       int          `json:"unproven"`
	Queue          *queueStatus `json:"queue"`       // null where it can't be reached
	DeadLetters    *int         `json:"deadLetters"` // null where the state can't be read
	RetirementDays int          `json:"retirementDays"`
	Notes          []string     `json:"notes"` // what isn't shown, and why
}

type projectStatus struct {
	ID         string        `json:"id"`
	Name       string        `json:"name"`
	Iterations []modelStatus `json:"iterations"` // the newest first
	Conditions []condition   `json:"conditions"` // what can't be done now, the oldest first
}

type modelStatus struct {
	ID        string            `json:"id"`
	Name      string            `json:"name"`
	Newest    bool              `json:"newest"`
	TrainedAt *time.Time        `json:"trainedAt"`
	Published bool              `json:"published"`
	Exported  []string          `json:"exported"` // as Custom Vision lists them; empty without it
	Archived  []string          `json:"archived"`
	Proven    []string          `json:"proven"`   // of these, what is proven or intact
	Unproven  []string          `json:"unproven"` // exported, and not proven or intact in the archive
	Blocked   map[string]string `json:"blocked"`  // why by export; "" is the iteration itself
	Safe      bool              `json:"safe"`
}

type queueStatus struct {
	Messages int `json:"messages"`
	Poison   int `json:"poison"`
}

func (p *program) statusCommand() *cobra.Command {
	return p.verb("status", "Show where everything stands", `
The archive has what is archived and proven; it alone is needed. Custom Vision
adds what is trained and exported, the state what is blocked, the queue what
waits. What can't be reached is left out, and said.`,
		func(ctx context.Context, _ []string) error { return failedTo("show the status", p.status(ctx)) })
}

func (p *program) status(ctx context.Context) error {
	v, err := p.openVault()
	if err != nil {
		return err
	}
	models, err := v.archive.Inventory(ctx)
	if err != nil {
		return err
	}
	result := statusResult{RetirementDays: int(time.Until(retirement).Hours() / 24), Notes: []string{}}
	note := func(what string, err error) {
		first := explain(err)[0]
		result.Notes = append(result.Notes, what+": "+strings.TrimSuffix(first.Why, "."))
	}
	table := newBoard(models)
	if set, _, err := p.settings(); err != nil {
		note("only the archive is shown", err)
	} else {
		for _, err := range table.addService(ctx, set) {
			note("what is trained and exported is not shown", err)
		}
		if result.Queue, err = queueLength(ctx, set); err != nil {
			note("the queue is not shown", err)
		}
	}
	letters, err := v.state.CountDeadLetters(ctx)
	if err == nil {
		result.DeadLetters = &letters
		err = table.addState(ctx, v.state)
	}
	if err != nil {
		note("what is blocked and the dead letters are not shown", err)
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
	return p.out.result(result, func() { p.sayStatus(result) })
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

func (p *program) sayStatus(r statusResult) {
	rows := [][]string{{"PROJECT", "ITERATION", "TRAINED", "EXPORTED", "ARCHIVED", "PROVEN", "SAFE"}}
	for _, project := range r.Projects {
		for _, m := range project.Iterations {
			trained, safe, name := "-", "no", m.Name
			if m.TrainedAt != nil {
				trained = m.TrainedAt.Format("2006-01-02")
			}
			if m.Safe {
				safe = "yes"
			}
			if m.Newest {
				name += " (newest)"
			}
			rows = append(rows, []string{project.Name, name, trained, list(m.Exported), list(m.Archived), list(m.Proven), safe})
		}
	}
	if len(rows) > 1 {
		p.out.table(rows)
		p.out.say("")
	}
	for _, project := range r.Projects {
		p.out.sayConditions(project.Name, project.Conditions)
	}
	if r.Unproven > 0 {
		p.out.say("%s", p.out.yellow(count(r.Unproven, "finished export")+" "+have(r.Unproven)+" no proven backup."))
	}
	var counts []string
	if r.Queue != nil {
		counts = append(counts, count(r.Queue.Messages, "message")+" on the queue", fmt.Sprintf("%d in its poison queue", r.Queue.Poison))
	}
	if r.DeadLetters != nil {
		counts = append(counts, count(*r.DeadLetters, "dead letter"))
	}
	if len(counts) > 0 {
		p.out.say("%s.", sentence(strings.Join(counts, ", ")))
	}
	for _, n := range r.Notes {
		p.out.say("%s", p.out.yellow(sentence(n)+"."))
	}
	share := "No model is known of."
	if r.Models > 0 {
		share = fmt.Sprintf("%d of %s %s safe (%d %%).", r.Safe, count(r.Models, "model"), are(r.Safe), 100*r.Safe/r.Models)
	}
	p.out.say("Custom Vision retires on %s, in %s. %s", retirement.Format("2 January 2006"), count(r.RetirementDays, "day"), share)
}

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
