package reconcile

import (
	"slices"
	"time"

	"visionkeeper/internal/archive"
	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

// conclude learns what a run shows as a whole.
func (v *visit) conclude() {
	v.dateExports()
	for id, blobs := range v.seen.Blobs {
		if look := v.seen.Looks[id]; look != nil {
			for _, b := range blobs {
				if look.holds(b) {
					v.archived(id, b.Name, b.ETag)
				}
			}
		}
	}
	v.clearConditions()
	v.renewSettled()
	v.forget()
	if v.scope.whole && v.seen.Project.Rebuilt && v.inService() && !v.unseen {
		v.learn(func(p *state.Project) { p.Rebuilt = false })
	}
}

// renewSettled dates what was asked for, looked at and is still settled by this look:
// the other messages that were sent before it need no look of their own.
func (v *visit) renewSettled() {
	for id := range v.scope.iterations {
		it := v.iteration(id)
		if it == nil || v.seen.Looks[id] == nil || !settled(v.rules, v.seen, *it) {
			continue
		}
		v.learn(func(p *state.Project) {
			if s := p.Iteration(id).Settled; s != nil && v.began.After(s.At) {
				p.Iteration(id).Settled = &state.Settled{At: v.began, Rule: s.Rule, Wanted: s.Wanted}
			}
		})
	}
}

// dateExports gives every export that is underway a date, so that one that never
// ends is noticed whoever asked for it.
func (v *visit) dateExports() {
	for id, look := range v.seen.Looks {
		for _, e := range look.Exports {
			name := e.Key.String()
			if e.Status != customvision.ExportExporting || !v.seen.Project.Iteration(id).Export(name).Asked.IsZero() {
				continue
			}
			now := v.now()
			v.learn(func(p *state.Project) { p.Iteration(id).Export(name).Asked = now })
		}
	}
}

// clearConditions removes what no longer stands: of exports that are proven, that
// the service lists as other than failed though asking for them was refused, or that
// nobody wants any more; of iterations that the service no longer lists; and of blobs
// that are gone in this version.
func (v *visit) clearConditions() {
	held := map[string]string{} // ETag by name
	for _, b := range v.scope.blobs {
		held[b.Name] = b.ETag
	}
	var over []state.Scope
	for _, c := range v.seen.Project.Conditions {
		look, it := v.seen.Looks[c.Iteration], v.iteration(c.Iteration)
		switch {
		case c.Blob != "" && v.scope.blobsKnown && held[c.Blob] != c.ETag,
			c.Blob == "" && c.Iteration != "" && it == nil && v.inService() && !slices.Contains(v.seen.Unusable, state.Scope{Iteration: c.Iteration}),
			c.Export != "" && look != nil && v.isOver(c, look),
			c.Export == "" && c.Blob == "" && it != nil && v.isIterationOver(c, *it):
			over = append(over, c.Scope)
		}
	}
	if len(over) > 0 {
		v.learn(func(p *state.Project) {
			for _, s := range over {
				p.Clear(s)
				if s.Export == "" && s.Blob == "" && v.seen.Looks[s.Iteration] == nil && p.Iterations[s.Iteration] != nil {
					p.Iterations[s.Iteration].Settled = nil // what it kept from being done is to be planned
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
	return v.rules.Retrain == nil || p.trainedSince(it) || p.o.Now.Sub(p.ended(it)) > time.Duration(v.rules.Retrain.Within)
}

// isOver reports whether the condition of an export no longer stands.
func (v *visit) isOver(c *state.Condition, look *Look) bool {
	key, err := archive.NewKey(v.record.ID, c.Iteration, platformOf(c.Export), flavorOf(c.Export))
	if err != nil {
		return !slices.Contains(look.Unusable, c.Export)
	}
	listed := look.export(key)
	switch {
	case look.proven(key):
		return true
	case listed != nil && listed.Status != customvision.ExportFailed:
		return listed.Status == customvision.ExportDone && !c.Unproven
	}
	it := v.iteration(c.Iteration)
	wanted := it != nil && it.Exportable && isWanted(v.rules.Rule, *it, v.seen.Iterations) && slices.ContainsFunc(v.rules.ExportsOf(it.ExportableTo), func(name string) bool {
		k, err := archive.NewKey(v.record.ID, c.Iteration, platformOf(name), flavorOf(name))
		return err == nil && k == key
	})
	return !wanted
}

// forget drops what is remembered of iterations that the service no longer lists.
// Their blobs are remembered for as long as they lie in the model container.
func (v *visit) forget() {
	if v.Service == nil || hidden(v.seen.Unusable) {
		return // nobody lists iterations, or not all that there are
	}
	held, collecting := v.held()
	gone, bare := map[string]bool{}, map[string]bool{}
	for id, known := range v.seen.Project.Iterations {
		switch {
		case v.iteration(id) != nil:
		case v.scope.blobsKnown && !held[id], !v.scope.blobsKnown && len(known.Blobs) == 0:
			gone[id] = true
		case known.Settled != nil || len(known.Exports) > 0 || known.Facts != nil && !collecting[id]:
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
