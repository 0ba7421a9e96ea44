package reconcile

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/policy"
	"visionkeeper/internal/state"
)

// iterationPlan is the plan for one completed iteration while it is made.
type iterationPlan struct {
	*plan
	iteration customvision.Iteration
	record    *state.Iteration
	look      *Look

	// busy are the platforms with an export underway or not yet archived: two
	// flavors of a platform share one blob name in the model container.
	busy map[string]bool
}

// completed plans for a completed iteration: first what secures what there is, then
// the exports that are still wanted.
func (p *plan) completed(it customvision.Iteration, look *Look) {
	i := &iterationPlan{plan: p, iteration: it, record: p.o.Project.Iterations[it.ID], look: look, busy: map[string]bool{}}
	if i.record == nil {
		i.record = &state.Iteration{}
	}
	begin := len(p.actions)
	if p.o.askable(p.Rules, it.ID) {
		p.add(Describe, state.Scope{Iteration: it.ID}, "what proofs say of it isn't known yet")
	}
	if look.Unlisted {
		return
	}
	for _, e := range look.Unusable {
		p.postpone(state.Scope{Iteration: it.ID, Export: quoted(e)}, state.BadName, "nothing can be stored under the name that its export has in the service's list")
	}
	for _, e := range look.Exports {
		i.secure(e)
	}
	i.proveRest()
	for name, asked := range i.record.Exports {
		if i.pending(name, asked) {
			i.busy[platformOf(name)] = true
		}
	}
	if isWanted(p.Rule, it, p.o.Iterations) {
		i.wanted()
	}
	// What was tried left its trace, but for an export that couldn't be asked for.
	open := slices.ContainsFunc(p.actions[begin:], func(a Action) bool { return keepsOpen(p.Rules, a) && (a.Kind == Export || !p.o.Tried[a.Step]) })
	if !open && !i.open() && !settled(p.Rules, p.o, it) {
		p.add(Settle, state.Scope{Iteration: it.ID}, "what is asked for it is done or put off")
	}
}

// open reports whether something was tried in this run and is neither done nor
// recorded as a condition, or was there before and isn't in the list now, which may be so
// for one look: the iteration must be looked at again.
func (p *iterationPlan) open() bool {
	for name, asked := range p.record.Exports {
		if !asked.Asked.IsZero() && p.look.lacks(name) {
			return true
		}
	}
	if d := p.o.Project.Deletions[p.iteration.ID]; d != nil && p.deleting(d) {
		return true
	}
	lacked := func(c *state.Condition) bool { return c.Iteration == p.iteration.ID && p.look.lacked(c) }
	return p.o.askable(p.Rules, p.iteration.ID) || slices.ContainsFunc(p.o.Project.Conditions, lacked) || slices.ContainsFunc(p.look.Exports, func(e Listed) bool {
		return e.Status == customvision.ExportDone && !p.look.proven(e.Key) && p.o.Project.Condition(p.scope(e.Key.String())) == nil
	})
}

func (p *iterationPlan) scope(export string) state.Scope {
	return state.Scope{Iteration: p.iteration.ID, Export: export}
}

// asked is what is remembered of an export.
func (p *iterationPlan) asked(name string) *state.Export {
	if asked := p.record.Exports[name]; asked != nil {
		return asked
	}
	return &state.Export{}
}

// secure plans for an export that the API lists: what is done is to be archived.
func (p *iterationPlan) secure(e Listed) {
	name := e.Key.String()
	s := p.scope(name)
	switch e.Status {
	case customvision.ExportFailed:
	case customvision.ExportDone:
		if p.look.proven(e.Key) {
			return
		}
		c := p.o.Project.Condition(s)
		if c != nil && !c.Unproven {
			c = nil // of asking for it, which is over
		}
		p.busy[e.Key.Platform] = p.busy[e.Key.Platform] || p.holds(c)
		if due(c, p.Under, p.o.Now) || p.provable(c) || c.Final() && p.o.changed(c.On, p.iteration.ID, e) {
			p.add(Backup, s, "it is exported and not yet proven in the archive")
		}
	default:
		asked, c := p.asked(name), p.o.Project.Condition(s)
		stuck := !asked.Asked.IsZero() && p.o.Now.Sub(asked.Asked) >= p.StuckAfter
		switch {
		case stuck && p.look.proven(e.Key): // nothing is missing
		case stuck:
			p.postpone(s, state.ExportStuck, "the service has been exporting it since "+asked.Asked.UTC().Format("2006-01-02 15:04")+"Z, and came to no end")
		case c != nil && (c.Code == state.ExportRefused || c.Code == state.ExportFailed):
			p.postpone(s, state.Exporting, "the service is exporting it again, after it refused to or failed")
			fallthrough
		default:
			p.busy[e.Key.Platform] = true
		}
		p.add(Wait, s, "it is being exported")
	}
}

// proveRest plans for copies that wait for their proof, and whose exports the service
// doesn't list as done any more.
func (p *iterationPlan) proveRest() {
	byName := func(a, b archive.Key) int { return cmp.Compare(a.String(), b.String()) }
	for _, key := range slices.SortedFunc(maps.Keys(p.look.copied()), byName) {
		s := p.scope(key.String())
		if !p.look.done(key) && (p.due(s) || p.provable(p.o.Project.Condition(s))) {
			p.add(Backup, s, "it was copied, and isn't proven yet")
			p.busy[key.Platform] = true // once it is proven, it needn't be made again
		}
	}
}

// provable reports whether a condition says that a proof waits, and it needn't any more.
func (p *iterationPlan) provable(c *state.Condition) bool {
	return c != nil && c.Code == state.Copied && p.o.provable(p.iteration.ID, p.o.Now)
}

// underway reports whether the service is making an export. Its list of statuses is open.
func underway(e Listed) bool {
	return e.Status != customvision.ExportDone && e.Status != customvision.ExportFailed
}

// underway reports whether an export of this name is in the list and underway.
func (p *iterationPlan) underway(name string) bool {
	return slices.ContainsFunc(p.look.Exports, func(e Listed) bool { return e.Key.String() == name && underway(e) })
}

// holds reports whether a finished export that isn't archived yet keeps another one
// of its platform from being asked for, which would overwrite its blob: for a time,
// while there is hope.
func (p *iterationPlan) holds(c *state.Condition) bool {
	return c == nil || !c.Final() && p.o.Now.Sub(c.First) < p.StuckAfter
}

// wanted plans for the exports that the policy wants.
func (p *iterationPlan) wanted() {
	if len(p.Exports) == 0 {
		return
	}
	if !p.iteration.Exportable {
		p.postpone(p.scope(""), state.NotExportable, "it cannot be exported, because its domain is not a compact one: train it on a compact domain")
		return
	}
	for _, name := range p.ExportsOf(p.iteration.ExportableTo) {
		key, err := archive.NewKey(p.o.Project.ID, p.iteration.ID, platformOf(name), flavorOf(name))
		if err == nil { // the policy's schema lets no other name through
			p.want(key)
		}
	}
}

func (p *iterationPlan) want(key archive.Key) {
	name := key.String()
	s, listed := p.scope(name), p.look.export(key)
	failed := listed != nil && listed.Status == customvision.ExportFailed
	switch c := p.o.Project.Condition(s); {
	case listed != nil && !failed: // planned for as what it is
	case p.look.proven(key): // the archive has it, whatever the service lists
	case !offers(p.iteration, key.Platform):
		p.postpone(s, state.NotOffered, "it cannot be exported, because its domain offers only "+strings.Join(p.iteration.ExportableTo, ", "))
	case p.pending(name, p.asked(name)):
		p.add(Wait, s, "it was asked for a moment ago")
	case failed && !p.failureSaid(c, p.asked(name)):
		p.postpone(s, state.ExportFailed, "the service could not export it")
	case !p.due(s):
	case p.busy[key.Platform]:
		p.add(Wait, s, "another export of "+key.Platform+" has to be archived first")
	case p.Mode == policy.Act && p.lastChance(key):
		p.busy[key.Platform] = true
	default:
		p.add(Export, s, "the policy wants it")
		p.busy[key.Platform] = p.Mode == policy.Act
	}
}

// lastChance plans to archive what an export would overwrite, and reports whether there is
// any: what couldn't be archived for so long that it no longer holds its platform may be to
// be had by now, unless it was tried just now. A package that was given up for what reading
// it costs isn't tried.
func (p *iterationPlan) lastChance(key archive.Key) bool {
	begin := len(p.actions)
	for _, e := range p.look.Exports {
		s := p.scope(e.Key.String())
		c := p.o.Project.Condition(s)
		if e.Key != key && e.Key.Platform == key.Platform && e.Status == customvision.ExportDone && !p.look.proven(e.Key) &&
			!p.due(s) && !c.Final() && !slices.Contains([]state.Code{state.Unfinished, state.TooCostly, state.TooLarge}, c.Code) &&
			p.o.Now.Sub(c.Last) >= p.Grace && !p.o.Tried[Step{Kind: Backup, Scope: s}] {
			p.add(Backup, s, "another export of "+key.Platform+" is to be asked for, which will overwrite it")
		}
	}
	return len(p.actions) > begin
}

// offers reports whether an iteration's domain offers a platform, as far as it says so.
func offers(it customvision.Iteration, platform string) bool {
	return len(it.ExportableTo) == 0 || slices.ContainsFunc(it.ExportableTo, func(o string) bool { return customvision.SamePlatform(o, platform) })
}

// failureSaid reports whether the condition of an export that the service lists as
// failed says so, or says that making it again was refused since.
func (p *iterationPlan) failureSaid(c *state.Condition, asked *state.Export) bool {
	return c != nil && (c.Code == state.ExportFailed || c.Code == state.ExportRefused && asked.Asked.IsZero())
}

// pending reports whether an export was asked for and may not be in the list yet:
// the answer isn't known (Until is set), or it came a moment ago and the list lags.
func (p *iterationPlan) pending(name string, asked *state.Export) bool {
	key, err := archive.NewKey(p.o.Project.ID, p.iteration.ID, platformOf(name), flavorOf(name))
	if err != nil {
		return false
	}
	until := asked.Until
	switch listed := p.look.export(key); {
	case listed == nil:
		if until.Before(asked.Asked) {
			until = asked.Asked
		}
	case listed.Status != customvision.ExportFailed:
		return false
	}
	return !until.IsZero() && p.o.Now.Before(until.Add(p.Grace))
}

func platformOf(export string) string { p, _, _ := strings.Cut(export, "."); return p }
func flavorOf(export string) string   { _, f, _ := strings.Cut(export, "."); return f }
