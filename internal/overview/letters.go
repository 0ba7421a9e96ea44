package overview

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"visionkeeper/internal/redact"
	"visionkeeper/internal/seal"
	"visionkeeper/internal/state"
)

// Letter is a dead letter.
type Letter struct {
	ID     string    `json:"id"`
	Reason string    `json:"reason"`
	First  time.Time `json:"first"`
	Last   time.Time `json:"last"`
	Count  int       `json:"count"`
	Bytes  int       `json:"bytes"`
	// Text is the message without its secrets, where it is shown; Base64 where it is no text.
	Text   string `json:"text,omitempty"`
	Base64 bool   `json:"base64,omitempty"`
}

// Letters is a list of dead letters.
type Letters struct {
	Letters []Letter `json:"letters"`
}

// NewLetter describes a dead letter without its text.
func NewLetter(l state.DeadLetter) Letter {
	return Letter{ID: l.ID, Reason: redact.String(l.Reason), First: l.First, Last: l.Last, Count: l.Count, Bytes: len(l.Raw)}
}

// NewLetterWithText describes a dead letter.
func NewLetterWithText(l state.DeadLetter) Letter {
	letter := NewLetter(l)
	letter.Text, letter.Base64 = Shown(l.Raw)
	return letter
}

// Shown is a message without its secrets: as text, decoded where it came as
// Base64, since secrets stand in that too; as Base64 where it is no text.
func Shown(raw []byte) (text string, isBase64 bool) {
	if decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(raw))); err == nil && utf8.Valid(decoded) {
		raw = decoded
	}
	clean := redact.String(string(raw))
	if utf8.ValidString(clean) {
		return clean, false
	}
	return base64.StdEncoding.EncodeToString([]byte(clean)), true
}

// Letters reads at most so many dead letters, those that came last first, after skipping
// some, and says how many there are. (List Blobs,
// Get Blob for each)
func (g *Gatherer) Letters(ctx context.Context, skip, most int) (letters []Letter, all int, err error) {
	view, err := g.State.View(ctx)
	if err != nil {
		return nil, 0, err
	}
	seen := slices.Clone(view.Letters)
	slices.SortStableFunc(seen, func(a, b state.LetterSeen) int { return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.ID, b.ID)) })
	seen = seen[min(skip, len(seen)):]
	seen = seen[:min(most, len(seen))]
	found := make([]*Letter, len(seen))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for i, s := range seen {
		group.Go(func() error {
			held, err := g.State.DeadLetter(groupCtx, s.ID)
			switch {
			case errors.Is(err, state.ErrNoDeadLetter):
				return nil // dropped since the listing
			case errors.Is(err, seal.ErrBroken):
				found[i] = &Letter{ID: s.ID, Reason: Why(err), First: s.Last, Last: s.Last}
				return nil
			}
			letter := NewLetterWithText(held.DeadLetter)
			found[i] = &letter
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, 0, err
	}
	letters = []Letter{}
	for _, l := range found {
		if l != nil {
			letters = append(letters, *l)
		}
	}
	return letters, len(view.Letters), nil
}
