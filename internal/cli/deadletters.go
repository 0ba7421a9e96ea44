package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"visionkeeper/internal/messages"
	"visionkeeper/internal/overview"
	"visionkeeper/internal/state"
)

type handledResult struct {
	Handled []string `json:"handled"` // ids
	Left    []string `json:"left"`    // by an error or an interruption
}

func (p *program) deadLettersCommand() *cobra.Command {
	c := &cobra.Command{Use: "deadletters", Aliases: []string{"dead-letters"}, Short: "Look after messages that could never succeed", Long: `Look after messages that could never succeed.

A message that the app can't understand, or that names a project that isn't
there, is kept as a dead letter, byte for byte. An id may be shortened to its
first characters.`, Args: onlyVerbs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	var all, yes bool
	list := p.verb("list", "List the dead letters", "The newest last.", func(ctx context.Context, _ []string) error {
		return failedTo("list the dead letters", p.listLetters(ctx))
	})
	show := p.verb("show ID", "Show one dead letter", "Signatures and keys in it are left out.", func(ctx context.Context, args []string) error {
		return failedTo("show the dead letter", p.showLetter(ctx, args[0]))
	})
	show.Args = wordsOf(1, 1, "the id of one dead letter")
	replay := p.verb("replay ID…", "Put dead letters back on the queue", `
Puts the very bytes back, and drops the letter only after that. What a queue can't
hold as text goes as Base64, which the app understands as well.`, func(ctx context.Context, args []string) error {
		return failedTo("replay dead letters", p.replay(ctx, args, all))
	})
	drop := p.verb("drop ID…", "Drop dead letters for good", "It can't be undone, so it needs --yes.", func(ctx context.Context, args []string) error {
		if !yes {
			return problem{What: "Could not drop dead letters", Why: "It can't be undone", Do: "Look at them with `visionkeeper deadletters list`, then say --yes"}
		}
		return failedTo("drop dead letters", p.handle(ctx, args, all, "Dropped", (*state.Store).DropDeadLetter))
	})
	drop.Flags().BoolVar(&yes, "yes", false, "really do it")
	for _, sub := range []*cobra.Command{replay, drop} {
		sub.Flags().BoolVar(&all, "all", false, "every dead letter")
		sub.Args = func(_ *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return errors.New("name dead letters by their ids, or take --all")
			}
			return nil
		}
	}
	c.AddCommand(list, show, replay, drop)
	return c
}

func (p *program) listLetters(ctx context.Context) error {
	v, err := p.openVault()
	if err != nil {
		return err
	}
	all, err := v.state.DeadLetters(ctx)
	if err != nil {
		return err
	}
	result := overview.Letters{Letters: []overview.Letter{}}
	for _, l := range byTime(all) {
		result.Letters = append(result.Letters, overview.NewLetter(l))
	}
	return p.out.result(result, func() {
		if len(result.Letters) == 0 {
			p.out.say("There are no dead letters.")
			return
		}
		rows := [][]string{{"ID", "LAST", "COUNT", "REASON"}}
		for _, l := range result.Letters {
			rows = append(rows, []string{l.ID[:shortID], l.Last.Format("2006-01-02 15:04"), fmt.Sprint(l.Count), l.Reason})
		}
		p.out.table(rows)
	})
}

// shortID is how much of an id is shown to a person.
const shortID = 12

func (p *program) showLetter(ctx context.Context, id string) error {
	v, err := p.openVault()
	if err != nil {
		return err
	}
	held, err := find(ctx, v.state, id)
	if err != nil {
		return err
	}
	l := overview.NewLetterWithText(held.DeadLetter)
	return p.out.result(l, func() {
		p.out.say("%s", l.ID)
		p.out.say("  %s", l.Reason)
		p.out.say("  came %s, first %s, last %s", count(l.Count, "time"), l.First.Format(time.RFC3339), l.Last.Format(time.RFC3339))
		kind := "text"
		if l.Base64 {
			kind = "no text, here as Base64"
		}
		p.out.say("  %s, %s:\n", count(l.Bytes, "byte"), kind)
		fmt.Fprintln(p.out.stdout, printable(l.Text)) // which has lines of its own
	})
}

// printable is a foreign text that can't steer a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && (r < ' ' || r >= 0x7f && r < 0xa0) {
			return '·'
		}
		return r
	}, s)
}

func find(ctx context.Context, s *state.Store, id string) (state.HeldLetter, error) {
	held, err := s.FindDeadLetter(ctx, strings.ToLower(id))
	if errors.Is(err, state.ErrNoDeadLetter) {
		err = problem{What: fmt.Sprintf("Could not find the dead letter %q", id), Why: "No id, or more than one, begins so", Do: "Take one that `visionkeeper deadletters list` shows"}
	}
	return held, err
}

// handle does one thing to each letter that is named, in turn.
func (p *program) handle(ctx context.Context, ids []string, all bool, done string, do func(*state.Store, context.Context, state.HeldLetter) error) error {
	v, err := p.openVault()
	if err != nil {
		return err
	}
	if all {
		letters, err := v.state.DeadLetters(ctx)
		if err != nil {
			return err
		}
		for _, l := range byTime(letters) {
			ids = append(ids, l.ID)
		}
	}
	result := handledResult{Handled: []string{}, Left: []string{}}
	var failure error
	for i, id := range ids {
		var held state.HeldLetter
		if held, failure = find(ctx, v.state, id); failure == nil {
			failure = do(v.state, ctx, held)
		}
		if failure != nil {
			result.Left = ids[i:]
			break
		}
		result.Handled = append(result.Handled, held.ID)
	}
	if err := p.out.result(result, func() {
		for _, id := range result.Handled {
			p.out.say("%s %s.", done, id[:shortID])
		}
		if len(ids) == 0 {
			p.out.say("There are no dead letters.")
		}
		if len(result.Left) > 1 {
			p.out.say("%s left.", sentence(count(len(result.Left), "dead letter")+" "+are(len(result.Left))))
		}
	}); err != nil {
		return err
	}
	return failure
}

// replay puts letters back on the queue.
func (p *program) replay(ctx context.Context, ids []string, all bool) error {
	s, _, err := p.settings()
	if err != nil {
		return err
	}
	queues, err := s.Models.Queue(nil)
	if err != nil {
		return err
	}
	return p.handle(ctx, ids, all, "Replayed", func(letters *state.Store, ctx context.Context, l state.HeldLetter) error {
		return messages.Replay(ctx, letters, queues, s.Queue, l)
	})
}

// byTime puts the letter that came last at the end.
func byTime(letters []state.DeadLetter) []state.DeadLetter {
	slices.SortStableFunc(letters, func(a, b state.DeadLetter) int { return a.Last.Compare(b.Last) })
	return letters
}
