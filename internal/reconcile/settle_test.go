package reconcile_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
)

// settle ends all trouble and sweeps, with time between, until nothing changes any
// more, and then for a week: the longest that anything is put off. Then everything
// must be as the policy asks.
func (h *history) settle() {
	h.t.Logf("%s the trouble ends", h.Service.Now().Format("02 15:04:05"))
	h.endTroubles()
	if pick(h.t, "rehydrated", []bool{true, false}) {
		h.rehydrate()
	}
	h.advance(world.TrainTime)
	h.judge.calm = true
	m := h.newMachine("Z")
	h.sweepUntilQuiet(m)
	h.lastFailureIsAnswered()
	for _, wait := range []time.Duration{time.Hour, 12 * time.Hour, 24 * time.Hour, 72 * time.Hour, 72 * time.Hour, world.ExportTime, time.Hour, world.ExportTime, time.Hour} {
		h.advance(wait)
		h.sweep(m)
	}
	h.everyBlobIsArchived()
	if !h.noAPI && !h.judge.outside() {
		h.everyExportIsProven()
		h.everyWishIsFulfilled()
		h.theNameIsWhereItBelongs()
	}
	h.judge.look()
}

// sweepUntilQuiet sweeps until nothing was asked for and nothing archived for hours.
func (h *history) sweepUntilQuiet(m *machine) {
	var quiet int
	last := ""
	waits := []time.Duration{10 * time.Minute, 10 * time.Minute, stuckAfter + time.Hour, 10 * time.Minute}
	for n := 0; quiet <= len(waits); n++ {
		if n == 60 {
			h.t.Fatalf("after %d sweeps it still changes: %s", n, last)
		}
		h.sweep(m)
		remembered := h.Remembered(h.project)
		if n == 0 && len(remembered.Conditions) == 0 {
			h.everyBlobIsArchived()
		}
		now := fmt.Sprint(len(h.judge.kept), h.judge.exports, h.judge.trainings, h.moving())
		if quiet++; now != last || h.moving() {
			quiet = 0
		}
		last = now
		h.advance(waits[min(quiet, len(waits)-1)])
	}
}

// sweep sweeps once, undisturbed.
func (h *history) sweep(m *machine) {
	if tooMuch := m.do(h.ctx, func(ctx context.Context, m *machine) {
		if err := m.sweep(ctx); err != nil {
			h.t.Fatalf("an undisturbed sweep fails: %v", err)
		}
	}); tooMuch != "" {
		h.judge.find("%s", tooMuch)
	}
	h.judge.look()
}

// moving tells that the service still works on something.
func (h *history) moving() bool {
	return slices.ContainsFunc(h.iterations(), func(it emulator.IterationView) bool { return it.Status == "Training" })
}

// leftAlone reports whether the app has to leave the project alone. Where the policy
// names it by a name that nobody can tell the app any more, since there is no endpoint
// or no project, and what is remembered was lost or never held the name, the app
// can't know that the policy means it.
func (h *history) leftAlone() bool {
	if (h.noAPI || h.vanished) && h.judge.named && h.Remembered(h.project).Name == "" {
		return false // it has forgotten the name by itself
	}
	return h.judge.outside()
}

// everyBlobIsArchived: a sweep leaves no bytes in the model container alone that can
// be read, if the policy means the project.
func (h *history) everyBlobIsArchived() {
	if h.leftAlone() {
		return
	}
	held := map[string]bool{}
	for name, b := range h.list(h.Containers.Archive) {
		if !strings.HasSuffix(name, ".json") {
			held[h.hash(h.Containers.Archive, name, b.etag)] = true
		}
	}
	for name, b := range h.list(h.Containers.Models) {
		if strings.HasPrefix(name, "CustomVision-TestPermission") || b.rests {
			continue
		}
		if !held[h.hash(h.Containers.Models, name, b.etag)] {
			h.judge.find("the archive hasn't got %s", name)
		}
	}
}

// theNameIsWhereItBelongs: at the newest iteration, or it is known why not. No name that the
// app freed stays free.
func (h *history) theNameIsWhereItBelongs() {
	if h.judge.rule().Promote == nil || h.policy.Mode != policy.Act {
		return
	}
	newest, holder, remembered := h.judge.newest(), h.judge.holder(), h.Remembered(h.project)
	c := cmp.Or(remembered.Condition(state.Scope{Iteration: newest, Fact: state.FactPromotion}),
		remembered.Condition(state.Scope{Iteration: newest, Fact: state.FactFigures})) // of the hold-out set: it may show what no tag is for
	known := remembered.Promotion
	if known == nil {
		known = &state.Promotion{}
	}
	if newest != "" && holder != newest && c == nil && known.Left != newest {
		h.judge.find("%s has the name, and nothing says why the newest, %s, hasn't: %+v", holder, newest, *known)
	}
	if h.judge.freed {
		h.judge.find("the name is free since the app took it from an iteration")
	}
	if known.Move != nil {
		h.judge.find("a promotion is still open: %+v", *known.Move)
	}
}

// everyExportIsProven: whatever the service lists as done has a backup that
// counts; but for one whose bytes are nowhere any more.
func (h *history) everyExportIsProven() {
	counted := map[string]bool{}
	for _, b := range h.Backups(h.project, "") {
		counted[b.Iteration+" "+b.Key.String()] = counted[b.Iteration+" "+b.Key.String()] || b.Verdict.Counts()
	}
	for _, it := range h.iterations() {
		for _, e := range it.Exports {
			id := it.ID + " " + nameOfExport(e)
			code := h.judge.condition(it.ID, nameOfExport(e)).Code
			excused := h.overwritable() && (code == state.Overwritten || code == state.Ambiguous || code == state.Damaged)
			// The manifest's word that it is another one counts, where no address is its own.
			excused = excused || code == state.Ambiguous && h.answers[emulator.ManifestFlavor] == "named" && h.answers[emulator.DownloadURI] == "container"
			// So it does while that one is underway, which may be for ever: its own bytes aren't there to compare.
			underway := slices.ContainsFunc(it.Exports, func(o emulator.ExportView) bool { return o.Platform == e.Platform && o.Status == "Exporting" })
			excused = excused || code == state.Ambiguous && h.answers[emulator.ManifestFlavor] == "named" && underway
			excused = excused || code == state.Resting && h.rests() && h.answers[emulator.DownloadURI] == "container"
			if e.Status == "Done" && !counted[id] && !excused {
				h.judge.find("export %s is done and has no backup; remembered is %s", id, h.says(it.ID, nameOfExport(e)))
			}
		}
	}
}

// everyWishIsFulfilled: what the policy asks to export is exported, unless it can't
// be had: a person who asks for it now doesn't get it either.
func (h *history) everyWishIsFulfilled() {
	if h.policy.Mode != policy.Act {
		return
	}
	for _, it := range h.iterations() {
		if it.Status != "Completed" || !h.judge.wanted(it) {
			continue
		}
		for _, wish := range h.judge.rule().Exports {
			listed := slices.ContainsFunc(it.Exports, func(e emulator.ExportView) bool {
				return nameOfExport(e) == canonical(wish) && e.Status != "Failed"
			})
			if listed {
				continue
			}
			says := h.says(it.ID, canonical(wish))
			if h.canBeHad(it.ID, canonical(wish)) {
				h.judge.find("the policy wants %s of %s; remembered is %s", wish, it.ID, says)
			}
		}
	}
}

// canBeHad reports whether the service makes an export for who asks for it now.
func (h *history) canBeHad(iteration, name string) bool {
	if h.Service.Export(h.project, iteration, platformOf(name), flavorOf(name)) != nil {
		return false
	}
	h.Service.FinishNow(emulator.Scope{Iteration: iteration, Platform: platformOf(name)})
	return slices.ContainsFunc(h.iterations(), func(it emulator.IterationView) bool {
		return it.ID == iteration && slices.ContainsFunc(it.Exports, func(e emulator.ExportView) bool { return nameOfExport(e) == name && e.Status == "Done" })
	})
}

// lastFailureIsAnswered: as far as the policy allows, and the app can know.
func (h *history) lastFailureIsAnswered() {
	its, retrain, j := h.iterations(), h.judge.rule().Retrain, h.judge
	if h.noAPI || len(its) == 0 || its[0].Status != "Failed" || retrain == nil || h.policy.Mode != policy.Act || j.lost > 0 || j.outside() {
		return
	}
	cause := its[0].ID
	excused := j.answered[cause] || h.isRefused(cause) || j.depth[cause] >= retrain.AfterFailure || len(j.began) >= retrain.PerMonth || !h.met
	month := 0
	for _, t := range h.Remembered(h.project).Trainings {
		// After a sender that died, a person's training may be taken for the one it
		// announced.
		excused = excused || t.Result == cause && h.disturbed
		if t.Nothing == "" && h.Service.Now().Sub(t.Asked) < 30*24*time.Hour {
			month++
		}
	}
	excused = excused || month >= retrain.PerMonth && h.disturbed
	if !excused && h.Service.Now().Sub(h.failedAt(cause)) < time.Duration(retrain.Within) {
		j.find("failure %s isn't answered; remembered is %s", cause, h.trainings())
	}
}

func (h *history) trainings() string {
	var all []string
	for _, t := range h.Remembered(h.project).Trainings {
		all = append(all, fmt.Sprintf("%+v", *t))
	}
	return strings.Join(all, "; ")
}

// failedAt is when a training ended.
func (h *history) failedAt(id string) time.Time {
	if ended := h.judge.ended[id]; !ended.IsZero() {
		return ended
	}
	it, err := h.person.Iteration(h.ctx, h.project, id)
	h.must(err)
	return it.LastModified
}

func (h *history) says(iteration, export string) string {
	record := h.Remembered(h.project).Iterations[iteration]
	if record == nil {
		return "nothing"
	}
	return fmt.Sprintf("%+v of %v, %+v, %+v", record.Exports[export], slices.Sorted(maps.Keys(record.Exports)), record.Settled, h.judge.condition(iteration, export))
}

// isRefused reports whether a training was refused, or was more than is left of the
// budget, and is to be asked for again.
func (h *history) isRefused(cause string) bool {
	remembered := h.Remembered(h.project)
	c := remembered.Condition(state.Scope{Iteration: cause})
	return c != nil && (c.Code == state.TrainingRefused || c.Code == state.TrainingNotNeeded || c.Code == state.BudgetSpent) && c.Next.After(h.Service.Now())
}

// rests reports whether a blob of the model container lies in the Archive tier.
func (h *history) rests() bool {
	for _, b := range h.list(h.Containers.Models) {
		if b.rests {
			return true
		}
	}
	return false
}

// overwritable tells a service whose only link to an export leads into the model
// container, where another may have taken its place.
func (h *history) overwritable() bool {
	return h.answers[emulator.DownloadURI] == "container" && h.judge.overwrites
}
