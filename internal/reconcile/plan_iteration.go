package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
)

// maxAttempts bounds how often one export is asked for, and how many damaged
// copies of one export are made.
const maxAttempts = 3

// iterationPlan is the plan for one completed iteration while it is made.
type iterationPlan struct {
	Rules
	now       time.Time
	project   string // id
	iteration customvision.Iteration
	record    *state.Iteration
	look      *Look

	status map[string]string // of the listed exports, by name
	// busy are the platforms with an export underway or not yet archived: two
	// flavors of a platform share one blob name in the model container.
	busy    map[string]bool
	actions []Action
}

// planIteration plans for a completed iteration: first what secures what there
// is, then the exports that are still wanted.
func planIteration(r Rules, o Observed, it customvision.Iteration, look *Look) []Action {
	p := &iterationPlan{
		Rules: r, now: o.Now, project: o.Project.ID, iteration: it, record: o.Project.Iterations[it.ID], look: look,
		status: map[string]string{}, busy: map[string]bool{},
	}
	if p.record == nil {
		p.record = &state.Iteration{}
	}
	if p.record.Facts == nil {
		p.add(Describe, "", "nothing is known of it yet")
	}
	for _, e := range look.Exports {
		p.listed(e)
	}
	for name, asked := range p.record.Exports {
		if p.pending(name, asked) {
			platform, _, _ := strings.Cut(name, ".")
			p.busy[platform] = true
		}
	}
	wanted := isWanted(r.Rule, it, o.Iterations)
	switch {
	case !wanted || len(r.Exports) == 0:
	case it.Exportable:
		for _, name := range r.Exports {
			p.wanted(name)
		}
	case p.record.Blocked == "":
		p.add(Block, "", "cannot be exported, because its domain is not a compact one: train it on a compact domain")
	}
	if !slices.ContainsFunc(p.actions, func(a Action) bool { return keepsOpen(r, a) }) && !settled(r, o, it) {
		p.add(Settle, "", "everything asked for it is done")
	}
	return p.actions
}

func (p *iterationPlan) add(kind ActionKind, export, why string) {
	p.actions = append(p.actions, Action{Kind: kind, Iteration: p.iteration.ID, Export: export, Why: why})
}

// asked is what is remembered of an export.
func (p *iterationPlan) asked(name string) *state.Export {
	if asked := p.record.Exports[name]; asked != nil {
		return asked
	}
	return &state.Export{}
}

// listed plans for an export that the API lists.
func (p *iterationPlan) listed(e customvision.Export) {
	key, err := archive.NewKey(p.project, p.iteration.ID, e.Platform, e.Flavor)
	if err != nil {
		if p.record.Blocked == "" { // the API's list may hold anything
			p.add(Block, "", "its list of exports has one with a name that nothing can be archived under: "+err.Error())
		}
		return
	}
	name := key.String()
	asked := p.asked(name)
	p.status[name] = e.Status
	switch e.Status {
	case customvision.ExportFailed:
	case customvision.ExportDone:
		copies := backupsOf(p.look, key)
		switch {
		case asked.Blocked != "" || slices.ContainsFunc(copies, func(b archive.Backup) bool { return b.Verdict.Counts() }):
		case slices.ContainsFunc(copies, func(b archive.Backup) bool { return b.Verdict == archive.Unidentified && !unsure(b) }):
			p.add(Block, name, "a copy is kept, but it can't be told that it is this export")
		case countFunc(copies, func(b archive.Backup) bool {
			return b.Verdict == archive.Damaged && b.Origin.Kind != archive.FromContainer
		}) >= maxAttempts:
			p.add(Block, name, fmt.Sprintf("%d copies of it were damaged: the package itself is", maxAttempts))
		default:
			p.busy[key.Platform] = true
			p.add(Backup, name, "it is exported and not yet proven in the archive")
		}
	default: // Exporting; the list of statuses is open
		if asked.Asked.IsZero() || p.now.Sub(asked.Asked) < p.StuckAfter {
			p.busy[key.Platform] = true
		}
		p.add(Wait, name, "it is being exported")
	}
}

// wanted plans for an export that the policy wants.
func (p *iterationPlan) wanted(export string) {
	platform, flavor, _ := strings.Cut(export, ".")
	key, err := archive.NewKey(p.project, p.iteration.ID, platform, flavor)
	if err != nil {
		return // the policy's schema lets no such name through
	}
	name := key.String()
	if status := p.status[name]; status != "" && status != customvision.ExportFailed {
		return // planned for as what it is
	}
	offered := p.iteration.ExportableTo
	asked := p.asked(name)
	switch {
	case asked.Refused != "" || asked.Blocked != "":
	case len(offered) > 0 && !slices.ContainsFunc(offered, func(o string) bool { return customvision.SamePlatform(o, platform) }):
		p.add(Block, name, "cannot be exported, because its domain offers only "+strings.Join(offered, ", "))
	case p.pending(name, asked):
		p.add(Wait, name, "it was asked for a moment ago")
	case asked.Attempts >= maxAttempts:
		p.add(Block, name, fmt.Sprintf("it was asked for %d times in vain", asked.Attempts))
	case p.busy[key.Platform]:
		p.add(Wait, name, "another export of "+key.Platform+" has to be archived first")
	default:
		p.add(Export, name, "the policy wants it")
		p.busy[key.Platform] = p.Mode == policy.Act
	}
}

// pending tells an export whose asking may not show in the list yet: the answer
// isn't known (Until is set), or it came a moment ago and the list lags behind.
func (p *iterationPlan) pending(name string, asked *state.Export) bool {
	until := asked.Until
	switch p.status[name] {
	case "":
		if until.Before(asked.Asked) {
			until = asked.Asked
		}
	case customvision.ExportFailed:
	default:
		return false
	}
	return !until.IsZero() && p.now.Before(until.Add(p.Grace))
}

// backupsOf are the copies of an export that the archive holds.
func backupsOf(look *Look, key archive.Key) []archive.Backup {
	return slices.DeleteFunc(slices.Clone(look.Backups), func(b archive.Backup) bool { return b.Key != key })
}

// unsure tells a copy that may well be the export though nothing in it says so:
// it came from the model container, whose names leave the flavor open. A copy
// from the export's own link would be sure.
func unsure(b archive.Backup) bool {
	return b.Verdict == archive.Unidentified && b.Origin.Kind == archive.FromContainer
}
