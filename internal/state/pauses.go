package state

import (
	"cmp"
	"slices"
	"time"
)

// pause is the form in which a state keeps the conditions of single blobs that say the
// same: what they say, and the blobs.
type pause struct {
	Condition                              // of no blob
	Blobs     map[string]map[string]string `json:"blobs"` // ETag by iteration and name
}

// pausePrecision is how exactly the times of pauses are stored.
const pausePrecision = time.Second

// packPauses takes the conditions of blobs out of a project's, and joins those that say
// the same. Of two versions of one blob the second gets a pause of its own.
func packPauses(p Project) (others []*Condition, pauses []*pause) {
	joined := map[Condition]*pause{}
	for _, c := range p.Conditions {
		if c.Blob == "" {
			others = append(others, c)
			continue
		}
		same := c.rounded(pausePrecision)
		same.Iteration, same.Blob, same.ETag = "", "", ""
		name, into := shortBlob(p.ID, c.Iteration, c.Blob), joined[same]
		var taken bool
		if into != nil {
			_, taken = into.Blobs[c.Iteration][name]
		}
		if into == nil || taken {
			into = &pause{Condition: same, Blobs: map[string]map[string]string{}}
			joined[same] = into
			pauses = append(pauses, into)
		}
		if into.Blobs[c.Iteration] == nil {
			into.Blobs[c.Iteration] = map[string]string{}
		}
		into.Blobs[c.Iteration][name] = c.ETag
	}
	return others, pauses
}

// unpackPauses makes a condition of each blob again, in the order of the blobs.
func unpackPauses(p *Project, pauses []*pause) {
	var all []*Condition
	for _, same := range slices.DeleteFunc(pauses, func(s *pause) bool { return s == nil }) {
		for iteration, blobs := range same.Blobs {
			for name, etag := range blobs {
				c := same.Condition
				c.Iteration, c.Blob, c.ETag = iteration, wholeBlob(p.ID, iteration, name), etag
				all = append(all, &c)
			}
		}
	}
	slices.SortFunc(all, func(a, b *Condition) int {
		return cmp.Or(cmp.Compare(a.Blob, b.Blob), cmp.Compare(a.ETag, b.ETag))
	})
	p.Conditions = append(p.Conditions, all...)
}

// coarsenPauses leaves out of the conditions of blobs what keeps many of them from
// saying the same: their texts, and when exactly.
func (p *Project) coarsenPauses() {
	for _, c := range p.Conditions {
		if c.Blob != "" {
			*c = c.rounded(time.Hour)
			c.Why = ""
		}
	}
}

// rounded is the condition with its times cut to whole units.
func (c Condition) rounded(unit time.Duration) Condition {
	c.First, c.Last, c.Next = c.First.Truncate(unit), c.Last.Truncate(unit), c.Next.Truncate(unit)
	return c
}
