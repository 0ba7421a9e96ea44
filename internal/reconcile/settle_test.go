package reconcile_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"visionkeeper/dev/emulator"
	"visionkeeper/dev/world"
	"visionkeeper/internal/policy"
)

// settle ends all trouble and sweeps, with time between, until nothing changes
// any more. Then everything must be as the policy asks.
func (h *history) settle() {
	h.t.Logf("%s the trouble ends", h.Service.Now().Format("02 15:04:05"))
	h.Service.FailTrainings(0)
	h.Service.FailExports(0)
	h.Service.StallExports(0)
	h.advance(world.TrainTime)
	h.judge.calm = true
	m := h.newMachine("Z")
	var quiet int
	last := ""
	waits := []time.Duration{10 * time.Minute, 10 * time.Minute, stuckAfter + time.Hour, 10 * time.Minute}
	for n := 0; quiet <= len(waits); n++ {
		if n == 60 {
			h.t.Fatalf("after %d sweeps it still changes: %s", n, last)
		}
		if _, err := m.reconciler.Sweep(h.ctx, ""); err != nil {
			h.t.Fatalf("an undisturbed sweep fails: %v", err)
		}
		h.judge.look()
		if n == 0 {
			h.everyBlobIsArchived()
		}
		now := fmt.Sprint(h.Remembered(h.project).Revision, len(h.judge.kept), h.judge.exports, h.judge.trainings, h.moving())
		if quiet++; now != last || h.moving() {
			quiet = 0
		}
		last = now
		h.advance(waits[min(quiet, len(waits)-1)])
	}
	h.everyBlobIsArchived()
	if !h.noAPI {
		h.everyExportIsProven()
		h.everyWishIsFulfilled()
	}
	h.lastFailureIsAnswered()
	h.judge.look()
}

// moving tells that the service still works on something.
func (h *history) moving() bool {
	return slices.ContainsFunc(h.iterations(), func(it emulator.IterationView) bool { return it.Status == "Training" })
}

// everyBlobIsArchived: a sweep leaves no bytes in the model container alone.
func (h *history) everyBlobIsArchived() {
	held := map[string]bool{}
	for name, b := range h.list(h.Containers.Archive) {
		if !strings.HasSuffix(name, ".json") {
			held[h.hash(h.Containers.Archive, name, b.etag)] = true
		}
	}
	for name, b := range h.list(h.Containers.Models) {
		if strings.HasPrefix(name, "CustomVision-TestPermission") {
			continue
		}
		if !held[h.hash(h.Containers.Models, name, b.etag)] {
			h.judge.find("the archive hasn't got %s", name)
		}
	}
}

// everyExportIsProven: whatever the service lists as done has a backup that
// counts; but for one whose bytes are nowhere any more.
func (h *history) everyExportIsProven() {
	counted := map[string]bool{}
	for _, b := range h.Backups(h.project, "") {
		counted[b.Iteration+" "+b.Key.String()] = counted[b.Iteration+" "+b.Key.String()] || b.Verdict.Counts()
	}
	remembered := h.Remembered(h.project)
	for _, it := range h.iterations() {
		for _, e := range it.Exports {
			id := it.ID + " " + nameOfExport(e)
			excused := h.overwritable() && h.judge.blocked(remembered, it.ID, nameOfExport(e))
			if e.Status == "Done" && !counted[id] && !excused {
				h.judge.find("export %s is done and has no backup; remembered is %s", id, h.says(it.ID, nameOfExport(e)))
			}
		}
	}
}

// everyWishIsFulfilled: what the policy asks to export is exported, or it is
// remembered why not.
func (h *history) everyWishIsFulfilled() {
	remembered := h.Remembered(h.project)
	if h.policy.Mode != policy.Act {
		return
	}
	for _, it := range h.iterations() {
		if it.Status != "Completed" || !h.wanted(it) {
			continue
		}
		for _, wish := range h.judge.rule().Exports {
			listed := slices.ContainsFunc(it.Exports, func(e emulator.ExportView) bool {
				return nameOfExport(e) == canonical(wish) && e.Status != "Failed"
			})
			if listed {
				continue
			}
			record := remembered.Iterations[it.ID]
			known := record != nil && record.Exports[canonical(wish)] != nil && record.Exports[canonical(wish)].Refused != ""
			// Whoever died before sending has used up one of the three attempts.
			inVain := h.judge.asked[it.ID+" "+canonical(wish)] >= 3 || h.disturbed && known && record.Exports[canonical(wish)].Attempts >= 3
			if !known || !inVain && !h.judge.refusedOnce[it.ID+" "+canonical(wish)] {
				h.judge.find("the policy wants %s of %s; remembered is %s", wish, it.ID, h.says(it.ID, canonical(wish)))
			}
		}
	}
}

// wanted tells whether the policy asks for exports of the iteration.
func (h *history) wanted(it emulator.IterationView) bool {
	which := h.judge.rule().Iterations
	completed := h.completed()
	return slices.Contains(which, policy.All) ||
		slices.Contains(which, policy.Published) && it.PublishName != "" ||
		slices.Contains(which, policy.Newest) && it.ID == completed[0].ID
}

// lastFailureIsAnswered: as far as the policy allows, and the app can know.
func (h *history) lastFailureIsAnswered() {
	its, retrain, j := h.iterations(), h.judge.rule().Retrain, h.judge
	if h.noAPI || len(its) == 0 || its[0].Status != "Failed" || retrain == nil || h.policy.Mode != policy.Act || j.lost > 0 {
		return
	}
	cause := its[0].ID
	excused := j.answered[cause] || j.refusedOnce[cause] || j.depth[cause] >= retrain.AfterFailure || len(j.began) >= retrain.PerMonth || !h.met
	month := 0
	for _, t := range h.Remembered(h.project).Trainings {
		// After a sender that died, a person's training may be taken for the one it
		// announced.
		excused = excused || t.Result == cause && h.disturbed
		if t.Refused == "" && h.Service.Now().Sub(t.Asked) < 30*24*time.Hour {
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
	it, err := h.person.Iteration(h.ctx, h.project, id)
	h.must(err)
	return it.LastModified
}

func (h *history) says(iteration, export string) string {
	record := h.Remembered(h.project).Iterations[iteration]
	if record == nil {
		return "nothing"
	}
	return fmt.Sprintf("%+v of %v, %+v", record.Exports[export], slices.Sorted(maps.Keys(record.Exports)), record.Settled)
}

// overwritable tells a service whose only link to an export leads into the model
// container, where another may have taken its place.
func (h *history) overwritable() bool {
	return h.answers[emulator.DownloadURI] == "container" && h.overwrites
}
