package state

import (
	"maps"
	"slices"
)

// Clone returns a deep copy.
func (p Project) Clone() Project {
	p.index = nil
	p.ConnectionTest = pointer(p.ConnectionTest)
	p.Iterations = each(p.Iterations, func(i Iteration) Iteration {
		i.Facts = slices.Clone(i.Facts)
		i.Exports = each(i.Exports, func(e Export) Export { return e })
		i.Blobs = maps.Clone(i.Blobs)
		i.Figures = i.Figures.clone()
		i.Measuring = i.Measuring.Clone()
		if i.Settled = pointer(i.Settled); i.Settled != nil {
			i.Settled.Done = slices.Clone(i.Settled.Done)
		}
		if i.Looked = pointer(i.Looked); i.Looked != nil {
			i.Looked.Done = slices.Clone(i.Looked.Done)
		}
		return i
	})
	p.Shown = each(p.Shown, func(s Shown) Shown {
		s.Exports = maps.Clone(s.Exports)
		return s
	})
	p.Promotion = p.Promotion.clone()
	p.Deletions = each(p.Deletions, func(d Deletion) Deletion { return d })
	if p.Twin = pointer(p.Twin); p.Twin != nil {
		p.Twin.Known = slices.Clone(p.Twin.Known)
	}
	p.Looking = pointer(p.Looking)
	p.Trainings = slices.Clone(p.Trainings)
	for i, t := range p.Trainings {
		p.Trainings[i] = pointer(t)
		p.Trainings[i].Known = slices.Clone(t.Known)
	}
	p.Spent = slices.Clone(p.Spent)
	if p.Trained = pointer(p.Trained); p.Trained != nil {
		p.Trained.Tags = maps.Clone(p.Trained.Tags)
	}
	p.Conditions = slices.Clone(p.Conditions)
	for i, c := range p.Conditions {
		p.Conditions[i] = pointer(c)
	}
	p.Outbox = p.Outbox.clone()
	return p
}

func pointer[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}

// each is a copy of a map with a copy of each value. Values that are nil are left
// out: they say nothing.
func each[T any](m map[string]*T, clone func(T) T) map[string]*T {
	if m == nil {
		return nil
	}
	c := make(map[string]*T, len(m))
	for key, v := range m {
		if v != nil {
			v := clone(*v)
			c[key] = &v
		}
	}
	return c
}
