// Package messages deals with the messages that Custom Vision puts on the queue,
// whoever brings them: the queue's trigger, or the sweep from the poison queue. It
// reads a message, reconciles what it is about, and checks that the service shows
// what the message claims. It never fetches anything that a message names. Start
// reading at Handler.
package messages

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/events"
	"visionkeeper/internal/reconcile"
	"visionkeeper/internal/state"
	"visionkeeper/internal/storage"
)

// Message is one delivery of a message.
type Message struct {
	Raw      []byte
	Inserted time.Time // when it was put on the queue, in whole seconds; zero where that isn't known
	Cause    string    // who brings it, for the log: an invocation's id
	Again    bool      // whether it was delivered before
	// Last reports whether it won't come again: what the service doesn't confirm is
	// left to the sweep then.
	Last bool
	// GiveUp is why a message that fails once more is kept as a dead letter; empty where
	// it comes again. What fails by an outage, or for lack of time, comes again all the same.
	GiveUp string
}

// Handler deals with messages. It is safe for concurrent use.
type Handler struct {
	Reconciler *reconcile.Reconciler
	State      *state.Store
	Now        func() time.Time
	// Events takes to others what a message led to; nil leaves that to the sweep.
	Events *events.Postman
}

// Deal does what a message gives cause for, and logs in one line what came of it.
// What can never succeed is kept as a dead letter, and is no error. An error means
// that the message should come again: its claim isn't confirmed yet, or something
// about its own iteration failed that may pass.
func (h Handler) Deal(ctx context.Context, m Message) error {
	log := *zerolog.Ctx(ctx)
	n, err := customvision.ParseNotification(m.Raw)
	if err != nil {
		return h.bury(ctx, log, m.Raw, err.Error(), h.State.Bury)
	}
	log = log.With().Str("type", string(n.Kind)).Str("project", n.ProjectID).Logger()
	if n.IterationID != "" {
		log = log.With().Str("iteration", n.IterationID).Str("status", n.TrainingStatus+n.ExportStatus).Logger()
	}
	report, outcome, err := h.react(ctx, n, m)
	if report.Untold {
		defer h.tell(ctx, n.ProjectID)
	}
	log = log.With().Fields(names(n, report, platformIn(n))).Logger()
	switch {
	case errors.Is(err, reconcile.ErrUnknownProject):
		return h.bury(ctx, log, m.Raw, err.Error(), h.State.BuryStranger)
	case errors.Is(err, reconcile.ErrTooManyStrangers), m.Last && errors.Is(err, errUnconfirmed):
		log.Info().Err(err).Msg("message left to the sweep")
		return nil
	case err != nil && m.GiveUp != "" && !passes(err):
		return h.bury(ctx, log, m.Raw, m.GiveUp+": "+err.Error(), h.State.Bury)
	case err != nil:
		return again(log, err)
	}
	log.Info().Str("outcome", outcome).Msg("message dealt with")
	return nil
}

// tell tells others what happened. What they don't take now they are told by a sweep, so
// the message has no part in it.
func (h Handler) tell(ctx context.Context, project string) {
	ctx, cancel := context.WithTimeout(ctx, events.MessageTime)
	defer cancel()
	if _, err := h.Events.Deliver(ctx, project); err != nil {
		zerolog.Ctx(ctx).Warn().Err(err).Msg("others are told later what happened")
	}
}

// passes reports whether an error says nothing of the message: there was no time, a service
// didn't answer or refused, or a newer version of the program has to deal with it.
func passes(err error) bool {
	var api *customvision.Error
	var stored *storage.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &api) || errors.As(err, &stored) || errors.Is(err, state.ErrNewer)
}

// DealAsBefore logs what came of a copy of a message that was dealt with before.
func DealAsBefore(ctx context.Context, err error) error {
	log := zerolog.Ctx(ctx)
	if err != nil {
		return again(*log, err)
	}
	log.Info().Str("outcome", "the same as of its copy").Msg("message dealt with")
	return nil
}

// again logs that a message comes again, and why, unless a line of its own said so.
func again(log zerolog.Logger, err error) error {
	event := log.Info()
	if said := (interface{ Logged() bool })(nil); !errors.As(err, &said) {
		event = event.Err(err)
	}
	event.Msg("message comes again")
	return loggedError{err}
}

// loggedError is an error that stands in the log already.
type loggedError struct{ error }

func (e loggedError) Unwrap() error { return e.error }

// Logged tells who ends an invocation that no further line has to say it.
func (loggedError) Logged() bool { return true }

// react reconciles what a message is about and says in a word what came of it.
func (h Handler) react(ctx context.Context, n customvision.Notification, m Message) (report reconcile.Report, outcome string, err error) {
	if n.Kind == customvision.KindConnectionTest {
		return report, "Custom Vision reaches the queue", h.Reconciler.ConnectionTested(ctx, n.ProjectID)
	}
	request := reconcile.Request{
		Key: reconcile.Key{Project: n.ProjectID, Iteration: n.IterationID}, Inserted: m.Inserted, Again: m.Again, Cause: m.Cause,
	}
	report, err = h.Reconciler.Reconcile(ctx, request)
	if err == nil && report.Seen && !confirmedBy(n, report.Looked[n.IterationID]) {
		request.Inserted = time.Time{}
		report, err = h.Reconciler.Reconcile(ctx, request)
	}
	switch {
	case err != nil:
		return report, "", err
	case report.Outside:
		return report, "the policy leaves the project alone", nil
	case report.Seen && report.Unsettled:
		return report, "it was looked at already since the message was sent", nil
	case report.Seen:
		return report, "everything was done already since the message was sent", nil
	}
	if err := confirm(n, report); err != nil {
		return report, "", err
	}
	outcome, err = outcomeOf(n, report)
	return report, outcome, err
}

// names are what the log calls a message's project, its iteration and its export, as far
// as they are known.
func names(n customvision.Notification, report reconcile.Report, platform string) map[string]any {
	known := map[string]any{}
	if report.Name != "" {
		known["name"] = report.Name
	}
	if platform != "" {
		known["export"] = platform
	}
	for _, it := range report.Iterations {
		if it.ID == n.IterationID {
			known["iterationName"] = it.Name
		}
	}
	return known
}

// outcomeOf is what became of a message's own iteration, or of its own export where
// the message names the platform. For a fact that proofs record besides the bytes a
// message comes again while that is tried again at once; then it is left to the sweep.
func outcomeOf(n customvision.Notification, report reconcile.Report) (string, error) {
	platform := platformIn(n)
	own := func(s state.Scope) bool { return reconcile.Concerns(s, n.IterationID, platform) }
	atOnce := slices.ContainsFunc(report.Conditions, func(c state.Condition) bool {
		return c.Fact != "" && own(c.Scope) && !c.Next.After(c.Last)
	})
	var errs []error
	for _, f := range report.Failed {
		if own(f.Scope) && (f.Kind != reconcile.Describe || atOnce) {
			errs = append(errs, f.Err)
		}
	}
	if len(errs) > 0 {
		return "", errors.Join(errs...)
	}
	for _, a := range report.Waiting {
		if own(a.Scope) {
			return "waiting: " + a.Why, nil
		}
	}
	outcome := "done"
	for _, c := range report.Conditions {
		switch {
		case !own(c.Scope):
		case c.Code == state.Copied:
			if outcome == "done" { // a fact says more
				outcome = "done, but " + c.Why
			}
		case c.Fact == "":
			return "can't be done now: " + c.Why + next(c), nil
		default:
			outcome = "done, but " + c.Why
		}
	}
	for _, a := range report.Observed {
		if own(a.Scope) {
			return fmt.Sprintf("would %s, but the policy only observes", strings.TrimSpace(string(a.Kind)+" "+a.Export)), nil
		}
	}
	return outcome, nil
}

// next says when a condition is tried again.
func next(c state.Condition) string {
	if c.Next.IsZero() {
		return ""
	}
	return "; next try " + c.Next.UTC().Format("2006-01-02 15:04") + "Z"
}

// bury keeps a message as a dead letter, with the reason.
func (h Handler) bury(ctx context.Context, log zerolog.Logger, raw []byte, reason string,
	keep func(context.Context, []byte, string, time.Time) (state.DeadLetter, error),
) error {
	letter, err := keep(ctx, raw, reason, h.Now().UTC())
	if err != nil {
		return again(log, err)
	}
	log.Info().Str("deadLetter", letter.ID).Str("because", reason).Int("count", letter.Count).
		Msgf("message kept as a dead letter: `visionkeeper deadletters show %s` shows it", letter.ID)
	return nil
}
