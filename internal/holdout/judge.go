package holdout

import (
	"cmp"
	"math"
	"slices"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

const (
	// overlap is the least that a predicted box and one that is there have in common, as a
	// share of both together, to mean the same; a bit less than a half, for what shares of a
	// picture lose by rounding.
	overlap = 0.5 - 1e-9
	// mostSeen is how many boxes of a tag in one picture count: the likeliest.
	mostSeen = 100
)

// Judge counts what an iteration saw in a picture. Single reports whether a picture has one
// tag, so that the likeliest prediction alone counts from the threshold on. A picture without
// a label shows the negative tag, if the iteration says how likely that is.
func Judge(m *state.Measuring, truth Truth, boxes bool, tags Known, single bool, found []customvision.Predicted) {
	found = slices.DeleteFunc(slices.Clone(found), func(p customvision.Predicted) bool { return p.Probability == nil })
	slices.SortStableFunc(found, func(a, b customvision.Predicted) int {
		return cmp.Or(cmp.Compare(*b.Probability, *a.Probability), cmp.Compare(a.TagID, b.TagID))
	})
	for _, id := range tags.Own {
		sightings(m, id, tags.Names[id])
	}
	there := map[string][]customvision.Box{}
	for _, l := range truth.Labels {
		there[tags.IDs[l]] = []customvision.Box{{}}
	}
	if !boxes && len(truth.Labels) == 0 && tags.Negative != "" && slices.ContainsFunc(found, func(p customvision.Predicted) bool { return p.TagID == tags.Negative }) {
		there[tags.Negative] = []customvision.Box{{}}
	}
	for _, b := range truth.Boxes {
		there[tags.IDs[b.Label]] = append(there[tags.IDs[b.Label]], b.Box)
	}
	for id, list := range there {
		sightings(m, id, tags.Names[id]).There += len(list)
	}
	seen := map[string]int{}
	for n, p := range found {
		s := sightings(m, p.TagID, cmp.Or(tags.Names[p.TagID], p.TagName))
		if seen[p.TagID]++; seen[p.TagID] > mostSeen {
			continue
		}
		hit := len(there[p.TagID]) > 0
		if boxes {
			there[p.TagID], hit = taken(there[p.TagID], p.Box)
		}
		probability := math.Round(*p.Probability*1e5) / 1e5
		counts := *p.Probability >= m.Threshold && (!single || n == 0)
		switch {
		case hit:
			s.Hits = append(s.Hits, probability)
			s.Right += one(counts)
		default:
			s.Misses = append(s.Misses, probability)
			s.Wrong += one(counts)
		}
	}
}

func one(counts bool) int {
	if counts {
		return 1
	}
	return 0
}

// sightings are those of a tag so far.
func sightings(m *state.Measuring, id, name string) *state.Sightings {
	if m.Tags == nil {
		m.Tags = map[string]*state.Sightings{}
	}
	if m.Tags[id] == nil {
		m.Tags[id] = &state.Sightings{Name: name}
	}
	return m.Tags[id]
}

// taken takes out of the boxes that are there the one that a predicted one means, and
// reports whether there is one.
func taken(there []customvision.Box, predicted *customvision.Box) ([]customvision.Box, bool) {
	best, common := -1, overlap
	for n, b := range there {
		if c := inCommon(b, predicted); c >= common {
			best, common = n, c
		}
	}
	if best < 0 {
		return there, false
	}
	return slices.Delete(slices.Clone(there), best, best+1), true
}

// inCommon is the share of two boxes together that is in both.
func inCommon(a customvision.Box, b *customvision.Box) float64 {
	if b == nil {
		return 0
	}
	width := min(a.Left+a.Width, b.Left+b.Width) - max(a.Left, b.Left)
	height := min(a.Top+a.Height, b.Top+b.Height) - max(a.Top, b.Top)
	if !(width > 0 && height > 0) {
		return 0
	}
	return width * height / (a.Width*a.Height + b.Width*b.Height - width*height)
}

// Figures are what the sightings come to: precision and recall of all tags together, and
// the mean of the tags' average precision. A tag that the set doesn't show has no recall and
// no average precision, and one that isn't predicted has no precision.
func Figures(m *state.Measuring) state.Figures {
	f := state.Figures{Threshold: m.Threshold, Set: m.Set, Tags: map[string]state.TagFigures{}}
	var all state.Sightings
	var sum float64
	var shown int
	for id, s := range m.Tags {
		t := measuresOf(*s)
		if t.AveragePrecision = averagePrecision(*s); t.AveragePrecision != nil {
			sum += *t.AveragePrecision
			shown++
		}
		f.Tags[id] = state.TagFigures{Name: s.Name, Measures: t}
		all.There, all.Right, all.Wrong = all.There+s.There, all.Right+s.Right, all.Wrong+s.Wrong
	}
	f.Measures = measuresOf(all)
	f.AveragePrecision = share(sum, float64(shown))
	return f
}

func measuresOf(s state.Sightings) state.Measures {
	return state.Measures{Precision: share(float64(s.Right), float64(s.Right+s.Wrong)), Recall: share(float64(s.Right), float64(s.There))}
}

// share is a part of a whole, rounded for people; nil of nothing.
func share(part, whole float64) *float64 {
	if whole == 0 {
		return nil
	}
	return new(math.Round(part/whole*1e6) / 1e6)
}

// averagePrecision is the mean of the precision at each sighting that is right, the likeliest
// first, over all that is there; nil of what isn't there. Equally likely ones come together.
func averagePrecision(s state.Sightings) *float64 {
	if s.There == 0 {
		return nil
	}
	hits, misses := slices.Clone(s.Hits), slices.Clone(s.Misses)
	slices.Sort(hits)
	slices.Sort(misses)
	var sum float64
	right, wrong := 0, 0
	for right < len(hits) {
		at, before := hits[len(hits)-1-right], right
		for right < len(hits) && hits[len(hits)-1-right] == at {
			right++
		}
		for wrong < len(misses) && misses[len(misses)-1-wrong] >= at {
			wrong++
		}
		sum += float64(right-before) * float64(right) / float64(right+wrong)
	}
	return share(sum, float64(s.There))
}
