// Package sweep is the function behind the timer trigger. It reconciles every
// project, so that a lost message does no harm; it handles the messages in the
// poison queue; and it writes health.json. Start reading at Function.
package sweep

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/v2"

	"visionkeeper/handler"
	"visionkeeper/internal/events"
	"visionkeeper/internal/messages"
	"visionkeeper/internal/overview"
	"visionkeeper/internal/reconcile"
	"visionkeeper/internal/rescue"
	"visionkeeper/internal/state"
	"visionkeeper/internal/telemetry"
)

const (
	// Name is the name of the function and of its folder.
	Name = "sweep"
	// binding is the name of its timer in function.json.
	binding = "timer"
)

// Function handles the timer's invocations.
type Function struct {
	Reconciler *reconcile.Reconciler
	Rescuer    *rescue.Rescuer // nil saves no data sets
	Messages   messages.Handler
	Poison     *azqueue.QueueClient
	State      *state.Store
	Version    string
	Now        func() time.Time
	// Heartbeat is the URL that is asked after every whole round of sweeps; "" is none.
	Heartbeat string
	// Events takes to others what happened.
	Events *events.Postman
	// Warnings are said with every sweep, beside the policy's: what the app doesn't do,
	// and why.
	Warnings func() []string
}

// Invoke runs one sweep. The host doesn't retry a timer. If the deadline cuts
// this sweep, the next one continues where it ended.
func (f Function) Invoke(ctx context.Context, inv *handler.Invocation) error {
	inForce, err := f.Reconciler.Policy.Now(ctx)
	if err != nil {
		return err
	}
	warnings := slices.Concat(f.Warnings(), inForce.Warnings())
	for _, w := range warnings {
		inv.Log.Error().Msg(w)
	}
	health := state.Health{Version: f.Version, Began: f.Now().UTC(), Warnings: warnings}
	states, listErr := f.State.List(ctx, f.Reconciler.Clock.Now)
	last, err := states.Health(ctx)
	if err != nil {
		return err
	}
	letters, pruneErr := f.prune(ctx, states)
	var drainErr error
	health.Poison, drainErr = f.drain(ctx)
	swept, err := f.Reconciler.Sweep(ctx, reconcile.Before{States: states, Resume: last.Resume, Lists: last.Lists, Unended: !ended(inv, last)})
	dateStateless(swept.Conditions, last.Conditions)
	own, ownErr := f.own(ctx, states)
	swept.Conditions = append(swept.Conditions, own...)
	swept.Blocked += len(own)

	health.Projects, health.Outside, health.Resume, health.Lists, health.Round = swept.Projects, swept.Outside, swept.Resume, swept.Lists, last.Round
	health.Told = last.Told
	health.Covered, health.Failed, health.Gap, health.Counts, health.Conditions = swept.Covered, swept.Failed, swept.Gap, swept.Counts, swept.Conditions
	if last.Resume != "" { // the round goes on
		health.Covered += last.Covered
		health.Failed += last.Failed
		health.Gap = health.Gap || last.Gap
		before := len(last.Conditions)
		last.Conditions = slices.DeleteFunc(slices.Clone(last.Conditions), ofNoProject) // this sweep listed them anew
		last.Blocked -= before - len(last.Conditions)
		health.Add(last.Counts)
		health.Conditions = append(last.Conditions, swept.Conditions...)
	}
	var rescues []wish
	var rescueErr error
	if health.Resume == "" {
		rescues, health.Rescue, rescueErr = f.toRescue(ctx, inForce.Policy)
		health.RescueTotal = state.Sum(health.Rescue, overview.DaysLeft(f.Now()))
	}
	health.Ended = f.Now().UTC()
	whole := swept.Whole && health.Failed == 0 && !health.Gap
	if whole {
		health.Round = health.Ended
	}
	for _, err := range []error{listErr, pruneErr, drainErr, err, ownErr, rescueErr} {
		health.Errors = append(health.Errors, lines(err)...)
	}
	measure(ctx, health, letters)
	event := inv.Log.Info().Int("projects", health.Projects).Int("covered", health.Covered).Int("failed", health.Failed).
		Int("unproven", health.Unproven).Int("blocked", health.Blocked).Int("poison", health.Poison).Int("deadLetters", letters)
	if !health.Oldest.IsZero() {
		event = event.Time("oldest", health.Oldest)
	}
	if !health.Round.IsZero() {
		event = event.Time("round", health.Round)
	}
	if health.Resume != "" {
		event = event.Str("resume", health.Resume)
	}
	event.Msg("swept")
	reportErr := f.report(ctx, health)
	if whole && reportErr == nil && f.Heartbeat != "" {
		if err := beat(ctx, f.Heartbeat); err != nil {
			inv.Log.Warn().Msg(err.Error())
		}
	}
	if health.Told = f.tell(ctx, inv, last.Told, swept.Untold); health.Told != last.Told && reportErr == nil {
		reportErr = f.report(ctx, health)
	}
	var twinErr error
	if health.Resume == "" {
		twinErr = f.twins(ctx, states, inForce.Policy, inv.Log)
	}
	return errors.Join(listErr, pruneErr, drainErr, err, ownErr, rescueErr, reportErr, twinErr, f.measureHoldOuts(ctx, swept.Unmeasured), f.rescue(ctx, rescues, inv.Log))
}

// tell tells others what happened, in the time that is left. What they don't take now they
// are told by the next sweep, so this one is none the worse for it: it begins with the
// first project that there was no time for, which tell returns.
func (f Function) tell(ctx context.Context, inv *handler.Invocation, first string, projects []string) string {
	ctx, cancel := context.WithTimeout(ctx, events.SweepTime)
	defer cancel()
	all := slices.Sorted(slices.Values(append(projects, state.App)))
	begin, _ := slices.BinarySearch(all, first)
	next, err := f.Events.Deliver(ctx, slices.Concat(all[begin:], all[:begin])...)
	if err != nil {
		inv.Log.Warn().Err(err).Msg("others are told later what happened")
	}
	return next
}

// measureHoldOuts asks pictures of hold-out sets in half of the time that is left, after all
// backups. What follows from the figures follows at once.
func (f Function) measureHoldOuts(ctx context.Context, projects []string) error {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	return f.Reconciler.MeasureHoldOuts(ctx, projects)
}

// own are the conditions of what is about no one project: destinations that don't take the
// app's own events. Those of what is no destination any more are dropped.
func (f Function) own(ctx context.Context, states *state.Listing) ([]state.ProjectCondition, error) {
	record, err := states.Load(ctx, state.App)
	if err != nil || record.Revision == "" {
		return nil, err
	}
	err = f.State.Update(ctx, record, func(p *state.Project) error {
		p.Events(f.Events.Names(), record.Seen)
		return nil
	})
	var list []state.ProjectCondition
	for _, c := range record.Conditions {
		list = append(list, state.ProjectCondition{Project: state.App, Condition: *c})
	}
	return list, err
}

// measure tells who watches what a sweep found.
func measure(ctx context.Context, h state.Health, letters int) {
	telemetry.Gauge(ctx, telemetry.SweepSeconds, h.Ended.Sub(h.Began).Seconds())
	telemetry.Count(ctx, telemetry.Poison, float64(h.Poison))
	telemetry.Gauge(ctx, telemetry.DeadLetters, float64(letters))
	telemetry.Gauge(ctx, telemetry.Unproven, float64(h.Unproven))
	oldest := 0.0
	if !h.Oldest.IsZero() {
		oldest = h.Ended.Sub(h.Oldest).Seconds()
	}
	telemetry.Gauge(ctx, telemetry.OldestUnproven, oldest)
	if !h.Round.IsZero() {
		telemetry.Gauge(ctx, telemetry.RoundAge, h.Ended.Sub(h.Round).Seconds())
	}
	codes := map[state.Code]int{}
	for _, c := range h.Conditions {
		codes[c.Code]++
	}
	for code, n := range codes {
		telemetry.Gauge(ctx, telemetry.Conditions, float64(n), telemetry.String("code", string(code)))
	}
}

// ended reports whether the sweep before this one is known to have come to its end: it
// wrote health.json since the host fired it. It is not where the host says nothing.
func ended(inv *handler.Invocation, last state.Health) bool {
	timer, err := inv.Timer(binding)
	return err == nil && !timer.IsPastDue && timer.ScheduleStatus != nil && !last.Ended.Before(timer.ScheduleStatus.Last)
}

// report writes health.json, even if the sweep's time is up: the next sweep continues
// by it.
func (f Function) report(ctx context.Context, health state.Health) error {
	ctx, cancel := state.LastWrite(ctx)
	defer cancel()
	return f.State.SetHealth(ctx, health)
}

// prune deletes dead letters that are kept no longer, and returns how many are left.
// The next sweep goes on where its time was up.
func (f Function) prune(ctx context.Context, states *state.Listing) (left int, err error) {
	part, cancel := share(ctx)
	defer cancel()
	left, err = states.PruneDeadLetters(part, f.Now())
	if part.Err() != nil && ctx.Err() == nil {
		return left, nil
	}
	return left, err
}

// share is a quarter of the time that is left: what may take long must not keep the
// sweep waiting.
func share(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(deadline)/4)
}

// ofTheList reports whether a condition is that of the list of projects.
func ofTheList(c state.ProjectCondition) bool { return c.Project == "" }

// ofNoProject reports whether a condition is about no one project: each sweep lists those.
func ofNoProject(c state.ProjectCondition) bool { return ofTheList(c) || c.Project == state.App }

// dateStateless dates the conditions that no state has by the health.json before: that of
// the list of projects, whose tries it counts, and those of projects whose id is no GUID.
func dateStateless(conditions, before []state.ProjectCondition) {
	for i, c := range conditions {
		known := slices.IndexFunc(before, func(o state.ProjectCondition) bool {
			return o.Project == c.Project && o.Scope == c.Scope && o.Code == c.Code
		})
		if known < 0 || c.Scope != (state.Scope{}) {
			continue
		}
		switch {
		case ofTheList(c):
			conditions[i].First = before[known].First
			conditions[i].Attempts += before[known].Attempts
		case c.Code == state.BadName:
			conditions[i].First = before[known].First
		}
	}
}

// lines are an error's, one for each that was joined.
func lines(err error) []string {
	if err == nil {
		return nil
	}
	return strings.Split(err.Error(), "\n")
}
