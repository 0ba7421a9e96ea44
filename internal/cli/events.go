package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"visionkeeper/internal/app"
	"visionkeeper/internal/events"
	"visionkeeper/internal/settings"
)

type happening struct {
	ID      string       `json:"id"`
	Type    string       `json:"type"`
	Project events.Named `json:"project"` // empty where it is about no one project
	Subject string       `json:"subject"`
	Time    time.Time    `json:"time"`
	// Waiting are the destinations that don't have it yet, GivenUp those that won't be
	// asked any more.
	Waiting []string `json:"waiting"`
	GivenUp []string `json:"givenUp"`
}

type eventsResult struct {
	Events []happening `json:"events"`
}

func (p *program) eventsCommand() *cobra.Command {
	c := &cobra.Command{Use: "events", Short: "Look after what others are told", Long: `Look after what others are told.

What happens is told to the destinations in the settings EVENTS_QUEUE,
EVENTS_WEBHOOK_URL and EVENTS_GRID_ENDPOINT. Each event is kept for two weeks,
and longer while somebody doesn't have it. An id may be shortened to its first
characters.`, Args: onlyVerbs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	list := p.verb("list", "List the events", "The newest last.", func(ctx context.Context, _ []string) error {
		return failedTo("list the events", p.listEvents(ctx))
	})
	var again bool
	send := p.verb("send [ID…]", "Send events now", `
Sends what waits, without waiting for the time of the next try. With --again it
sends the events that are named once more, to all destinations; without a name
those that were given up. Who gets an event twice knows it by its id.`, func(ctx context.Context, args []string) error {
		return failedTo("send events", p.sendEvents(ctx, args, again))
	})
	send.Flags().BoolVar(&again, "again", false, "also what was given up or told before")
	send.Args = func(_ *cobra.Command, args []string) error {
		if len(args) > 0 && !again {
			return errors.New("what waits is sent in its order: name events only with --again")
		}
		return nil
	}
	c.AddCommand(list, send)
	return c
}

func (p *program) listEvents(ctx context.Context) error {
	v, err := p.openVault()
	if err != nil {
		return err
	}
	all, err := events.All(ctx, v.state)
	if err != nil {
		return err
	}
	return p.out.result(happenings(all), func() { p.sayEvents(all, "There are no events.") })
}

// sendEvents sends what waits, or the events that are named.
func (p *program) sendEvents(ctx context.Context, ids []string, again bool) error {
	v, err := p.openVault()
	if err != nil {
		return err
	}
	postman, err := p.openEvents(v)
	if err != nil {
		return err
	}
	all, err := events.All(ctx, v.state)
	if err != nil {
		return err
	}
	chosen, err := chooseEvents(all, ids, again)
	if err != nil {
		return err
	}
	sent, why, err := postman.Send(ctx, chosen, again)
	if err != nil {
		return err
	}
	if err := p.out.result(happenings(sent), func() { p.sayEvents(sent, "Nothing is to be sent.") }); err != nil {
		return err
	}
	if slices.ContainsFunc(sent, func(h events.Held) bool { return len(h.Open)+len(h.Dead) > 0 }) {
		for _, text := range why {
			p.out.warn("%s", sentence(text)+".")
		}
		return exitCode(exitFound)
	}
	return nil
}

// openEvents opens the destinations of the settings.
func (p *program) openEvents(v *vault) (*events.Postman, error) {
	c, err := p.environment()
	if err != nil {
		return nil, err
	}
	if v.settings.Events, err = settings.LoadEvents(c, v.settings.Archives); err != nil {
		return nil, p.settingsProblem(err)
	}
	p.hide(v.settings)
	if v.settings.Events.IsZero() {
		return nil, problem{What: "Could not find a destination of events", Why: "None is set", Do: "Set EVENTS_QUEUE, EVENTS_WEBHOOK_URL or EVENTS_GRID_ENDPOINT as the app has them" + p.looked()}
	}
	return app.OpenEvents(v.settings, v.archive, v.state)
}

// chooseEvents are those with these ids. Without ids they are those that wait, or those
// that were given up.
func chooseEvents(all []events.Held, ids []string, again bool) ([]events.Held, error) {
	if len(ids) == 0 {
		return slices.DeleteFunc(slices.Clone(all), func(h events.Held) bool {
			if again {
				return len(h.Dead) == 0
			}
			return len(h.Open) == 0
		}), nil
	}
	var chosen []events.Held
	for _, id := range ids {
		found := slices.DeleteFunc(slices.Clone(all), func(h events.Held) bool { return !strings.HasPrefix(h.ID, strings.ToLower(id)) })
		if len(found) != 1 {
			return nil, problem{What: fmt.Sprintf("Could not find the event %q", id), Why: "No id, or more than one, begins so", Do: "Take one that `visionkeeper events list` shows"}
		}
		chosen = append(chosen, found[0])
	}
	return chosen, nil
}

func happenings(all []events.Held) eventsResult {
	result := eventsResult{Events: []happening{}}
	for _, h := range all {
		result.Events = append(result.Events, happening{
			ID: h.ID, Type: h.Type, Project: h.Project, Subject: h.Subject, Time: h.Time, Waiting: append([]string{}, h.Open...), GivenUp: append([]string{}, h.Dead...),
		})
	}
	return result
}

func (p *program) sayEvents(all []events.Held, none string) {
	if len(all) == 0 {
		p.out.say("%s", none)
		return
	}
	rows := [][]string{{"ID", "WHEN", "TYPE", "PROJECT", "TOLD", "SUBJECT"}}
	for _, h := range all {
		told := "all"
		switch {
		case len(h.Dead) > 0:
			told = "given up: " + strings.Join(h.Dead, ", ")
		case len(h.Open) > 0:
			told = "not yet: " + strings.Join(h.Open, ", ")
		}
		rows = append(rows, []string{h.ID[:min(len(h.ID), shortID)], h.Time.Format("2006-01-02 15:04"), h.Type, h.Project.Name, told, strings.TrimPrefix(h.Subject, h.Project.ID+"/")})
	}
	p.out.table(rows)
}
