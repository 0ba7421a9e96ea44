package reconcile

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

// mostIterations is how many iterations Custom Vision allows a project:
// https://learn.microsoft.com/azure/ai-services/custom-vision-service/limits-and-quotas
const mostIterations = 20

// noRoom is the scope of what keeps a project from making room, roomOf that of what keeps
// one iteration from being deleted.
var noRoom = roomOf("")

func roomOf(iteration string) state.Scope {
	return state.Scope{Iteration: iteration, Fact: state.FactRoom}
}

// count is how many iterations count towards the limit: all but the workspace, and but
// one that is gone and that the list still has.
func (o Observed) count() int {
	return len(o.Unusable) + countFunc(o.Iterations, func(it customvision.Iteration) bool {
		return it.Status != customvision.StatusNew && !o.deleted(it.ID)
	})
}

// deleted reports whether the app deleted an iteration, and the service said that it is gone.
func (o Observed) deleted(iteration string) bool {
	d := o.Project.Deletions[iteration]
	return d != nil && !d.Open()
}

// full reports whether the project has more iterations than the policy keeps, or as many
// as the service allows. Without a number in the policy it never is.
func (p *plan) full() bool {
	n := p.o.count()
	return p.Keep > 0 && (n > p.Keep || n >= mostIterations)
}

// room plans to delete the oldest iteration that can be spared and is safe, where the
// project is full: one in a run, so that each is planned on a look of its own. Where there
// is none, it says why. Of what this run didn't look at nothing is said.
func (p *plan) room() {
	if p.Ask != nil || !p.full() || p.unsettling() {
		return
	}
	var why []string
	completed := slices.ContainsFunc(p.o.Iterations, func(it customvision.Iteration) bool { return it.Status == customvision.StatusCompleted })
	if len(p.o.Unusable) > 0 || completed && newest(p.o.Iterations) == "" {
		why = append(why, "it can't be told which of them is the newest")
	} else {
		for _, it := range p.spare() {
			if it.Status == customvision.StatusCompleted && (p.o.Looks[it.ID] == nil || p.Rescue && p.o.Sets == nil) {
				return
			}
			obstacle := p.obstacle(it)
			if obstacle == "" {
				p.add(Delete, roomOf(it.ID), fmt.Sprintf("the project has %d iterations, and the policy keeps %d: it is the oldest that is not needed, and the archive has all of it", p.o.count(), min(p.Keep, mostIterations-1)))
				return
			}
			why = append(why, cmp.Or(it.Name, it.ID)+": "+obstacle)
		}
	}
	if len(why) == 0 {
		why = append(why, "each is published, or is the newest")
	}
	if more := len(why) - mostObstacles; more > 0 {
		why = append(why[:mostObstacles], fmt.Sprintf("and %d more", more))
	}
	p.postpone(noRoom, state.Full, fmt.Sprintf("the project has %d iterations, and none can be deleted to make room: %s", p.o.count(), strings.Join(why, "; ")))
}

// mostObstacles is how many iterations a condition names.
const mostObstacles = 5

// unsettling reports whether something is underway by which another iteration may become
// the one to spare, or not all of the project is known. It passes by itself.
func (p *plan) unsettling() bool {
	project := p.o.Project
	tried := slices.ContainsFunc(slices.Collect(maps.Keys(p.o.Tried)), func(s Step) bool { return s.Kind == Delete })
	deletes := slices.ContainsFunc(slices.Collect(maps.Values(project.Deletions)), p.deleting)
	moves := project.Promotion != nil && project.Promotion.Move != nil && p.o.Now.Before(project.Promotion.Move.Until.Add(p.Grace))
	return tried || p.underway() || deletes || moves || project.Rebuilt || project.Seen.IsZero() || p.o.Missing
}

// spare are the iterations that nobody needs at the service, the oldest first. Those which
// the app knows to have the policy's name, to lose it or to get it are none, though the list
// may say otherwise.
func (p *plan) spare() []customvision.Iteration {
	last, champion := newest(p.o.Iterations), ""
	if p.o.Project.Promotion != nil {
		champion = p.o.Project.Promotion.Holder
	}
	list := slices.DeleteFunc(slices.Clone(p.o.Iterations), func(it customvision.Iteration) bool {
		ended := it.Status == customvision.StatusCompleted && it.TrainedAt != nil || it.Status == customvision.StatusFailed
		return !ended || it.ID == last || it.ID == champion || p.o.moves(it.ID) || it.PublishName != "" || p.o.deleted(it.ID)
	})
	slices.SortFunc(list, func(a, b customvision.Iteration) int {
		return cmp.Or(p.ended(a).Compare(p.ended(b)), cmp.Compare(a.ID, b.ID))
	})
	return list
}

// moves reports whether a promotion is announced from or to an iteration.
func (o Observed) moves(iteration string) bool {
	known := o.Project.Promotion
	return known != nil && known.Move != nil && (known.Move.From == iteration || known.Move.To == iteration)
}

// spares reports whether an iteration is one of those that nobody needs.
func (p *plan) spares(iteration string) bool {
	return slices.ContainsFunc(p.spare(), func(it customvision.Iteration) bool { return it.ID == iteration })
}

// obstacle is why an iteration can't be deleted without a loss; empty where it can.
func (p *plan) obstacle(it customvision.Iteration) string {
	if c := p.o.Project.Condition(roomOf(it.ID)); !p.due(roomOf(it.ID)) {
		return c.Why
	}
	for _, c := range p.o.Project.Conditions {
		if c.Iteration == it.ID && c.Fact != state.FactRoom && !ofPromoting(c) && !c.Final() && c.Code != state.NotExportable && c.Code != state.NotOffered {
			return cmp.Or(c.Export, "it") + " can't be dealt with now, and is tried again"
		}
	}
	if it.Status == customvision.StatusFailed { // it has no model, and no data set is saved of it
		if !p.trainedSince(it) {
			return "nothing was trained since it failed"
		}
		return ""
	}
	switch set, complete := p.o.Sets[it.ID]; {
	case len(p.o.Blobs[it.ID]) > 0:
		return "a blob of it in the model container isn't archived yet"
	case p.Rescue && (!complete || set.Lost):
		return "its data set isn't saved completely"
	}
	return p.unsaved(it, p.o.Looks[it.ID])
}

// unsaved is what of an iteration's model isn't safe in the archive; empty where nothing
// is missing.
func (p *plan) unsaved(it customvision.Iteration, look *Look) string {
	if look == nil || look.Unlisted {
		return "its exports couldn't be listed"
	}
	i := &iterationPlan{plan: p, iteration: it, record: cmp.Or(p.o.Project.Iterations[it.ID], &state.Iteration{}), look: look}
	for _, e := range look.Exports {
		switch name := e.Key.String(); {
		case underway(e):
			return name + " is being exported"
		case e.Status == customvision.ExportDone && !look.proven(e.Key):
			return name + " has no proven backup"
		}
	}
	for _, name := range slices.Sorted(maps.Keys(i.record.Exports)) {
		switch asked := i.record.Exports[name]; {
		case i.pending(name, asked):
			return name + " was asked for a moment ago"
		case !asked.Asked.IsZero() && look.lacks(name): // the list may lack it for one look
			return name + " was being exported, and isn't in the list"
		}
	}
	var wanted []string
	if isWanted(p.Rule, it, p.o.Iterations) && it.Exportable {
		wanted = p.ExportsOf(it.ExportableTo)
	}
	for _, name := range wanted {
		key, err := archive.NewKey(p.o.Project.ID, it.ID, platformOf(name), flavorOf(name))
		if err == nil && offers(it, key.Platform) && !look.proven(key) {
			return name + " is wanted, and has no proven backup"
		}
	}
	switch {
	case len(look.Unusable) > 0:
		return "nothing can be stored under the name of an export of it"
	case len(look.copied()) > 0:
		return "a copy of it in the archive isn't proven yet"
	case !slices.ContainsFunc(look.Backups, func(b archive.Backup) bool { return b.Verdict.Counts() }):
		return "the archive has no proven backup of it, and nobody else would have it"
	}
	return ""
}

// deletions looks after what the service was asked to delete: what is gone is recorded.
func (p *plan) deletions() {
	for _, id := range slices.Sorted(maps.Keys(p.o.Project.Deletions)) {
		d := p.o.Project.Deletions[id]
		switch {
		case !d.Open():
		case p.o.Gone[id] && !slices.ContainsFunc(p.o.Iterations, func(it customvision.Iteration) bool { return it.ID == id }):
			p.add(Bury, state.Scope{Iteration: id}, "the app asked for its deletion, and Custom Vision no longer has it")
		case p.deleting(d):
			p.add(Wait, state.Scope{Iteration: id}, "its deletion was asked for a moment ago")
		}
	}
}

// deleting reports whether a deletion was asked for, and its sender may not be done yet.
func (p *plan) deleting(d *state.Deletion) bool {
	return d.Open() && p.o.Now.Before(d.Until.Add(p.Grace))
}
