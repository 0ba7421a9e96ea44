package holdout

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/internal/customvision"
	"visionkeeper/internal/state"
)

func sees(tag string, probability float64) customvision.Predicted {
	return customvision.Predicted{TagID: tag, Probability: &probability}
}

func at(tag string, probability, left, top, width, height float64) customvision.Predicted {
	p := sees(tag, probability)
	p.Box = &customvision.Box{Left: left, Top: top, Width: width, Height: height}
	return p
}

func here(label string, left, top, width, height float64) Box {
	return Box{label, customvision.Box{Left: left, Top: top, Width: width, Height: height}}
}

var ids = map[string]string{"cup": "c", "fork": "f", "knife": "k"}

func numbers(m state.Measures) []any {
	var list []any
	for _, f := range []*float64{m.Precision, m.Recall, m.AveragePrecision} {
		if f == nil {
			list = append(list, nil)
		} else {
			list = append(list, *f)
		}
	}
	return list
}

// The figures are worked out by hand.
func TestFiguresOfWhatAnIterationSees(t *testing.T) {
	t.Parallel()
	type picture struct {
		truth Truth
		found []customvision.Predicted
	}
	labels := func(l ...string) Truth { return Truth{Labels: l} }
	for name, c := range map[string]struct {
		pictures      []picture
		boxes, single bool
		all           []any // precision, recall, average precision
		tags          map[string][]any
	}{
		"each is right": {
			pictures: []picture{{labels("cup"), []customvision.Predicted{sees("c", 0.9), sees("f", 0.1)}}, {labels("fork"), []customvision.Predicted{sees("c", 0.2), sees("f", 0.8)}}},
			all:      []any{1.0, 1.0, 1.0}, tags: map[string][]any{"c": {1.0, 1.0, 1.0}, "f": {1.0, 1.0, 1.0}},
		},
		// cup: 0.9 right, 0.8 wrong, 0.6 right: 1/1 and 2/3, of two. fork: missed, 0.3 right behind 0.4 wrong: 1/2.
		"several tags": {
			pictures: []picture{
				{labels("cup"), []customvision.Predicted{sees("c", 0.9), sees("f", 0.4)}},
				{labels("fork"), []customvision.Predicted{sees("c", 0.8), sees("f", 0.3)}},
				{labels("cup"), []customvision.Predicted{sees("c", 0.6), sees("f", 0)}},
			},
			all: []any{0.666667, 0.666667, 0.666667}, tags: map[string][]any{"c": {0.666667, 1.0, 0.833333}, "f": {nil, 0.0, 0.5}},
		},
		"equally likely ones come together": {
			pictures: []picture{{labels("cup"), []customvision.Predicted{sees("c", 0.5)}}, {labels(), []customvision.Predicted{sees("c", 0.5)}}},
			all:      []any{0.5, 1.0, 0.5}, tags: map[string][]any{"c": {0.5, 1.0, 0.5}},
		},
		"of one tag each the likeliest counts": {
			single:   true,
			pictures: []picture{{labels("cup"), []customvision.Predicted{sees("f", 0.55), sees("c", 0.6)}}},
			all:      []any{1.0, 1.0, 1.0}, tags: map[string][]any{"c": {1.0, 1.0, 1.0}, "f": {nil, nil, nil}},
		},
		"what the iteration has no tag for is missed": {
			pictures: []picture{{labels("knife", "cup"), []customvision.Predicted{sees("c", 0.9)}}},
			all:      []any{1.0, 0.5, 0.5}, tags: map[string][]any{"c": {1.0, 1.0, 1.0}, "k": {nil, 0.0, 0.0}},
		},
		"nothing is there, and nothing seen": {
			pictures: []picture{{labels(), nil}}, all: []any{nil, nil, nil}, tags: map[string][]any{},
		},
		// The second box means the same one as the first; the third is too far away; the last is of
		// another tag.
		"boxes": {
			boxes: true,
			pictures: []picture{{Truth{Boxes: []Box{here("cup", 0, 0, 0.5, 0.5), here("fork", 0.5, 0.5, 0.5, 0.5)}}, []customvision.Predicted{
				at("c", 0.9, 0, 0, 0.5, 0.5), at("c", 0.8, 0, 0, 0.5, 0.45), at("c", 0.7, 0.4, 0.4, 0.5, 0.5), at("c", 0.6, 0.5, 0.5, 0.5, 0.5),
			}}},
			all: []any{0.25, 0.5, 0.5}, tags: map[string][]any{"c": {0.25, 1.0, 1.0}, "f": {nil, 0.0, 0.0}},
		},
		// Half in common is enough, a bit less isn't.
		"how much boxes have in common": {
			boxes: true,
			pictures: []picture{{Truth{Boxes: []Box{here("cup", 0, 0, 0.5, 0.5), here("fork", 0, 0, 0.5, 0.5)}}, []customvision.Predicted{
				at("c", 0.9, 0, 0, 0.5, 0.25), at("f", 0.9, 0, 0, 0.5, 0.24),
			}}},
			all: []any{0.5, 0.5, 0.5}, tags: map[string][]any{"c": {1.0, 1.0, 1.0}, "f": {0.0, 0.0, 0.0}},
		},
		// In pixels of 333 x 333 one is exactly half of the other.
		"half in common, but for rounding": {
			boxes: true,
			pictures: []picture{{Truth{Boxes: []Box{here("cup", 10.0/333, 20.0/333, 100.0/333, 100.0/333)}}, []customvision.Predicted{
				at("c", 0.9, 10.0/333, 20.0/333, 50.0/333, 100.0/333),
			}}},
			all: []any{1.0, 1.0, 1.0}, tags: map[string][]any{"c": {1.0, 1.0, 1.0}},
		},
		"two of one tag": {
			boxes: true,
			pictures: []picture{{Truth{Boxes: []Box{here("cup", 0, 0, 0.4, 1), here("cup", 0.6, 0, 0.4, 1)}}, []customvision.Predicted{
				at("c", 0.9, 0.6, 0, 0.4, 1), at("c", 0.3, 0, 0, 0.4, 1),
			}}},
			all: []any{1.0, 0.5, 1.0}, tags: map[string][]any{"c": {1.0, 0.5, 1.0}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := &state.Measuring{Set: "set", Threshold: 0.5}
			for _, p := range c.pictures {
				Judge(m, p.truth, c.boxes, Known{IDs: ids, Names: map[string]string{"c": "cup", "f": "fork", "k": "knife"}}, c.single, p.found)
			}
			f := Figures(m)
			assert.Equal(t, "set", f.Set)
			assert.Equal(t, 0.5, f.Threshold)
			assert.Equal(t, c.all, numbers(f.Measures))
			require.Len(t, f.Tags, len(c.tags))
			for id, want := range c.tags {
				assert.Equal(t, want, numbers(f.Tags[id].Measures), id)
				assert.Contains(t, []string{"cup", "fork", "knife"}, f.Tags[id].Name)
			}
		})
	}
}

// A detector answers with no box of a tag that it doesn't see. It knows the tag all the same.
func TestATagThatIsNeverSeenIsKnown(t *testing.T) {
	t.Parallel()
	m := &state.Measuring{Threshold: 0.5}
	Judge(m, Truth{Boxes: []Box{here("cup", 0, 0, 1, 1)}}, true, Known{IDs: ids, Names: map[string]string{"c": "cup", "f": "fork"}, Own: []string{"c", "f"}}, false, []customvision.Predicted{at("c", 0.9, 0, 0, 1, 1)})
	f := Figures(m)
	assert.Equal(t, []any{nil, nil, nil}, numbers(f.Tags["f"].Measures))
	assert.Equal(t, "fork", f.Tags["f"].Name)
	assert.Equal(t, []any{1.0, 1.0, 1.0}, numbers(f.Measures))
}

// A detector may answer with very many boxes.
func TestTheLikeliestBoxesOfAPictureCount(t *testing.T) {
	t.Parallel()
	m := &state.Measuring{Threshold: 0.5}
	var found []customvision.Predicted
	for range 3 * mostSeen {
		found = append(found, at("c", 0.1, 0, 0, 0.1, 0.1))
	}
	Judge(m, Truth{Boxes: []Box{here("cup", 0.5, 0.5, 0.2, 0.2)}}, true, Known{IDs: ids}, false, append(found, at("c", 0.9, 0.5, 0.5, 0.2, 0.2)))
	assert.Equal(t, 1, m.Tags["c"].Right)
	assert.Len(t, m.Tags["c"].Misses, mostSeen-1)
}

// A picture without a label shows none of the tags, which some iterations say by a tag.
func TestTheNegativeTagIsRightWhereThereIsNoLabel(t *testing.T) {
	t.Parallel()
	m := &state.Measuring{Threshold: 0.5}
	tags := Known{IDs: ids, Names: map[string]string{"c": "cup", "n": "none"}, Negative: "n"}
	Judge(m, Truth{}, false, tags, false, []customvision.Predicted{sees("n", 0.9), sees("c", 0.1)})
	Judge(m, Truth{Labels: []string{"cup"}}, false, tags, false, []customvision.Predicted{sees("n", 0.2), sees("c", 0.8)})
	f := Figures(m)
	assert.Equal(t, []any{1.0, 1.0, 1.0}, numbers(f.Measures))
	assert.Equal(t, []any{1.0, 1.0, 1.0}, numbers(f.Tags["n"].Measures))

	m = &state.Measuring{Threshold: 0.5} // it says so by no other tag
	Judge(m, Truth{}, false, tags, false, []customvision.Predicted{sees("c", 0.1)})
	assert.NotContains(t, Figures(m).Tags, "n")
}
