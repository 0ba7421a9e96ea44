package reconcile

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"time"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/models"
	"visionkeeper/internal/state"
)

// conclude learns what a run shows as a whole.
func (v *visit) conclude(ctx context.Context) {
	gone := v.gone()
	v.dateLacked()
	v.proveLast(ctx, gone)
	v.dateExports()
	v.dropDeletions()
	v.knowHeld()
	v.clearConditions(gone)
	v.renewLooks()
	v.forget(gone)
	v.keepName(gone)
	v.keepShown()
	v.keepNotified()
	v.keepSpent()
	v.keepCompleted()
	if v.scope.whole && v.seen.Project.Rebuilt && v.inService() && v.blind == nil {
		v.learn(func(p *state.Project) { p.Rebuilt = false })
	}
}

// keepShown learns what the service showed of the iterations, for people to see.
func (v *visit) keepShown() {
	if v.deleted || v.listedAt.IsZero() || v.blind != nil {
		return
	}
	shown := map[string]*state.Shown{}
	for _, it := range v.seen.Iterations {
		if it.Status == customvision.StatusNew {
			continue
		}
		s := &state.Shown{Name: it.Name, Status: it.Status, Changed: it.LastModified, Published: it.PublishName,
			Stuck: it.Status == customvision.StatusCompleted && !it.Exportable}
		if it.TrainedAt != nil {
			s.Trained = *it.TrainedAt
		}
		if look := v.seen.Looks[it.ID]; look != nil && !look.Unlisted {
			s.Exports = map[string]string{}
			for _, e := range look.Exports {
				s.Exports[e.Key.String()] = e.Status
			}
		} else if known := v.seen.Project.Shown[it.ID]; known != nil {
			s.Exports = known.Exports
		}
		shown[it.ID] = s
	}
	if !reflect.DeepEqual(shown, v.seen.Project.Shown) {
		v.learn(func(p *state.Project) { p.Shown = shown })
	}
}

// keepNotified learns when the last message about the project was sent.
func (v *visit) keepNotified() {
	for _, inserted := range v.scope.iterations {
		if inserted.After(v.seen.Project.Notified) {
			v.learn(func(p *state.Project) { p.Notified = inserted })
		}
	}
}

// knowHeld learns which blobs of the model container the archive holds: they need no
// further look. There may be very many.
func (v *visit) knowHeld() {
	var held []models.Blob
	for id, blobs := range v.seen.Blobs {
		look := v.seen.Looks[id]
		if look == nil {
			continue
		}
		settled := look.settledBlobs()
		for _, b := range blobs {
			if settled(b) {
				held = append(held, b)
			}
		}
	}
	if len(held) > 0 {
		v.learn(func(p *state.Project) {
			for _, b := range held {
				knowArchived(p, b.Iteration, b.Name, b.ETag)
			}
		})
	}
}

// renewLooks dates what was asked for and looked at by this look: the other messages that
// were sent before it need no look of their own.
func (v *visit) renewLooks() {
	for id, inserted := range v.scope.iterations {
		it := v.iteration(id)
		if it != nil && it.Status == customvision.StatusFailed {
			v.settleFailure(*it)
		}
		if it == nil || !v.saw(id) {
			continue
		}
		done := v.seen.Looks[id].names(customvision.ExportDone)
		if !settled(v.rules, v.seen, *it) {
			failed := slices.ContainsFunc(v.failed, func(f Failure) bool { return f.Iteration == id })
			if !inserted.IsZero() && !failed {
				looked := state.Looked{At: v.began, Rule: v.rules.hash(), Done: done}
				v.learn(func(p *state.Project) { p.Iteration(id).Looked = &looked })
			}
			continue
		}
		v.learn(func(p *state.Project) {
			p.Iteration(id).Looked = nil
			if s := p.Iteration(id).Settled; s != nil && v.began.After(s.At) {
				p.Iteration(id).Settled = &state.Settled{At: v.began, Rule: s.Rule, Wanted: s.Wanted, Done: done}
			}
		})
	}
}

// settleFailure records that there is nothing to do about a failed training, or nothing
// before its condition is due. Every run over the whole project plans for it all the same.
func (v *visit) settleFailure(it customvision.Iteration) {
	about := func(s Step) bool { return s.Iteration == it.ID }
	if slices.ContainsFunc(Plan(v.rules, v.seen), func(a Action) bool { return about(a.Step) }) ||
		slices.ContainsFunc(v.failed, func(f Failure) bool { return about(f.Step) }) {
		return
	}
	v.learn(func(p *state.Project) {
		p.Iteration(it.ID).Settled = &state.Settled{At: v.began, Rule: v.rules.hash()}
	})
}

// dateExports gives every export that is underway a date, so that one that never
// ends is noticed whoever asked for it. The date of one that isn't is dropped: when it
// is made again it gets a date of its own.
func (v *visit) dateExports() {
	now := v.now()
	for id, look := range v.seen.Looks {
		if look.Unlisted {
			continue
		}
		for _, e := range look.Exports {
			name := e.Key.String()
			if underway(e) && v.seen.Project.Iteration(id).Export(name).Asked.IsZero() {
				v.learn(func(p *state.Project) { p.Iteration(id).Export(name).Asked = now })
			}
		}
		it := v.iteration(id)
		if it == nil {
			continue
		}
		p := &iterationPlan{plan: &plan{Rules: v.rules, o: v.seen}, iteration: *it, look: look}
		for name, asked := range v.seen.Project.Iteration(id).Exports {
			if !asked.Asked.IsZero() && !p.underway(name) && !p.pending(name, asked) {
				v.learn(func(p *state.Project) {
					p.Iteration(id).Export(name).Asked = time.Time{}
					if look.lacks(name) {
						p.Iteration(id).Settled = nil
					}
				})
			}
		}
	}
}

// clearConditions removes what no longer stands: of exports that are proven, that
// the service lists as other than failed though asking for them was refused, or that
// nobody wants any more; of iterations that the service no longer lists; and of blobs
// that are gone in this version.
func (v *visit) clearConditions(gone map[string]bool) {
	held := map[string]string{} // ETag by name
	for _, b := range v.scope.blobs {
		held[b.Name] = b.ETag
	}
	var over []state.Scope
	lacked := map[state.Scope]bool{}
	for _, c := range v.seen.Project.Conditions {
		look, it := v.seen.Looks[c.Iteration], v.iteration(c.Iteration)
		switch {
		case c.Fact == state.FactRoom && v.roomMade(c),
			c.Blob != "" && v.scope.blobsKnown && held[c.Blob] != c.ETag,
			c.Blob == "" && gone[c.Iteration],
			c.Scope == (state.Scope{}) && (v.deleted || v.Service == nil),
			c.Iteration == "" && c.Fact != "" && (v.deleted || v.Service == nil || v.factIsOver(c.Fact)),
			c.Export != "" && v.saw(c.Iteration) && v.isOver(c, look),
			ofPromoting(c) && v.isPromotionOver(c),
			c.Scope == (state.Scope{Iteration: c.Iteration}) && it != nil && v.isIterationOver(c, *it):
			over = append(over, c.Scope)
			lacked[c.Scope] = look.lacked(c)
		}
	}
	if len(over) > 0 {
		v.learn(func(p *state.Project) {
			for _, s := range over {
				p.Clear(s)
				look, it := v.seen.Looks[s.Iteration], p.Iterations[s.Iteration]
				switch {
				case it == nil:
				case s == (state.Scope{Iteration: s.Iteration}) && look == nil, // what it kept from being done is to be planned
					lacked[s]:
					it.Settled = nil
				}
			}
		})
	}
}

// isIterationOver reports whether the condition of an iteration as a whole no longer
// stands: it can be exported or needn't be, or its failure isn't to be answered any
// more.
func (v *visit) isIterationOver(c *state.Condition, it customvision.Iteration) bool {
	if it.Status == customvision.StatusCompleted {
		return it.Exportable || len(v.rules.Exports) == 0 || !isWanted(v.rules.Rule, it, v.seen.Iterations)
	}
	p := &plan{Rules: v.rules, o: v.seen}
	return v.rules.Retrain == nil || v.rules.Retrain.AfterFailure == 0 || p.trainedSince(it) || p.o.Now.Sub(p.ended(it)) > time.Duration(v.rules.Retrain.Within)
}

// isOver reports whether the condition of an export no longer stands.
func (v *visit) isOver(c *state.Condition, look *Look) bool {
	key, err := archive.NewKey(v.record.ID, c.Iteration, platformOf(c.Export), flavorOf(c.Export))
	if err != nil {
		return !slices.ContainsFunc(look.Unusable, func(e customvision.Export) bool { return quoted(e) == c.Export })
	}
	listed := look.export(key)
	switch {
	case look.proven(key):
		return true
	case c.Unproven && look.copied()[key]:
		return false
	case listed != nil && listed.Status != customvision.ExportFailed:
		return (listed.Status == customvision.ExportDone) != c.Unproven // made again, it is another thing
	case look.lacked(c): // it is gone
		return true
	}
	it := v.iteration(c.Iteration)
	wanted := it != nil && it.Exportable && isWanted(v.rules.Rule, *it, v.seen.Iterations) && slices.ContainsFunc(v.rules.ExportsOf(it.ExportableTo), func(name string) bool {
		k, err := archive.NewKey(v.record.ID, c.Iteration, platformOf(name), flavorOf(name))
		return err == nil && k == key
	})
	return !wanted
}

// mostConfirmed is how many iterations a run asks for that are missing in the list.
const mostConfirmed = 20

// gone are the remembered iterations that the service no longer has.
func (v *visit) gone() map[string]bool {
	gone := map[string]bool{}
	if v.Service == nil || v.blind != nil || hidden(v.seen.Unusable) {
		return gone // nobody lists iterations, or not all that there are
	}
	for id := range v.missing() {
		it := v.seen.Project.Iterations[id]
		lacked := v.scope.whole && v.rests(id) && !it.Lacked.IsZero() && v.now().Sub(it.Lacked) >= lackedFor
		gone[id] = v.seen.Gone[id] || lacked
		if !v.inService() {
			gone[id] = v.deleted
		}
	}
	for _, c := range v.seen.Project.Conditions {
		if _, err := customvision.ParseID(c.Iteration); err != nil && c.Iteration != "" && c.Blob == "" { // nothing can be asked under it
			gone[c.Iteration] = !slices.Contains(v.seen.Unusable, state.Scope{Iteration: c.Iteration})
		}
	}
	return gone
}

// missing are the remembered iterations that the service doesn't list, but for those of
// which nothing is known but blobs that are still there.
func (v *visit) missing() map[string]bool {
	held, _ := v.held()
	missing := map[string]bool{}
	for id, it := range v.seen.Project.Iterations {
		stays := onlyBlobs(it) && len(it.Blobs) > 0 && (held[id] || !v.scope.blobsKnown)
		if !stays && v.iteration(id) == nil {
			missing[id] = true
		}
	}
	for id, d := range v.seen.Project.Deletions {
		if d.Open() && v.iteration(id) == nil {
			missing[id] = true
		}
	}
	for _, c := range v.seen.Project.Conditions {
		if _, err := customvision.ParseID(c.Iteration); err == nil && c.Blob == "" && v.iteration(c.Iteration) == nil {
			missing[c.Iteration] = true
		}
	}
	if holder := v.holder(); holder != "" && v.iteration(holder) == nil {
		missing[holder] = true
	}
	return missing
}

// lackedFor is how long a thing has to be looked for in vain until it counts as gone: an
// iteration that rests, in the lists; the announcement of a deletion, in the archive.
const lackedFor = time.Hour

// rests reports whether there is nothing to do about a remembered iteration, and no copy
// of it waits for a proof. Nobody has to know at once that it is gone.
func (v *visit) rests(id string) bool {
	it := v.seen.Project.Iterations[id]
	_, asked := v.scope.iterations[id]
	return it != nil && (it.Settled != nil || !it.Ended.IsZero() || onlyBlobs(it)) && !asked && len(v.seen.Blobs[id]) == 0 &&
		!slices.ContainsFunc(v.seen.Project.Conditions, func(c *state.Condition) bool { return c.Iteration == id })
}

// dateLacked learns since when the service's list lacks what rests.
func (v *visit) dateLacked() {
	if !v.scope.whole || !v.inService() || v.blind != nil || hidden(v.seen.Unusable) {
		return
	}
	now, missing := v.now(), v.missing()
	for id, it := range v.seen.Project.Iterations {
		switch lacked := missing[id] && v.rests(id); {
		case lacked && it.Lacked.IsZero():
			v.learn(func(p *state.Project) { p.Iteration(id).Lacked = now })
		case !lacked && !it.Lacked.IsZero():
			v.learn(func(p *state.Project) { p.Iteration(id).Lacked = time.Time{} })
		}
	}
}

// holder is the iteration that is known to have the name that the policy publishes under;
// empty where none is.
func (v *visit) holder() string {
	if v.seen.Project.Promotion == nil {
		return ""
	}
	return v.seen.Project.Promotion.Holder
}

// onlyBlobs reports whether nothing is known of an iteration but its blobs that are archived.
func onlyBlobs(it *state.Iteration) bool {
	return it.Settled == nil && len(it.Exports) == 0 && it.Facts == nil && it.Ended.IsZero()
}

// overtaken reports whether a remembered iteration was trained before another one that the
// list has: no effect depends on it.
func (v *visit) overtaken(id string) bool {
	it := v.seen.Project.Iterations[id]
	at := it.Ended
	if trained := factsOf(it).TrainedAt; trained != nil {
		at = *trained
	}
	last := v.iteration(newest(v.seen.Iterations))
	return last != nil && !at.IsZero() && at.Before(*last.TrainedAt)
}

// confirmMissing asks for each remembered iteration that the list lacks: it may lack one
// for one look. One that is there is seen as any other. One that rests is asked for only
// where an effect may depend on it.
func (v *visit) confirmMissing(ctx context.Context, effects bool) {
	v.seen.Missing = false
	if hidden(v.seen.Unusable) {
		return
	}
	ctx, cancel := shareOf(ctx)
	defer cancel()
	for id := range v.missing() {
		d := v.seen.Project.Deletions[id]
		if v.seen.Gone[id] || v.rests(id) && id != v.holder() && (!effects || v.overtaken(id)) && (d == nil || !d.Open()) {
			continue
		}
		if v.asked < mostConfirmed && ctx.Err() == nil {
			v.asked++
			it, err := v.Service.Iteration(ctx, v.record.ID, id)
			if err == nil && strings.EqualFold(it.ID, id) {
				it.ID = id
				v.seen.Iterations = append(v.seen.Iterations, it)
				continue
			}
			v.seen.Gone[id] = customvision.NotFound(err)
		}
		v.seen.Missing = v.seen.Missing || !v.seen.Gone[id]
	}
}

// proveLast proves the copies of iterations that are gone, and that have no proof yet: the
// archive alone says that there are any, unless the iteration rests. Where that fails, it
// isn't forgotten.
func (v *visit) proveLast(ctx context.Context, gone map[string]bool) {
	for id := range gone {
		waits := slices.ContainsFunc(v.seen.Project.Conditions, func(c *state.Condition) bool { return c.Iteration == id && c.Code == state.Copied })
		if gone[id] && (waits || v.seen.Project.Iterations[id] != nil && !v.rests(id)) {
			gone[id] = v.proveKept(ctx, id) == nil
		}
	}
}

// proveKept proves what the archive has of an iteration without a proof.
func (v *visit) proveKept(ctx context.Context, iteration string) error {
	backups, err := v.Archive.Backups(ctx, v.record.ID, iteration)
	for i, b := range backups {
		if b.Verdict == "" {
			var failed error
			backups[i], failed = v.keep(ctx, b.Key, found{kept: &b})
			err = errors.Join(err, failed)
		}
	}
	v.kept = append(v.kept, backups...)
	if err != nil {
		log := v.logOf(ctx, iteration).Logger()
		log.Warn().Err(err).Msg("the copies of an iteration that is gone are not proven yet")
	}
	return err
}

// forget drops what is remembered of iterations that the service no longer has.
// Their blobs are remembered for as long as they lie in the model container.
func (v *visit) forget(unlisted map[string]bool) {
	held, collecting := v.held()
	gone, bare := map[string]bool{}, map[string]bool{}
	for id, known := range v.seen.Project.Iterations {
		switch {
		case !unlisted[id]:
		case v.scope.blobsKnown && !held[id], !v.scope.blobsKnown && len(known.Blobs) == 0:
			gone[id] = true
		case known.Settled != nil || len(known.Exports) > 0 || !known.Ended.IsZero() || known.Facts != nil && !collecting[id]:
			bare[id] = true
		}
	}
	if len(gone)+len(bare) == 0 {
		return
	}
	v.learn(func(p *state.Project) {
		for id := range gone {
			delete(p.Iterations, id)
		}
		for id := range bare { // nothing else is of use than the blobs, and the facts for proofs to come
			it := state.Iteration{Blobs: p.Iteration(id).Blobs}
			if collecting[id] {
				it.Facts = p.Iteration(id).Facts
			}
			p.Iterations[id] = &it
		}
		p.Conditions = slices.DeleteFunc(p.Conditions, func(c *state.Condition) bool { return gone[c.Iteration] || bare[c.Iteration] && c.Blob == "" })
	})
}

// held are the iterations that the model container holds blobs of, collecting those
// of them with a blob that isn't archived yet.
func (v *visit) held() (held, collecting map[string]bool) {
	held, collecting = map[string]bool{}, map[string]bool{}
	for _, b := range v.scope.blobs {
		held[b.Iteration] = true
		if known := v.seen.Project.Iterations[b.Iteration]; known == nil || known.Blobs[b.Name] != b.ETag {
			collecting[b.Iteration] = true
		}
	}
	return held, collecting
}
